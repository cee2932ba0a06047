"""Sets of images with labels, read from `.npz` files, CelebA or any folder of images."""

import json
import zlib
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from zipfile import BadZipFile

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from voxcycle.console import late_progress
from voxcycle.files import replacing
from voxcycle.images.image_files import list_images, read_image

CELEBA_LABELS = "list_attr_celeba.txt"
CELEBA_PARTS = "list_eval_partition.txt"
CELEBA_IMAGES = "img_align_celeba"
CELEBA_TRAIN = "0"  # the part to train on; 1 is for validation, 2 for tests
# What numpy, zipfile and json raise on a torn or foreign file
NPZ_ERRORS = (ValueError, LookupError, TypeError, AttributeError, OSError, EOFError, BadZipFile)


@dataclass(frozen=True)
class ImageSet:
    """Images, the values of their factors, and the names of factors and values."""

    pixels: NDArray[np.uint8]  # (N, C, H, W), 0 to 255
    labels: NDArray[np.int64]  # (N, n_factors); -1 where unknown
    factors: tuple[str, ...]
    value_names: Mapping[str, tuple[str, ...]] = field(default_factory=dict)  # where they are known

    def __len__(self) -> int:
        return len(self.pixels)

    @property
    def shape(self) -> tuple[int, int, int]:
        """Channels, height and width."""
        _, c, h, w = self.pixels.shape
        return c, h, w

    def images(self, indices: Sequence[int] | NDArray[np.int64] | slice = slice(None)) -> Tensor:
        """Return images (B, C, H, W) in [-1, 1]."""
        return torch.from_numpy(self.pixels[indices].astype(np.float32) / 127.5 - 1)

    def subset(self, indices: NDArray[np.int64] | NDArray[np.bool_]) -> "ImageSet":
        """Return some of the images."""
        return replace(self, pixels=self.pixels[indices], labels=self.labels[indices])

    def select(self, factors: Sequence[str]) -> "ImageSet":
        """Return the images with some of the factors; ValueError where one is unknown."""
        columns = np.array([self.factor(name) for name in factors], np.int64)
        names = {key: self.value_names[key] for key in factors if key in self.value_names}
        return ImageSet(self.pixels, columns.reshape(-1, len(self)).T, tuple(factors), names)

    def factor(self, name: str) -> NDArray[np.int64]:
        """Return the values (N,) of a factor; ValueError names those that there are."""
        if name not in self.factors:
            raise ValueError(f"no factor {name!r}: known are {', '.join(self.factors) or 'none'}")
        return self.labels[:, self.factors.index(name)]

    def values(self, name: str) -> dict[int, str]:
        """Return the values of a factor that occur, with their names."""
        found = np.unique(self.factor(name)).tolist()
        return name_values(found, self.value_names.get(name, ()))

    def save(self, path: Path) -> None:
        """Write the set as one compressed `.npz`, renamed when whole."""
        with replacing(path) as partial, partial.open("wb") as stream:
            np.savez_compressed(
                stream,
                pixels=self.pixels,
                labels=self.labels,
                factors=np.array(self.factors, dtype=str),
                value_names=json.dumps(dict(self.value_names)),
            )


def load_images(path: Path, size: int | None = None, n_channels: int = 3) -> ImageSet:
    """Read a set of images.

    Args:
        path: a `.npz` of `ImageSet.save`; a folder as CelebA comes (`img_align_celeba` and
            `list_attr_celeba.txt`, -1 and 1 become 0 and 1; with `list_eval_partition.txt` only the
            images to train on); or any folder of images, whose subfolders, if there are any, are
            the values of the one factor "class", numbered by name.
        size: of a folder's images, whose largest centred square is scaled to it. None: as they
            are, if they have one size.
        n_channels: of a folder's images: 3, or 1 for grey.

    Raises:
        ValueError: there are no images, one cannot be read, or their sizes differ; or a file is no
            such set.
    """
    if path.is_file():
        try:
            with np.load(path, allow_pickle=False) as stored:
                factors = tuple(str(name) for name in stored["factors"])
                named = json.loads(str(stored["value_names"])) if "value_names" in stored else {}
                names = {str(name): tuple(map(str, values)) for name, values in named.items()}
                images = _check(ImageSet(stored["pixels"], stored["labels"], factors, names))
        except (*NPZ_ERRORS, zlib.error) as error:
            raise ValueError(f"{path}: not a set of images in .npz ({error})") from error
        if size is not None and images.pixels.shape[2:] != (size, size):
            raise ValueError(f"{path}: sets in .npz are not scaled; remove size={size}")
        return images
    if not path.is_dir():
        raise ValueError(f"{path}: no such folder of images, nor a set of them in .npz")
    if (path / CELEBA_LABELS).is_file():
        return _load_celeba(path, size, n_channels)
    files = list_images(path)
    pixels = _read_all(files, size, n_channels)
    folders = [file.parent.relative_to(path).as_posix() for file in files]
    values = sorted(set(folders))
    if len(values) == 1:
        return ImageSet(pixels, np.zeros((len(files), 0), np.int64), ())
    labels = np.array([[values.index(folder)] for folder in folders], np.int64)
    return ImageSet(pixels, labels, ("class",), {"class": tuple(values)})


def load_domains(
    path: Path, split: str = "train", size: int | None = None, n_channels: int = 3
) -> tuple[ImageSet, ImageSet]:
    """Read two domains in the layout of horse2zebra: `trainA`, `trainB`, `testA`, `testB`.

    Each is a folder of images, or a set of them in `trainA.npz` and so on.
    """
    a, b = (_find_domain(path, f"{split}{side}") for side in "AB")
    return load_images(a, size, n_channels), load_images(b, size, n_channels)


def _find_domain(path: Path, name: str) -> Path:
    for found in (path / name, path / f"{name}.npz"):
        if found.exists():
            return found
    raise ValueError(f"{path}: has no {name}; two domains are the folders trainA and trainB")


def _check(images: ImageSet) -> ImageSet:
    pixels, labels, n = images.pixels, images.labels, len(images.factors)
    if pixels.dtype != np.uint8 or pixels.ndim != 4 or pixels.shape[1] not in (1, 3):
        raise ValueError(
            f"pixels are {pixels.dtype} {pixels.shape}, not uint8 (N, 1 or 3, height, width)"
        )
    if not len(pixels):
        raise ValueError("there are no images in it")
    if labels.dtype.kind not in "iu" or labels.shape != (len(pixels), n):
        raise ValueError(
            f"labels are {labels.dtype} {labels.shape}, not whole numbers ({len(pixels)}, {n})"
        )
    for name, names in images.value_names.items():
        if images.factor(name).max() >= len(names):
            raise ValueError(f"the factor {name} has more values than names ({', '.join(names)})")
    return replace(images, labels=labels.astype(np.int64))


def _read_all(files: Sequence[Path], size: int | None, n_channels: int) -> NDArray[np.uint8]:
    square = None if size is None else (size, size)
    shape = read_image(files[0], square, n_channels).shape
    pixels = np.empty((len(files), *shape), np.uint8)
    with late_progress("reading images", len(files)) as advance:
        for place, file in zip(pixels, files, strict=True):
            image = read_image(file, square, n_channels)
            if image.shape != shape:
                raise ValueError(
                    f"{file}: {image.shape[2]} x {image.shape[1]} pixels, unlike {files[0].name}; "
                    "name a size for all"
                )
            place[:] = image
            advance()
    return pixels


def _load_celeba(path: Path, size: int | None, n_channels: int) -> ImageSet:
    listing = path / CELEBA_LABELS
    lines = listing.read_text(encoding="utf-8").splitlines()[1:]  # the first is how many there are
    factors, *rows = [line.split() for line in lines if line.strip()] or [[]]
    for row in rows:
        if len(row) != 1 + len(factors) or not {*row[1:]} <= {"-1", "1"}:
            raise ValueError(f"{listing}: {row[0]} has not one -1 or 1 for each of the factors")
    if not rows:
        raise ValueError(f"{listing}: no images; a line of factors and one per image are wanted")
    parts = path / CELEBA_PARTS
    if parts.is_file():
        lines = parts.read_text(encoding="utf-8").splitlines()
        pairs = [line.split() for line in lines if line.strip()]
        for pair in pairs:
            if len(pair) != 2 or pair[1] not in {"0", "1", "2"}:
                raise ValueError(f"{parts}: {pair[0]} has not one part, 0, 1 or 2")
        train = {name for name, part in pairs if part == CELEBA_TRAIN}
        rows = [row for row in rows if row[0] in train]
        if not rows:
            raise ValueError(
                f"{parts}: no image of {CELEBA_LABELS} is in part {CELEBA_TRAIN}, to train on"
            )
    files = [path / CELEBA_IMAGES / row[0] for row in rows]
    labels = np.array([[value == "1" for value in row[1:]] for row in rows], np.int64)
    return ImageSet(_read_all(files, size, n_channels), labels, tuple(factors))


def name_values(values: Iterable[int], names: Sequence[str]) -> dict[int, str]:
    """Return values with their names; where there are none, they are called by their numbers."""
    return {value: names[value] if names else str(value) for value in values}


def find_value(which: int | str, values: Mapping[int, str]) -> int:
    """Return the value of a name or, where no name is like that, of a number.

    Raises:
        ValueError: there is neither; it names those that there are.
    """
    numbers = {str(value): value for value in values}
    names = {name: value for value, name in values.items()}
    found = (numbers | names).get(str(which))
    if found is None:
        raise ValueError(f"no {which!r}: there are {', '.join(names)}")
    return found
