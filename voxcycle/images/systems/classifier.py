"""The classifier: finds every factor of an image; the metric for the other systems' pictures."""

from collections.abc import Sequence

from pydantic import Field
from torch import nn

from voxcycle.images.config import UnaveragedConfig
from voxcycle.images.dataset import ImageData, gather, read_factor
from voxcycle.images.image_set import load_images
from voxcycle.images.systems.system import System
from voxcycle.methods.classifier import ClassifierTraining
from voxcycle.models.coders import Shape
from voxcycle.models.factor_classifier import Classifier


class ClassifierConfig(UnaveragedConfig):
    """Of `methods/classifier.py`."""

    width: int = Field(32, ge=1, description="channels of the first convolution")


def build(config: ClassifierConfig, shape: Shape, n_values: Sequence[int]) -> nn.Module:
    """Build the method."""
    return ClassifierTraining(Classifier(shape, [*n_values, 2], config.width), config.lr)


def load(config: ClassifierConfig) -> ImageData:
    """Read images whose factors are all known; ValueError where one is not."""
    images = load_images(config.data, config.size, config.n_channels)
    if not images.factors:
        raise ValueError(f"{config.data}: no labels to tell; sort the images into subfolders")
    for name in images.factors:
        read_factor(images, name, config)
    return gather(images, config)


SYSTEM = System(
    "finds every factor of an image; scores the pictures of the other systems",
    ClassifierConfig,
    build,
    load,
)
