"""What the systems of the lecture see: batches of examples, and what is known of them."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray
from torch.utils.data import Dataset

from voxcycle.images.config import (
    ClassifierConfig,
    DebiasingVAEConfig,
    GANConfig,
    LectureConfig,
    Pix2PixConfig,
    RingGANConfig,
    TranslationConfig,
)
from voxcycle.images.face_batches import FaceBatches
from voxcycle.images.image_set import (
    ImageBatches,
    ImageSet,
    PairBatches,
    load_domains,
    load_images,
)
from voxcycle.images.labels import find_value
from voxcycle.images.ring import POINT, RingBatches
from voxcycle.models.coders import Shape


@dataclass(frozen=True)
class Material:
    """What a training sees, and what a network must know of it.

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


def load_set(config: LectureConfig) -> Material:
    """Read the images, for systems that see nothing else."""
    return _gather(load_images(config.data, config.size, config.n_channels), config)


def _gather(images: ImageSet, config: LectureConfig) -> Material:
    n_values = tuple(int(column.max()) + 1 for column in images.labels.T)
    batches = ImageBatches(images, config.batch_size, config.seed)
    return Material(batches, images.shape, n_values, images.value_names)


def _known_factor(images: ImageSet, name: str, config: LectureConfig) -> NDArray[np.int64]:
    values = images.factor(name)
    if (values < 0).any():
        raise ValueError(f"{config.data}: not every image has a {name}")
    return values


def load_labelled(config: ClassifierConfig) -> Material:
    """Read images whose factors are all known; ValueError where one is not."""
    images = load_images(config.data, config.size, config.n_channels)
    if not images.factors:
        raise ValueError(f"{config.data}: no labels to tell; sort the images into subfolders")
    for name in images.factors:
        _known_factor(images, name, config)
    return _gather(images, config)


def load_faces(config: DebiasingVAEConfig) -> Material:
    """Read faces and the rest; ValueError where it is not said which is which."""
    images = load_images(config.data, config.size, config.n_channels)
    is_face = _known_factor(images, config.face, config) == _face_value(images, config)
    faces, others = images.subset(is_face), images.subset(~is_face)
    return Material(FaceBatches(faces, others, config.batch_size, config.seed), images.shape)


def _face_value(images: ImageSet, config: DebiasingVAEConfig) -> int:
    values = images.values(config.face)
    if len(values) != 2:
        raise ValueError(
            f"{config.data}: {config.face} has the values {', '.join(values.values())}; "
            "faces and the rest are two"
        )
    which = config.face_value
    if which is None and config.face in images.value_names:
        raise ValueError(
            f"{config.data}: say which are the faces, face_value={' or '.join(values.values())}"
        )
    try:
        return find_value(1 if which is None else which, values)
    except ValueError as error:
        raise ValueError(f"{config.data}: face_value: {error}") from None


def load_gan(config: GANConfig) -> Material:
    """Read images with the factor that both players are told, if any."""
    images = load_images(config.data, config.size, config.n_channels)
    told = () if config.condition is None else (config.condition,)
    for name in told:
        _known_factor(images, name, config)
    return _gather(images.select(told), config)


def load_ring(config: RingGANConfig) -> Material:
    """Draw points of eight clusters."""
    return Material(RingBatches(config.batch_size, config.seed, config.deviation), POINT)


def load_pair(config: TranslationConfig) -> Material:
    """Read two domains; ValueError where their images differ in shape."""
    a, b = load_domains(config.data, "train", config.size, config.n_channels)
    if a.shape != b.shape:
        raise ValueError(
            f"{config.data}: trainA has images of the shape {a.shape}, trainB {b.shape}; set size"
        )
    is_paired = isinstance(config, Pix2PixConfig)
    batches = PairBatches(a, b, config.batch_size, config.seed, is_paired, config.flips)
    return Material(batches, a.shape)
