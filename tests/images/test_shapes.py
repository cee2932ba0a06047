import numpy as np
import pytest

from voxcycle.images.shapes import PLACES_X, PLACES_Y, RADII, draw_shapes


def test_every_combination_is_there_once_and_measures_what_its_labels_say():
    shapes = draw_shapes()
    assert shapes.pixels.shape == (3 * 4 * 16 * 16, 1, 16, 16)
    assert len(np.unique(shapes.labels, axis=0)) == len(shapes)
    mass = shapes.pixels[:, 0] / 255.0
    area = mass.sum((1, 2))
    expected = np.pi * np.square(RADII)[shapes.factor("scale")]
    is_whole = shapes.factor("scale") < 2  # larger ones are cut at the rim in the outermost places
    # shapes of dots, four to a pixel and axis
    assert area[is_whole] == pytest.approx(expected[is_whole], rel=0.15)
    assert area[is_whole].mean() == pytest.approx(expected[is_whole].mean(), rel=0.01)
    centres = np.arange(16) + 0.5
    for name, axis, places in (("x", 1, PLACES_X), ("y", 2, PLACES_Y)):
        found = (mass.sum(axis) * centres).sum(1) / area
        expected = places[shapes.factor(name)]
        assert found[is_whole] == pytest.approx(expected[is_whole], abs=0.15)  # a dot is 0.25


def test_little_leaves_the_image_and_shapes_differ():
    shapes = draw_shapes()
    mass = shapes.pixels[:, 0].astype(int)
    area = mass.sum((1, 2))
    for shape in range(3):
        largest = area[(shapes.labels[:, :2] == [shape, 3]).all(1)]
        assert largest.min() > 0.85 * largest.max()
    middle = (shapes.labels[:, 1:] == [3, 8, 8]).all(1)
    square, disc, triangle = mass[middle]
    for a, b in ((square, disc), (square, triangle), (disc, triangle)):
        assert np.abs(a - b).sum() > 2 * 255  # pixels
