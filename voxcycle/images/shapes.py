"""Shapes of which every factor is known and independent of the others, for disentanglement.

After the idea of dSprites (Matthey et al., 2017), drawn by formula and small: 3 shapes x 4 scales x
16 x 16 places, 3,072 images of 16 x 16 pixels.
"""

import numpy as np
from numpy.typing import NDArray

from voxcycle.images.image_set import ImageSet

SIZE = 16
SHAPES = ("square", "disc", "triangle")
RADII = (1.6, 2.2, 2.8, 3.4)  # pixels, of the disc; the others have the disc's area
# Pixels, of the centre; the largest shapes are cut a little at the rim. VAEs align latents with the
# directions of largest variance (Rolinek et al., 2019): were x and y as wide, any rotation of the
# two would do as well, and the gap of beta 4 would be a third less.
PLACES_X, PLACES_Y = np.linspace(3.0, 13.0, 16), np.linspace(5.0, 11.0, 16)
FINENESS = 4  # points per pixel and axis: edges are grey


def draw_shapes() -> ImageSet:
    """Return white shapes on black, every combination once, with their factors as labels."""
    points = (np.arange(SIZE * FINENESS) + 0.5) / FINENESS
    images, labels = [], []
    for shape, name in enumerate(SHAPES):
        for scale, radius in enumerate(RADII):
            for x, centre_x in enumerate(PLACES_X):
                for y, centre_y in enumerate(PLACES_Y):
                    u, v = points[None, :] - centre_x, points[:, None] - centre_y
                    images.append(_is_inside(name, u, v, radius))
                    labels.append((shape, scale, x, y))
    fine = np.stack(images).reshape(-1, SIZE, FINENESS, SIZE, FINENESS)
    pixels = (255 * fine.mean((2, 4))).round().astype(np.uint8)[:, None]
    return ImageSet(pixels, np.array(labels, np.int64), ("shape", "scale", "x", "y"))


def _is_inside(
    shape: str, u: NDArray[np.float64], v: NDArray[np.float64], radius: float
) -> NDArray[np.bool_]:
    area = np.pi * radius**2
    if shape == "square":
        return np.maximum(np.abs(u), np.abs(v)) <= np.sqrt(area) / 2
    if shape == "disc":
        return u**2 + v**2 <= radius**2
    height = np.sqrt(area * np.sqrt(3))  # of an equilateral triangle, its centroid at the centre
    down = v + 2 * height / 3  # from the tip
    return (down >= 0) & (down <= height) & (np.abs(u) <= down / np.sqrt(3))
