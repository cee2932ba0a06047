"""The classifier of every factor, which evaluates the other systems (`methods/classifier.py`)."""

from collections.abc import Sequence

from pydantic import Field
from torch import nn

from voxcycle.images.image_set import load_images
from voxcycle.images.systems.system import (
    ImageData,
    System,
    UnaveragedConfig,
    gather,
    read_factor,
)
from voxcycle.methods.classifier import ClassifierTraining
from voxcycle.models.coders import Classifier, Shape


class ClassifierConfig(UnaveragedConfig):
    """Settings of the classifier."""

    width: int = Field(32, ge=1, description="channels of the first convolution")


def _load(config: ClassifierConfig) -> ImageData:
    images = load_images(config.data, config.size, config.n_channels)
    if not images.factors:
        raise ValueError(f"{config.data}: no labels to learn; sort the images into subfolders")
    for name in images.factors:
        read_factor(images, name, config)
    return gather(images, config)


def _build(config: ClassifierConfig, shape: Shape, n_values: Sequence[int]) -> nn.Module:
    return ClassifierTraining(Classifier(shape, [*n_values, 2], config.width), config.lr)


SYSTEM = System(
    "predicts every factor of an image, and so evaluates the other systems",
    ClassifierConfig,
    _build,
    _load,
)
