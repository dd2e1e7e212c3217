"""Pictures of classes: VOC's colours, and a legend."""

import numpy as np

from ifcn_tf.common.classes import VOC_CLASSES, VOID
from ifcn_tf.pictures.classes import class_palette, class_picture, draw_classes


def test_the_colours_are_those_of_voc():
    """As its development kit has them: background, aeroplane, bicycle, bird, person, tvmonitor, void."""
    expected = [(0, 0, 0), (128, 0, 0), (0, 128, 0), (128, 128, 0), (192, 128, 128), (0, 64, 128), (224, 224, 192)]
    assert list(map(tuple, class_palette()[[0, 1, 2, 3, 15, 20, 255]].tolist())) == expected
    assert len(np.unique(class_palette(), axis=0)) == 256


def test_a_label_image_keeps_its_values():
    classes = np.array([[0, 15], [255, 20]], np.uint8)
    picture = class_picture(classes)
    np.testing.assert_array_equal(picture, classes)
    assert picture.convert("RGB").getpixel((1, 0)) == (192, 128, 128)


def test_classes_are_painted_and_named_below():
    image, classes = np.full((60, 80, 3), 100, np.uint8), np.zeros((60, 80), np.uint8)
    classes[10:30, 10:40], classes[40:50, 50:60] = 15, VOID
    picture = np.asarray(draw_classes(image, classes, VOC_CLASSES))
    assert picture.shape[0] > 60 and picture.shape[1:] == (80, 3)
    np.testing.assert_array_equal(picture[:8], image[:8])
    assert picture[20, 25, 0] > picture[20, 25, 1] > 100
    assert (picture[60:] == (192, 128, 128)).all(-1).any()


def test_a_photograph_of_nothing_says_so():
    image = np.full((40, 30, 3), 100, np.uint8)
    picture = np.asarray(draw_classes(image, np.zeros((40, 30), np.uint8), VOC_CLASSES))
    np.testing.assert_array_equal(picture[:40], image)
    assert (picture[40:] < 50).any()
