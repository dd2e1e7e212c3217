"""What tests share: one process, one import of TensorFlow, and the optional data outside the repository."""

from __future__ import annotations

import os
import signal
from pathlib import Path

import pytest

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")
# Shells start what runs in the background with interruptions ignored, and commands that tests interrupt inherit that.
signal.signal(signal.SIGINT, signal.default_int_handler)

#: Real photographs and ImageNet weights, kept outside the repository.
SHARED = Path(os.environ.get("IFCN_SHARED", Path(__file__).parents[2] / "shared"))


@pytest.fixture(scope="session")
def coco_root() -> Path:
    """COCO layout: annotations/instances_{train,val}2017.json, train2017/, val2017/."""
    return _existing(SHARED / "data" / "coco")


@pytest.fixture(scope="session")
def voc_root() -> Path:
    """VOC layout: JPEGImages/, SegmentationObject/, SegmentationClass/, ImageSets/Segmentation/."""
    return _existing(SHARED / "data" / "VOCdevkit" / "VOC2007")


@pytest.fixture(scope="session")
def backbone_weights() -> Path:
    """The 13 convolutions of the ImageNet VGG-16."""
    return _existing(SHARED / "weights" / "vgg16_imagenet_notop.weights.h5")


def _existing(path: Path) -> Path:
    if not path.exists():
        pytest.skip(f"needs {path.name} in {path.parent} (set IFCN_SHARED to the folder that holds data/ and weights/)")
    return path
