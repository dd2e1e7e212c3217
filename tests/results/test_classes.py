"""The files of `segment`, of a segmenter that knows two classes by brightness."""

import numpy as np
import pytest
from PIL import Image

from ifcn_tf.common.files import UserError
from ifcn_tf.images.files import read_pixels
from ifcn_tf.results.classes import read_class_names, segment_images


class Bright:
    names = ("dark", "bright")

    def read(self, path):
        return read_pixels(path)

    def segment(self, image):
        return (image.mean(-1) > 128).astype(np.uint8)

    def probabilities(self, image):
        bright = self.segment(image).astype(np.float32)
        return np.stack([1 - bright, bright], -1)


@pytest.fixture
def photograph(tmp_path):
    pixels = np.zeros((9, 11, 3), np.uint8)
    pixels[2:5, 3:] = 200
    Image.fromarray(pixels).save(tmp_path / "a.png")
    return tmp_path / "a.png"


@pytest.mark.parametrize("probabilities", [False, True])
def test_labels_pictures_and_probabilities_are_written(photograph, tmp_path, probabilities):
    assert not segment_images(Bright(), [photograph], tmp_path / "out", True, probabilities)
    labels = np.asarray(Image.open(tmp_path / "out" / "labels" / "a.png"))
    np.testing.assert_array_equal(labels, Bright().segment(read_pixels(photograph)))
    assert read_class_names(tmp_path / "out" / "labels") == ["dark", "bright"]
    assert Image.open(tmp_path / "out" / "overlays" / "a.png").size[0] == 11
    if probabilities:
        likely = np.load(tmp_path / "out" / "probabilities" / "a.npz")["probabilities"]
        assert likely.dtype == np.float16
        np.testing.assert_array_equal(likely.argmax(-1), labels)
    else:
        assert not (tmp_path / "out" / "probabilities").exists()


def test_a_bad_file_is_named_and_the_others_are_done(photograph, tmp_path):
    (tmp_path / "bad.jpg").write_text("no image")
    failures = segment_images(Bright(), [tmp_path / "bad.jpg", photograph], tmp_path / "out", overlays=False)
    assert [failure.path.name for failure in failures] == ["bad.jpg"]
    assert [path.name for path in (tmp_path / "out" / "labels").glob("*.png")] == ["a.png"]
    assert not (tmp_path / "out" / "overlays").exists()


def test_names_of_other_programs_labels_may_be_absent(tmp_path):
    assert read_class_names(tmp_path) == []
    (tmp_path / "classes.txt").write_text("a\nb\na\n")
    with pytest.raises(UserError, match="has an empty name, or one twice"):
        read_class_names(tmp_path)
