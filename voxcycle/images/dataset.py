"""Data of the systems: batches of examples, and what a network must know of them."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray
from torch.utils.data import Dataset

from voxcycle.images.config import ImageConfig, TranslationConfig
from voxcycle.images.image_set import (
    ImageBatches,
    ImageSet,
    PairBatches,
    load_domains,
    load_images,
)
from voxcycle.models.coders import Shape


@dataclass(frozen=True)
class ImageData:
    """Data of a training.

    Attributes:
        batches: batch i for step i.
        shape: channels, height and width of the images.
        n_values: how many values each factor of the labels has.
        value_names: their names, of those factors where they are known.
    """

    batches: Dataset[Any]
    shape: Shape
    n_values: tuple[int, ...] = ()
    value_names: Mapping[str, tuple[str, ...]] = field(default_factory=dict)


def load_set(config: ImageConfig) -> ImageData:
    """Read the images, for systems that see nothing else."""
    return gather(load_images(config.data, config.size, config.n_channels), config)


def gather(images: ImageSet, config: ImageConfig) -> ImageData:
    """Return batches of images with their labels."""
    n_values = tuple(int(column.max()) + 1 for column in images.labels.T)
    batches = ImageBatches(images, config.batch_size, config.seed)
    return ImageData(batches, images.shape, n_values, images.value_names)


def read_factor(images: ImageSet, name: str, config: ImageConfig) -> NDArray[np.int64]:
    """Return a factor's values; ValueError where an image has none."""
    values = images.factor(name)
    if (values < 0).any():
        raise ValueError(f"{config.data}: not every image has a {name}")
    return values


def load_translation(config: TranslationConfig, is_paired: bool) -> ImageData:
    """Read two domains; ValueError where their images differ in shape."""
    a, b = load_domains(config.data, "train", config.size, config.n_channels)
    if a.shape != b.shape:
        raise ValueError(
            f"{config.data}: trainA has images of the shape {a.shape}, trainB {b.shape}; set size"
        )
    batches = PairBatches(
        a, b, config.batch_size, config.seed, is_paired=is_paired, flips=config.flips
    )
    return ImageData(batches, a.shape)
