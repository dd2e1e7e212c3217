"""The files that come with the library."""

from pathlib import Path

import pytest

from ifcn_tf.common.files import UserError
from ifcn_tf.config.bundled import MODELS, model_weights, weights_file


@pytest.mark.parametrize("name", MODELS)
def test_every_model_has_weights_settings_and_a_card(name):
    folder = model_weights(name).parent
    assert {"model.weights.h5", "config.json", "metrics.json", "MODEL_CARD.md"} <= {
        path.name for path in folder.iterdir()
    }


def test_weights_are_a_models_or_a_file():
    assert weights_file(None) == weights_file("default") == model_weights("default")
    assert weights_file("runs/vgg16") == weights_file(Path("runs/vgg16")) == Path("runs/vgg16")
    with pytest.raises(UserError, match="model 'vgg61' is not known: the nearest is vgg16"):
        weights_file("vgg61")
