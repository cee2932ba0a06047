"""The classifier of every factor, which evaluates the other systems (`methods/classifier.py`)."""

from collections.abc import Sequence
from typing import ClassVar

from pydantic import Field
from torch import nn

from voxcycle.images.systems.system import ImageData, UnaveragedConfig
from voxcycle.methods.classifier import ClassifierTraining
from voxcycle.models.coders import Classifier, Shape


class ClassifierConfig(UnaveragedConfig):
    """Settings of the classifier."""

    about: ClassVar[str] = "predicts every factor of an image, and so evaluates the other systems"

    width: int = Field(32, ge=1, description="channels of the first convolution")

    def load(self) -> ImageData:
        """Read the images; ValueError where one lacks a label."""
        images = self.load_images()
        if not images.factors:
            raise ValueError(f"{self.data}: no labels to learn; sort the images into subfolders")
        for name in images.factors:
            self.read_factor(images, name)
        return self.gather(images)

    def build(self, shape: Shape, n_values: Sequence[int]) -> nn.Module:
        """Build a classifier with one more head, for noise."""
        return ClassifierTraining(Classifier(shape, [*n_values, 2], self.width), self.lr)
