"""The lists that CelebA comes with: what its images show, and which are to train on."""

from pathlib import Path
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

LABELS = "list_attr_celeba.txt"
PARTS = "list_eval_partition.txt"
IMAGES = "img_align_celeba"
TRAIN = "0"  # the part to train on; 1 is for validation, 2 for tests


class Listing(NamedTuple):
    """Files, the value of every factor (N, n_factors), 0 or 1, and the factors' names."""

    files: list[Path]
    labels: NDArray[np.int64]
    factors: tuple[str, ...]


def list_celeba(path: Path) -> Listing:
    """Read the lists in a folder: all images, or those to train on where it is said which.

    Raises:
        ValueError: a list is torn, or there are no images.
    """
    listing = path / LABELS
    lines = listing.read_text(encoding="utf-8").splitlines()[1:]  # the first is how many there are
    factors, *rows = [line.split() for line in lines if line.strip()] or [[]]
    for row in rows:
        if len(row) != 1 + len(factors) or not {*row[1:]} <= {"-1", "1"}:
            raise ValueError(f"{listing}: {row[0]} has not one -1 or 1 for each of the factors")
    if not rows:
        raise ValueError(f"{listing}: no images; a line of factors and one per image are wanted")
    parts = path / PARTS
    if parts.is_file():
        train = _list_train(parts)
        rows = [row for row in rows if row[0] in train]
        if not rows:
            raise ValueError(f"{parts}: no image of {LABELS} is in part {TRAIN}, to train on")
    files = [path / IMAGES / row[0] for row in rows]
    labels = np.array([[value == "1" for value in row[1:]] for row in rows], np.int64)
    return Listing(files, labels, tuple(factors))


def _list_train(parts: Path) -> set[str]:
    rows = [line.split() for line in parts.read_text(encoding="utf-8").splitlines() if line.strip()]
    for row in rows:
        if len(row) != 2 or row[1] not in {"0", "1", "2"}:
            raise ValueError(f"{parts}: {row[0]} has not one part, 0, 1 or 2")
    return {name for name, part in rows if part == TRAIN}
