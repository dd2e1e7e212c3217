"""Streams of images: answers in order, few images at once, and no bad image that ends them."""

from __future__ import annotations

import itertools
import time
from pathlib import Path

import imageio.v3 as imageio
import numpy as np
import pytest
from PIL import Image

from ifcn_tf.common.files import BadImageError
from ifcn_tf.config.proposing import ProposerConfig
from ifcn_tf.image_predictor import ImagePredictor
from ifcn_tf.images.files import read_pixels

GREY = np.zeros([8, 8, 3], np.uint8)


class _Brightness(ImagePredictor):
    """One proposal an image, everything, whose score is the first pixel in hundredths; brighter ones take longer."""

    config = ProposerConfig(min_area=0)

    def read(self, path: str | Path) -> np.ndarray:
        return read_pixels(Path(path))

    def _run(self, image: np.ndarray) -> dict[str, np.ndarray]:
        brightness = int(image[0, 0, 0])
        time.sleep(brightness / 1000)
        window = np.float32([[0, 0, *image.shape[:2]]])
        return {
            "scores": np.float32([brightness / 100]),
            "windows_yxyx": window,
            "mask_logits": np.ones([1, 2, 2], np.float32),
        }


def test_what_fails_on_a_file_is_named(tmp_path, monkeypatch):
    """A runtime knows the size of an image alone."""
    Image.fromarray(GREY).save(tmp_path / "grey.png")

    def fail(self, image):
        raise BadImageError("no memory for [8, 8].")

    monkeypatch.setattr(_Brightness, "_run", fail)
    with pytest.raises(BadImageError, match=r"grey\.png: no memory for \[8, 8\]\."):
        _Brightness().propose_file(tmp_path / "grey.png")


@pytest.mark.parametrize("in_flight", [1, 2, 3])
def test_answers_keep_the_order_of_the_images(in_flight: int) -> None:
    order = [60, 0, 30, 10, 0, 50, 20]  # the first is done last
    images = [GREY + np.uint8(brightness) for brightness in order]
    proposals = _Brightness().propose_batch(images, in_flight)
    assert [round(100 * float(found.scores[0])) for found in proposals] == order
    assert [found.areas().tolist() for found in proposals] == [[64]] * len(order)


def test_a_bad_image_is_answered_by_its_error_and_the_stream_goes_on(tmp_path: Path) -> None:
    damaged = tmp_path / "damaged.jpg"
    damaged.write_bytes(b"no image")
    answers = list(_Brightness().propose_stream([GREY, damaged, GREY[..., 0], GREY]))
    assert [isinstance(answer, BadImageError) for answer in answers] == [False, True, True, False]
    assert "damaged.jpg" in str(answers[1]) and "[8, 8]" in str(answers[2])
    with pytest.raises(BadImageError, match=r"damaged\.jpg"):
        _Brightness().propose_batch([GREY, damaged])


def test_an_endless_stream_is_taken_a_few_images_ahead() -> None:
    taken = itertools.count()
    answers = _Brightness().propose_stream((GREY for _ in taken), in_flight=2)
    for _ in range(10):
        next(answers)
    assert 10 <= next(taken) <= 10 + 2 * 2


def test_frames_of_a_film(tmp_path: Path) -> None:
    film = tmp_path / "film.gif"
    imageio.imwrite(film, np.stack([GREY, GREY + np.uint8(90)]))
    frames = (np.ascontiguousarray(frame[..., :3]) for frame in imageio.imiter(film))
    scores = [float(found.scores[0]) for found in _Brightness().propose_batch(frames)]
    assert len(scores) == 2 and scores[0] < scores[1]
