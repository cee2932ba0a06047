import numpy as np
import pytest

from voxcycle.data.shapes import PLACES, RADII, draw_shapes


def test_every_combination_is_there_once_and_measures_what_its_labels_say() -> None:
    shapes = draw_shapes()
    assert shapes.pixels.shape == (3 * 4 * 16 * 16, 1, 16, 16)
    assert len(np.unique(shapes.labels, axis=0)) == len(shapes)
    mass = shapes.pixels[:, 0] / 255.0
    area = mass.sum((1, 2))
    expected = np.pi * np.square(RADII)[shapes.factor("scale")]
    assert area == pytest.approx(expected, rel=0.06)  # of a shape of dots, four to a pixel
    centres = np.arange(16) + 0.5
    for name, axis in (("x", 1), ("y", 2)):
        found = (mass.sum(axis) * centres).sum(1) / area
        assert found == pytest.approx(PLACES[shapes.factor(name)], abs=0.1)


def test_no_shape_leaves_the_image_and_shapes_differ() -> None:
    shapes = draw_shapes()
    mass = shapes.pixels[:, 0].astype(int)
    rim = np.concatenate([mass[:, 0], mass[:, -1], mass[:, :, 0], mass[:, :, -1]], 1)
    assert rim.sum(1).max() <= 255 * 2
    middle = (shapes.labels[:, 1:] == [3, 8, 8]).all(1)
    square, disc, triangle = mass[middle]
    for a, b in ((square, disc), (square, triangle), (disc, triangle)):
        assert np.abs(a - b).sum() > 2 * 255  # pixels
