"""Weights files: what is written comes back, and what was damaged or exchanged is refused with one sentence."""

import dataclasses
import hashlib
import json
import shutil

import h5py
import numpy as np
import pytest
import tensorflow as tf

from ifcn_tf.common import files
from ifcn_tf.common.files import UserError
from ifcn_tf.config.proposing import ProposerConfig
from ifcn_tf.models import weights as weights_module
from ifcn_tf.models.method import build_network
from ifcn_tf.models.weights import (
    average_weights,
    load_weights,
    read_network_config,
    read_proposer_config,
    read_weights,
    save_weights,
    store_as_float16,
    take_fitting_weights,
)
from tests.support.tiny import TINY

FILE = "model.weights.h5"


def random_network(config=TINY, seed=0):
    network, random = build_network(config, "float32"), np.random.default_rng(seed)
    network.model.set_weights([random.normal(size=w.shape) for w in network.model.get_weights()])
    return network


@pytest.fixture(scope="module")
def network():
    return random_network()


@pytest.fixture
def saved(network, tmp_path):
    save_weights(network, tmp_path, {"proposer": {"nms_iou": 0.5}, "note": 7}, {"step": 3})
    return tmp_path / FILE


def equal(a, b):
    return all(np.array_equal(x, y) for x, y in zip(a.model.get_weights(), b.model.get_weights(), strict=True))


def test_the_mean_of_weights_is_that_of_every_variable(saved, network, tmp_path):
    other = random_network(seed=1)
    save_weights(other, tmp_path / "other", {"note": 8}, {})
    average_weights([saved, tmp_path / "other" / FILE], tmp_path / "mean")
    found, pairs = random_network(seed=2), zip(network.model.get_weights(), other.model.get_weights(), strict=True)
    load_weights(found, tmp_path / "mean" / FILE)
    for weights, (a, b) in zip(found.model.get_weights(), pairs, strict=True):
        np.testing.assert_allclose(weights, (a + b) / 2, atol=1e-6)
    assert json.loads((tmp_path / "mean" / "config.json").read_text())["note"] == 8


def test_weights_of_two_networks_have_no_mean(saved, tmp_path):
    wider = random_network(dataclasses.replace(TINY, branch_channels=TINY.branch_channels + 1))
    save_weights(wider, tmp_path / "wider", {}, {})
    with pytest.raises(UserError, match=r"wider/model\.weights\.h5 holds the weights of another architecture than"):
        average_weights([saved, tmp_path / "wider" / FILE], tmp_path / "mean")
    assert not (tmp_path / "mean").exists()


def test_saved_weights_come_back(saved, network):
    other = random_network(seed=1)
    load_weights(other, saved)
    assert equal(other, network)
    assert read_network_config(saved) == TINY
    assert read_proposer_config(saved) == ProposerConfig(nms_iou=0.5)
    described = json.loads((saved.parent / "config.json").read_text())
    assert described["note"] == 7 and described["weights"].keys() == {"version", "sha256"}
    assert json.loads((saved.parent / "metrics.json").read_text()) == {"step": 3}


def test_every_variable_has_the_name_of_its_layer(saved, network):
    names = {f"{layer.name}/{v.name}" for layer in network.model.layers for v in layer.weights}
    assert read_weights(saved).keys() == names and {"tiny1_conv/kernel", "score_maps/bias"} <= names


def test_float16_takes_half_the_room_and_is_read_alike(saved, network, tmp_path):
    store_as_float16(saved, tmp_path / "half")
    other = random_network(seed=1)
    load_weights(other, tmp_path / "half" / FILE)
    for mine, theirs in zip(other.model.get_weights(), network.model.get_weights(), strict=True):
        np.testing.assert_array_equal(mine, theirs.astype(np.float16))
    assert read_network_config(tmp_path / "half" / FILE) == TINY
    assert (tmp_path / "half" / FILE).stat().st_size < 0.7 * saved.stat().st_size


def test_any_flipped_byte_is_refused(saved):
    content, random = saved.read_bytes(), np.random.default_rng(0)
    other = random_network(seed=1)
    before = other.model.get_weights()
    for position in random.integers(0, len(content), 100):
        mutated = bytearray(content)
        mutated[position] ^= 1 << int(random.integers(8))
        saved.write_bytes(mutated)
        with pytest.raises(UserError, match=r"model\.weights\.h5 is damaged, or not the file that .*config\.json desc"):
            load_weights(other, saved)
    assert all((a == b).all() for a, b in zip(before, other.model.get_weights(), strict=True))


@pytest.mark.parametrize("content", [b"", b"no weights"])
def test_other_contents_are_refused(saved, content):
    saved.write_bytes(content)
    with pytest.raises(UserError, match="is damaged"):
        read_weights(saved)


def test_a_file_of_another_kind_is_refused_whoever_vouches_for_it(saved):
    saved.write_bytes(b"no weights")
    record = json.loads((saved.parent / "config.json").read_text())
    record["weights"]["sha256"] = hashlib.sha256(b"no weights").hexdigest()
    (saved.parent / "config.json").write_text(json.dumps(record))
    with pytest.raises(UserError, match=r"model\.weights\.h5 is no HDF5 file, as weights are: copy it again"):
        read_weights(saved)


@pytest.mark.parametrize(
    ("change", "sentence"),
    [
        (lambda described: described.pop("weights"), 'has no "weights" section of version 2: .* another release'),
        (lambda described: described.update(weights=7), 'has no "weights" section of version 2'),
        (lambda described: described["weights"].update(version=1), 'has no "weights" section of version 2'),
        (lambda described: described.pop("model"), 'has no "model" section'),
        (lambda described: described.update(proposer=7), 'has no "proposer" section, or one that is no object'),
        (lambda described: described.update(proposer={"nms": 1}), r"proposer\.nms: ProposerConfig has no such setting"),
        (lambda described: described["proposer"].update(nms_iou=5), r"proposer\.nms_iou must lie in"),
        (lambda described: described["model"].update(k=4), r"model\.k must be 3, 5 or 7"),
        (lambda described: described["model"].update(trunk="tinny"), r"model\.trunk 'tinny' is not known.*tiny"),
    ],
)
def test_a_config_that_does_not_describe_them_is_named(saved, change, sentence):
    path = saved.parent / "config.json"
    described = json.loads(path.read_text())
    change(described)
    path.write_text(json.dumps(described))
    with pytest.raises(UserError, match=rf"config\.json.*{sentence}"):
        read_network_config(saved), read_proposer_config(saved), read_weights(saved)


def test_absent_files_are_named(saved, tmp_path):
    with pytest.raises(UserError, match=r"there is no weights file .*absent\.weights\.h5"):
        read_weights(tmp_path / "absent.weights.h5")
    (saved.parent / "config.json").unlink()
    with pytest.raises(UserError, match=r"there is no .*config\.json, which says what network .*h5 is of"):
        read_network_config(saved)
    (saved.parent / "config.json").write_text("7")
    with pytest.raises(UserError, match=r"config\.json is no object"):
        read_network_config(saved)


def test_weights_of_another_architecture_are_refused_whole(saved):
    other = random_network(dataclasses.replace(TINY, k=3), seed=1)
    before = other.model.get_weights()
    with pytest.raises(UserError, match="holds the weights of another architecture: score_maps/bias differs"):
        load_weights(other, saved)
    assert all((a == b).all() for a, b in zip(before, other.model.get_weights(), strict=True))


def test_layers_that_fit_are_taken(saved, network):
    other = random_network(dataclasses.replace(TINY, k=3), seed=1)
    before = other.model.get_layer("score_maps").get_weights()
    assert take_fitting_weights(other, saved) == ["score_maps"]
    for layer in (layer for layer in other.model.layers if layer.weights):
        taken = before if layer.name == "score_maps" else network.model.get_layer(layer.name).get_weights()
        assert all(np.array_equal(a, b) for a, b in zip(layer.get_weights(), taken, strict=True)), layer.name


def test_weights_without_any_layer_that_fits_are_refused(saved):
    with h5py.File(saved, "w") as file:
        file["other/kernel"] = np.zeros(3)
    described = json.loads((saved.parent / "config.json").read_text())
    described["weights"]["sha256"] = weights_module._digest(saved.read_bytes())
    (saved.parent / "config.json").write_text(json.dumps(described))
    with pytest.raises(UserError, match="has no layer that fits this network"):
        take_fitting_weights(random_network(), saved)


@pytest.mark.parametrize("done", range(3))
def test_a_process_killed_between_the_files_leaves_a_pair_that_fits(done, saved, network, monkeypatch):
    """Of the three renames of a second saving only the first so many happen."""
    second, left = random_network(seed=2), done

    def replace(self, target):
        nonlocal left
        if not left:
            raise KeyboardInterrupt
        left -= 1
        shutil.move(self, target)

    monkeypatch.setattr(files.Path, "replace", replace)
    with pytest.raises(KeyboardInterrupt):
        save_weights(second, saved.parent, {}, {})
    monkeypatch.undo()
    found = random_network(seed=3)
    load_weights(found, saved)
    assert equal(found, second if done == 2 else network)


def test_a_full_disk_is_one_sentence_and_leaves_the_weights_before(saved, network, monkeypatch):
    def full(*_):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(files.os, "fsync", full)
    with pytest.raises(UserError, match=r"cannot write .*: No space left on device; free some space"):
        save_weights(random_network(seed=2), saved.parent, {}, {})
    monkeypatch.undo()
    found = random_network(seed=3)
    load_weights(found, saved)
    assert equal(found, network)


def test_a_full_disk_leaves_nothing_where_there_was_nothing(network, tmp_path, monkeypatch):
    def full(*_):
        raise UserError("no space")

    monkeypatch.setattr(weights_module, "write_bytes", full)  # the small file before it found room
    with pytest.raises(UserError, match="no space"):
        save_weights(network, tmp_path / "new", {}, {})
    assert not list((tmp_path / "new").iterdir())


def test_integers_and_scalars_are_stored_too(tmp_path):
    """Whatever a network's variables are, such as the statistics of a normalisation."""
    arrays = {"a/count": np.array(3, np.int64), "b/c/mean": np.ones(2, np.float32)}
    weights_module.write_arrays(tmp_path / FILE, arrays, {"model": TINY.to_dict()})
    found = read_weights(tmp_path / FILE)
    assert found.keys() == arrays.keys()
    assert tf.nest.map_structure(lambda a: (a.dtype, a.tolist()), found) == tf.nest.map_structure(
        lambda a: (a.dtype, a.tolist()), arrays
    )
