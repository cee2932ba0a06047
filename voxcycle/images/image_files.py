"""Image files: find, read and write them, and draw labelled grids of images."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from torch import Tensor

from voxcycle.files import replacing

SUFFIXES = {".png", ".jpg", ".jpeg", ".webp", ".bmp", ".gif"}
GRID_DPI = 100


def list_images(path: Path, without: Path | None = None) -> list[Path]:
    """Return the image files under a folder, sorted; ValueError where there are none.

    Hidden files are skipped, and those in `without`, if that is a folder inside.
    """
    inner = without.resolve() if without and path.resolve() in without.resolve().parents else None
    files = sorted(
        file
        for file in path.rglob("*")
        if file.suffix.lower() in SUFFIXES
        and not file.name.startswith(".")
        and not (inner and file.resolve().is_relative_to(inner))
    )
    if not files:
        raise ValueError(f"{path}: no images; {', '.join(sorted(SUFFIXES))} are read")
    return files


def read_image(
    path: Path, size: tuple[int, int] | None = None, n_channels: int = 3
) -> NDArray[np.uint8]:
    """Return an image (C, H, W), upright; transparency is laid on white.

    Args:
        path: in any format that Pillow reads, 8 or 16 bits deep.
        size: height and width; the largest centred part of this form is kept.
        n_channels: 3, or 1 for grey.

    Raises:
        ValueError: it is not an image.
    """
    from PIL import Image, ImageOps, UnidentifiedImageError

    try:
        with Image.open(path) as opened:
            image = ImageOps.exif_transpose(opened)
            if image.mode.startswith("I"):  # 16 bits of grey, which convert would clip to 8
                image = Image.fromarray((np.asarray(image) / 257).round().astype(np.uint8))
            rgba = image.convert("RGBA")
    except (UnidentifiedImageError, OSError, SyntaxError, Image.DecompressionBombError) as error:
        raise ValueError(f"{path}: not an image that can be read ({error})") from error
    white = Image.new("RGBA", rgba.size, "white")
    image = Image.alpha_composite(white, rgba).convert("L" if n_channels == 1 else "RGB")
    if size is not None:
        image = ImageOps.fit(image, size[::-1], Image.Resampling.LANCZOS)
    array = np.asarray(image)
    return array[None] if array.ndim == 2 else array.transpose(2, 0, 1)


def write_image(path: Path, image: Tensor) -> None:
    """Write an image (C, H, W) in [-1, 1] in the format that the name says."""
    from PIL import Image

    array = ((image.clamp(-1, 1) + 1) * 127.5).round().byte().cpu().numpy()
    squeezed = array[0] if len(array) == 1 else array.transpose(1, 2, 0)
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(squeezed).save(path)


def draw_grid(
    path: Path,
    rows: Sequence[Tensor],
    row_labels: Sequence[str] = (),
    column_labels: Sequence[str] = (),
    scale: int = 2,
) -> None:
    """Draw rows of images as a PNG file, `scale` pixels per pixel.

    Rows (N, C, H, W) in [-1, 1] have images of one size; they may differ in N.
    """
    from matplotlib.figure import Figure

    n_columns = max(len(row) for row in rows)
    height, width = rows[0].shape[-2:]
    canvas = np.ones((len(rows) * (height + 2), n_columns * (width + 2), 3), np.float32)
    for i, row in enumerate(rows):
        for j, image in enumerate(row):
            top, left = i * (height + 2) + 1, j * (width + 2) + 1
            pixels = (image.detach().cpu().clamp(-1, 1) + 1) / 2
            canvas[top : top + height, left : left + width] = pixels.permute(1, 2, 0).numpy()
    margin_left = 0.075 * max((len(label) for label in row_labels), default=0) + 0.05
    margin_top = 0.25 if column_labels else 0.03
    inches = np.array([canvas.shape[1], canvas.shape[0]]) * scale / GRID_DPI
    size = inches + [margin_left, margin_top]
    figure = Figure(figsize=tuple(size), dpi=GRID_DPI)
    axes = figure.add_axes((margin_left / size[0], 0, inches[0] / size[0], inches[1] / size[1]))
    axes.imshow(canvas, interpolation="nearest", aspect="auto")
    axes.set_frame_on(False)
    axes.set_yticks((height + 2) * (np.arange(len(row_labels)) + 0.5), row_labels, fontsize=8)
    axes.set_xticks((width + 2) * (np.arange(len(column_labels)) + 0.5), column_labels, fontsize=8)
    axes.tick_params(length=0, pad=2, top=False, bottom=False, labeltop=True, labelbottom=False)
    with replacing(path) as partial:
        figure.savefig(partial, format="png")
