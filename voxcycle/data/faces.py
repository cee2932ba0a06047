"""Batches whose one half the method draws itself, from all faces: for adaptive resampling."""

from typing import NamedTuple

import torch
from torch import Tensor
from torch.utils.data import Dataset

from voxcycle.data.images import ImageSet, draw_indices, step_seed


class FaceBatch(NamedTuple):
    """What a step may draw from, and what it sees in any case.

    Attributes:
        faces: (N, C, H, W), all of them, 0 to 255: the same tensor in every step.
        others: (B, C, H, W) in [-1, 1].
        step: the batch's number.
        seed: of whatever a method draws in this step.
    """

    faces: Tensor
    others: Tensor
    step: int
    seed: int


class FaceBatches(Dataset[FaceBatch]):
    """Endless batches.

    Args:
        faces: images to draw from.
        others: images that are none.
        batch_size: images per batch, an even number; half of them are faces.
        seed: of the order and of what the method draws.
    """

    def __init__(self, faces: ImageSet, others: ImageSet, batch_size: int, seed: int) -> None:
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
        chosen = draw_indices(len(self.others), self.n, self.seed, index)
        others = self.others.images(chosen)
        return FaceBatch(self.faces, others, index, step_seed(self.seed, index))


def to_range(pixels: Tensor) -> Tensor:
    """Return images in [-1, 1] of pixels from 0 to 255."""
    return pixels.float() / 127.5 - 1
