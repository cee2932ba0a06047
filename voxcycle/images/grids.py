"""Grids of images with labels, as PNG files."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from torch import Tensor

from voxcycle.files import replacing

SCALE_DPI = 100


def draw_grid(
    path: Path,
    rows: Sequence[Tensor],
    row_labels: Sequence[str] = (),
    column_labels: Sequence[str] = (),
    scale: int = 2,
) -> None:
    """Draw rows of images.

    Args:
        path: PNG file.
        rows: of images (N, C, H, W) in [-1, 1], all of one size; rows may differ in N.
        row_labels: at the left.
        column_labels: on top.
        scale: pixels per pixel.
    """
    from matplotlib.figure import Figure

    n_columns = max(len(row) for row in rows)
    height, width = rows[0].shape[-2:]
    canvas = np.ones((len(rows) * (height + 2), n_columns * (width + 2), 3), np.float32)
    for i, row in enumerate(rows):
        for j, image in enumerate(row):
            top, left = i * (height + 2) + 1, j * (width + 2) + 1
            canvas[top : top + height, left : left + width] = _to_rgb(image)
    margin_left = 0.075 * max((len(label) for label in row_labels), default=0) + 0.05
    margin_top = 0.25 if column_labels else 0.03
    inches = np.array([canvas.shape[1], canvas.shape[0]]) * scale / SCALE_DPI
    size = inches + [margin_left, margin_top]
    figure = Figure(figsize=tuple(size), dpi=SCALE_DPI)
    axes = figure.add_axes((margin_left / size[0], 0, inches[0] / size[0], inches[1] / size[1]))
    axes.imshow(canvas, interpolation="nearest", aspect="auto")
    axes.set_frame_on(False)
    places = [(height + 2) * (i + 0.5) for i in range(len(row_labels))]
    axes.set_yticks(places, row_labels, fontsize=8)
    places = [(width + 2) * (j + 0.5) for j in range(len(column_labels))]
    axes.set_xticks(places, column_labels, fontsize=8)
    axes.tick_params(length=0, pad=2, top=False, bottom=False, labeltop=True, labelbottom=False)
    with replacing(path) as partial:
        figure.savefig(partial, format="png")


def _to_rgb(image: Tensor) -> NDArray[np.float32]:
    array = ((image.detach().cpu().clamp(-1, 1) + 1) / 2).numpy()
    return np.broadcast_to(array.transpose(1, 2, 0), (*array.shape[1:], 3))
