"""Sets of images, from arrays or folders, and batches of them.

Batch i is a function of the seed and i alone, as for speech, so a resumed training sees the batches
that an uninterrupted one would have seen.
"""

import json
import zlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from zipfile import BadZipFile

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.utils.data import Dataset

from voxcycle.console import late_progress
from voxcycle.files import replacing
from voxcycle.images import celeba
from voxcycle.images.labels import name_values
from voxcycle.methods.batches import ImageBatch, PairBatch

SUFFIXES = {".png", ".jpg", ".jpeg", ".webp", ".bmp", ".gif"}


@dataclass(frozen=True)
class ImageSet:
    """Images and what is known of them.

    Attributes:
        pixels: (N, C, H, W), 0 to 255.
        labels: (N, n_factors), the value of every factor of every image; -1 where unknown.
        factors: their names.
        value_names: of a factor's values 0, 1, ...; of those factors where they are known.
    """

    pixels: NDArray[np.uint8]
    labels: NDArray[np.int64]
    factors: tuple[str, ...]
    value_names: Mapping[str, tuple[str, ...]] = field(default_factory=dict)

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
        size: height and width to bring the images of a folder to: the largest square in the
            middle, scaled. None takes them as they are; they must then have one size. Those of a
            `.npz` are not scaled.
        n_channels: 3, or 1 for grey; of the images of a folder.

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
        except (
            ValueError,
            KeyError,
            TypeError,
            AttributeError,
            OSError,
            EOFError,
            BadZipFile,
            zlib.error,
        ) as error:
            raise ValueError(f"{path}: not a set of images in .npz ({error})") from error
        if size is not None and images.pixels.shape[2:] != (size, size):
            raise ValueError(f"{path}: sets in .npz are not scaled; leave size={size} away")
        return images
    if not path.is_dir():
        raise ValueError(f"{path}: no such folder of images, nor a set of them in .npz")
    if (path / celeba.LABELS).is_file():
        files, labels, factors = celeba.list_celeba(path)
        return ImageSet(_read_all(files, size, n_channels), labels, factors)
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


def read_image(
    path: Path, size: tuple[int, int] | None = None, n_channels: int = 3
) -> NDArray[np.uint8]:
    """Return an image (C, H, W), upright; transparency is laid on white.

    Args:
        path: in any format that Pillow reads, 8 or 16 bits deep.
        size: height and width; what is kept is the largest part of this form in the middle.
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


def list_images(path: Path, without: Path | None = None) -> list[Path]:
    """Return the image files under a folder, sorted; ValueError where there are none.

    Hidden files are left out, and those in a folder `without` that lies inside.
    """
    root, left_out = path.resolve(), without.resolve() if without else None
    files = sorted(
        file
        for file in path.rglob("*")
        if file.suffix.lower() in SUFFIXES
        and not file.name.startswith(".")
        and not (
            left_out
            and left_out != root
            and left_out.is_relative_to(root)
            and file.resolve().is_relative_to(left_out)
        )
    )
    if not files:
        raise ValueError(f"{path}: no images; {', '.join(sorted(SUFFIXES))} are read")
    return files


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


class ImageBatches(Dataset[ImageBatch]):
    """Endless batches: epochs in random order.

    Args:
        images: the set.
        batch_size: images per batch.
        seed: of the order and of what the method draws.
    """

    def __init__(self, images: ImageSet, batch_size: int, seed: int) -> None:
        if len(images) < batch_size:
            raise ValueError(f"{len(images)} images are fewer than batch_size={batch_size}")
        self.images = images
        self.batch_size = batch_size
        self.seed = seed

    def __getitem__(self, index: int) -> ImageBatch:
        chosen = draw_indices(len(self.images), self.batch_size, self.seed, index)
        labels = torch.from_numpy(self.images.labels[chosen])
        return ImageBatch(self.images.images(chosen), labels, index, step_seed(self.seed, index))


def step_seed(seed: int, index: int) -> int:
    """Return the seed of what is drawn in a step."""
    return int(np.random.default_rng([seed, index, 1]).integers(2**62))


def draw_indices(n: int, batch_size: int, seed: int, index: int) -> NDArray[np.int64]:
    """Return which of n examples batch `index` has; every epoch is a new order without rest."""
    epoch, place = divmod(index, n // batch_size)
    order = np.random.default_rng([seed, epoch]).permutation(n)
    return order[place * batch_size : (place + 1) * batch_size]


class PairBatches(Dataset[PairBatch]):
    """Endless batches of two domains.

    Args:
        a: images of domain a.
        b: images of domain b.
        batch_size: images per batch and domain.
        seed: of the order.
        is_paired: whether image i of a belongs to image i of b, and stays with it.
        flips: whether half of the batches are mirrored.
    """

    def __init__(
        self,
        a: ImageSet,
        b: ImageSet,
        batch_size: int,
        seed: int,
        is_paired: bool,
        flips: bool = False,
    ) -> None:
        if is_paired and len(a) != len(b):
            raise ValueError(f"{len(a)} images of a and {len(b)} of b cannot be pairs")
        for name, images in (("a", a), ("b", b)):
            if len(images) < batch_size:
                raise ValueError(
                    f"domain {name}: {len(images)} images are fewer than batch_size={batch_size}"
                )
        self.a, self.b = a, b
        self.batch_size = batch_size
        self.seed = seed
        self.is_paired = is_paired
        self.flips = flips

    def __getitem__(self, index: int) -> PairBatch:
        chosen_a = draw_indices(len(self.a), self.batch_size, self.seed, index)
        other = chosen_a
        if not self.is_paired:
            other = draw_indices(len(self.b), self.batch_size, self.seed + 1, index)
        a, b = self.a.images(chosen_a), self.b.images(other)
        if self.flips and step_seed(self.seed, index) % 2:
            a, b = a.flip(-1), b.flip(-1)
        return PairBatch(a, b)
