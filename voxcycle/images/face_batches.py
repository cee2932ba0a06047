"""Batches whose one half the method draws itself, from all faces: for adaptive resampling."""

import torch
from torch.utils.data import Dataset

from voxcycle.images.image_set import ImageSet, draw_indices, step_seed
from voxcycle.methods.batches import FaceBatch


class FaceBatches(Dataset[FaceBatch]):
    """Endless batches.

    Args:
        faces: images to draw from.
        others: images that are none.
        batch_size: images per batch, an even number; half of them are faces.
        seed: of the order and of what the method draws.
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
        chosen = draw_indices(len(self.others), self.n, self.seed, index)
        others = self.others.images(chosen)
        return FaceBatch(self.faces, others, index, step_seed(self.seed, index))
