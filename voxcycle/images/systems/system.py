"""What a system of the lecture is, and what several share."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

from torch import nn

from voxcycle.images.config import SystemConfig, TranslationConfig
from voxcycle.images.dataset import ImageData
from voxcycle.models.coders import Shape
from voxcycle.models.patchgan import PatchGAN


@dataclass(frozen=True)
class System:
    """One system of the lecture.

    Attributes:
        about: what it is, in a line.
        config: its settings.
        build: makes the method from settings, image shape and the factors' numbers of values.
        load: makes the batches.
    """

    about: str
    config: type[SystemConfig]
    build: Callable[[Any, Shape, Sequence[int]], nn.Module]
    load: Callable[[Any], ImageData]


def build_discriminator(config: TranslationConfig, shape: Shape, n_channels: int) -> PatchGAN:
    """Build a PatchGAN; ValueError where the images are too small for it."""
    n_halvings = len(config.discriminator_widths) - 1
    if min(shape[1:]) < 1 << n_halvings:
        raise ValueError(
            f"discriminator_widths: {n_halvings} halvings of {shape[2]} x {shape[1]} pixels are "
            f"too many: at most {min(shape[1:]).bit_length()} widths, or larger images"
        )
    return PatchGAN(n_channels, config.discriminator_widths)
