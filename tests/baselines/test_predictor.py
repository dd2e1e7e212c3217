"""Methods without a network as predictors."""

import cv2
import pytest
from PIL import Image

from ifcn_tf.baselines.predictor import Baseline, edge_boxes_predictor, selective_search_predictor
from ifcn_tf.common.files import BadImageError
from tests.support.edge_model import write_edge_model


def test_an_image_that_opencv_cannot_work_on_is_a_bad_one(tmp_path):
    """So a run over many goes on, and names it at its end."""
    Image.new("RGB", (4, 3)).save(tmp_path / "small.png")

    def fail(image):
        return cv2.resize(image, (0, 0))

    with pytest.raises(BadImageError, match=r"OpenCV fails on .*small\.png: OpenCV.*resize"):
        Baseline(fail, {}).propose_file(tmp_path / "small.png")
    with pytest.raises(BadImageError, match=r"small\.png has 4 x 3 pixels, over the limit of 11"):
        selective_search_predictor(10, max_pixels=11).propose_file(tmp_path / "small.png")


def test_settings_tell_runs_apart(tmp_path):
    """Results of another method, count or edge detector are no part of a run that is resumed."""
    model, other = write_edge_model(tmp_path / "a.yml", 0.4), write_edge_model(tmp_path / "b.yml", 0.2)
    predictors = [selective_search_predictor(10), selective_search_predictor(20)]
    predictors += [edge_boxes_predictor(model, 10), edge_boxes_predictor(other, 10)]
    settings = [predictor.settings for predictor in predictors]
    assert not [a for i, a in enumerate(settings) for b in settings[:i] if a == b]
    assert {found["opencv"] for found in settings} == {cv2.__version__}
