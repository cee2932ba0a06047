"""Settings that the lecture's systems share. A system is its settings: they read data and build."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, ClassVar, Literal

import numpy as np
from numpy.typing import NDArray
from pydantic import Field, field_validator
from torch import nn
from torch.utils.data import Dataset

from voxcycle.images.batches import ImageBatches
from voxcycle.images.image_set import ImageSet, load_images
from voxcycle.models.coders import Shape
from voxcycle.training.config import TrainingConfig


@dataclass(frozen=True)
class ImageData:
    """The data of a training, and what its networks must know about them."""

    batches: Dataset[Any]  # batch i for step i
    shape: Shape
    n_values: tuple[int, ...] = ()  # of each factor of the labels
    value_names: Mapping[str, tuple[str, ...]] = field(default_factory=dict)  # where they are known


class SystemConfig(TrainingConfig):
    """Settings of every system; unknown keys are errors."""

    listing: ClassVar[str] = "voxcycle images train METHOD --settings"
    about: ClassVar[str]  # the system, in one line

    method: str = Field("", repr=False, description="the system's name: noted, not set")
    steps: int = Field(1_500, ge=1, description="iterations")
    batch_size: int = Field(128, ge=1, description="examples per iteration")
    lr: float = Field(1e-3, gt=0, description="learning rate")

    def load(self) -> ImageData:
        """Make the batches; ValueError where the data do not suffice."""
        raise NotImplementedError

    def build(self, shape: Shape, n_values: Sequence[int]) -> nn.Module:
        """Build the method for images of a shape and factors with these numbers of values."""
        raise NotImplementedError


class ImageConfig(SystemConfig):
    """Settings of every system that reads its examples from files."""

    data: Path = Field(description="images: a folder, or a set in .npz")
    size: int | None = Field(
        None, ge=8, description="side to scale the middle square of a file to; null: as is"
    )
    n_channels: Literal[1, 3] = Field(3, description="1 reads the images of a folder as grey")

    def load(self) -> ImageData:
        """Read the images as batches, for systems that need nothing else."""
        return self.gather(self.load_images())

    def load_images(self) -> ImageSet:
        """Read the images."""
        return load_images(self.data, self.size, self.n_channels)

    def gather(self, images: ImageSet) -> ImageData:
        """Return batches of images, and the number of values of each factor."""
        n_values = tuple(int(column.max()) + 1 for column in images.labels.T)
        batches = ImageBatches(images, self.batch_size, self.seed)
        return ImageData(batches, images.shape, n_values, images.value_names)

    def read_factor(self, images: ImageSet, name: str) -> NDArray[np.int64]:
        """Return the labels (N,) of a factor; ValueError where an image has none."""
        labels = images.factor(name)
        if (labels < 0).any():
            raise ValueError(f"{self.data}: not every image has a {name}")
        return labels


class UnaveragedConfig(ImageConfig):
    """Settings of every system that averages no network."""

    # configs of earlier runs name it
    ema_decay: float = Field(0.999, exclude=True, description="not used: nothing is averaged")

    @field_validator("ema_decay")
    @classmethod
    def _is_not_set(cls, value: float) -> float:
        if value != cls.model_fields["ema_decay"].default:
            raise ValueError("this method averages no network; remove this setting")
        return value
