"""Batches of images; batch i depends on the seed and i alone.

A resumed training therefore sees the batches that an uninterrupted one would have seen.
"""

import numpy as np
import torch
from numpy.typing import NDArray
from torch.utils.data import Dataset

from voxcycle.images.image_set import ImageSet
from voxcycle.methods.batches import FaceBatch, ImageBatch, PairBatch


def step_seed(seed: int, index: int) -> int:
    """Return the seed of what is drawn in a step."""
    return int(np.random.default_rng([seed, index, 1]).integers(2**62))


def draw_indices(n: int, batch_size: int, seed: int, index: int) -> NDArray[np.int64]:
    """Return which of n examples batch `index` has; every epoch is a new order without rest."""
    epoch, place = divmod(index, n // batch_size)
    order = np.random.default_rng([seed, epoch]).permutation(n)
    return order[place * batch_size : (place + 1) * batch_size]


class ImageBatches(Dataset[ImageBatch]):
    """Endless batches: epochs in random order. The seed is also that of the method's draws."""

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


class PairBatches(Dataset[PairBatch]):
    """Endless batches of two domains, `batch_size` images of each.

    Args:
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
        chosen = other = draw_indices(len(self.a), self.batch_size, self.seed, index)
        if not self.is_paired:
            other = draw_indices(len(self.b), self.batch_size, self.seed + 1, index)
        a, b = self.a.images(chosen), self.b.images(other)
        if self.flips and step_seed(self.seed, index) % 2:
            a, b = a.flip(-1), b.flip(-1)
        return PairBatch(a, b)


class FaceBatches(Dataset[FaceBatch]):
    """Endless batches of faces to draw from, and of other images.

    `batch_size` is even: half of a batch are faces. The seed is also that of the method's draws.
    """

    def __init__(self, faces: ImageSet, others: ImageSet, batch_size: int, seed: int) -> None:
        if batch_size % 2:
            raise ValueError(f"batch_size={batch_size} is odd, but half of a batch are faces")
        for name, images in (("faces", faces), ("other images", others)):
            if len(images) < batch_size // 2:
                raise ValueError(
                    f"{len(images)} {name} are fewer than half of batch_size={batch_size}"
                )
        self.faces = torch.from_numpy(faces.pixels)
        self.others = others
        self.n = batch_size // 2
        self.seed = seed

    def __getitem__(self, index: int) -> FaceBatch:
        others = self.others.images(draw_indices(len(self.others), self.n, self.seed, index))
        return FaceBatch(self.faces, others, index, step_seed(self.seed, index))
