import numpy as np
import pytest

from voxcycle.data.shapes import PLACES_X, PLACES_Y, RADII, draw_shapes


def test_every_combination_is_there_once_and_measures_what_its_labels_say() -> None:
    shapes = draw_shapes()
    assert shapes.pixels.shape == (3 * 4 * 16 * 16, 1, 16, 16)
    assert len(np.unique(shapes.labels, axis=0)) == len(shapes)
    mass = shapes.pixels[:, 0] / 255.0
    area = mass.sum((1, 2))
    by_shape = np.array([np.pi, np.pi, 1.8])  # square, disc, triangle of base 2 and height 1.8
    expected = by_shape[shapes.factor("shape")] * np.square(RADII)[shapes.factor("scale")]
    assert area == pytest.approx(expected, rel=0.15)  # shapes of dots, four to a pixel and axis
    assert area.mean() == pytest.approx(expected.mean(), rel=0.01)
    centres = np.arange(16) + 0.5
    for name, axis, places in (("x", 1, PLACES_X), ("y", 2, PLACES_Y)):
        found = (mass.sum(axis) * centres).sum(1) / area
        assert found == pytest.approx(places[shapes.factor(name)], abs=0.15)  # a dot is 0.25


def test_no_shape_leaves_the_image_and_shapes_differ() -> None:
    shapes = draw_shapes()
    mass = shapes.pixels[:, 0].astype(int)
    area = mass.sum((1, 2))
    for shape in range(3):  # the largest ones, in every place: none is cut
        largest = area[(shapes.labels[:, :2] == [shape, 3]).all(1)]
        assert largest.min() > 0.95 * largest.max()  # dots
    middle = (shapes.labels[:, 1:] == [3, 8, 8]).all(1)
    square, disc, triangle = mass[middle]
    for a, b in ((square, disc), (square, triangle), (disc, triangle)):
        assert np.abs(a - b).sum() > 2 * 255  # pixels
