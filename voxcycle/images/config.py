"""The configurations of the lecture's systems: every weight and switch, documented."""

from pathlib import Path
from typing import ClassVar, Literal

from pydantic import Field, PositiveInt, field_validator

from voxcycle.training.config import TrainingConfig


class SystemConfig(TrainingConfig):
    """What every system of the lecture needs to know; unknown keys are errors."""

    listing: ClassVar[str] = "voxcycle images train METHOD --settings"

    method: str = Field("", repr=False, description="the system's name: noted, not set")
    steps: int = Field(1_500, ge=1, description="iterations")
    batch_size: int = Field(128, ge=1, description="examples per iteration")
    lr: float = Field(1e-3, gt=0, description="learning rate")


class ImageConfig(SystemConfig):
    """What every system needs to know whose examples are read from files."""

    data: Path = Field(description="images: a folder, or a set in .npz")
    size: int | None = Field(
        None, ge=8, description="side that the middle square of a file is brought to; null: as is"
    )
    n_channels: Literal[1, 3] = Field(3, description="1 reads the images of a folder as grey")


class UnaveragedConfig(ImageConfig):
    """What the systems have in common that average no network."""

    # files of models and runs from before this was told name it
    ema_decay: float = Field(0.999, exclude=True, description="not used: nothing is averaged")

    @field_validator("ema_decay")
    @classmethod
    def _is_not_set(cls, value: float) -> float:
        if value != cls.model_fields["ema_decay"].default:
            raise ValueError("this method averages no network; leave it away")
        return value


class TranslationConfig(ImageConfig):
    """What pix2pix and CycleGAN share: two domains and a discriminator."""

    data: Path = Field(description="folder with the domains trainA and trainB, folders or .npz")
    batch_size: int = Field(8, ge=1, description="images of each domain per iteration")
    lr: float = Field(2e-4, gt=0, description="learning rate")
    betas: tuple[float, float] = Field((0.5, 0.999), description="of Adam")
    ema_decay: float = Field(0.995, ge=0, lt=1, description="of the averaged generators")
    flips: bool = Field(False, description="mirror every second batch, drawn at random")
    width: int = Field(32, ge=1, description="channels of the generator's first layer")
    discriminator_widths: tuple[PositiveInt, ...] = Field(
        (32, 64, 128), min_length=2, description="PatchGAN channels; all but the last halve"
    )
    adversarial: float = Field(1.0, ge=0, description="weight of the adversarial loss")


class RegularizedGANConfig(ImageConfig):
    """What Progressive GAN and StyleGAN have in common."""

    batch_size: int = Field(
        16, ge=4, multiple_of=4, description="images per iteration; a multiple of four"
    )
    lr: float = Field(2e-3, gt=0, description="learning rate")
    width: int = Field(16, ge=1, description="channels at full size, doubled at each stage below")
    max_width: int = Field(64, ge=1, description="channels at most")
    n_latent: int = Field(64, ge=1, description="width of the latent z")
    r1: float = Field(0.2, ge=0, description="gamma, weight of the R1 penalty")
    r1_every: int = Field(16, ge=1, description="steps between updates with R1")
    ema_decay: float = Field(0.995, ge=0, lt=1, description="of the averaged generator")
