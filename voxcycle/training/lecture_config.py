"""The configurations of the lecture's systems: every weight and switch, documented."""

from pathlib import Path
from typing import ClassVar, Literal

from pydantic import Field

from voxcycle.training.config import TrainingConfig


class SystemConfig(TrainingConfig):
    """What every system of the lecture needs to know; unknown keys are errors."""

    listing: ClassVar[str] = "voxcycle lecture train METHOD --settings"

    steps: int = Field(1_500, ge=1, description="iterations")
    batch_size: int = Field(128, ge=1, description="examples per iteration")
    rate: float = Field(1e-3, gt=0, description="learning rate")


class LectureConfig(SystemConfig):
    """What every system needs to know whose examples are read from files."""

    data: Path = Field(description="images: a folder, or a set in .npz")
    size: int | None = Field(
        None, ge=8, description="side that the images of a folder are brought to; null: as is"
    )
    n_channels: Literal[1, 3] = Field(3, description="1 reads the images of a folder as grey")


class AutoencoderConfig(LectureConfig):
    """Of `methods/autoencoder.py`."""

    network: Literal["mlp", "conv"] = Field("mlp", description="kind of encoder and decoder")
    width: int = Field(400, ge=1, description="hidden units; channels of the first convolution")
    n_latent: int = Field(16, ge=1, description="width of the code")


class VAEConfig(AutoencoderConfig):
    """Of `methods/vae.py`."""

    beta: float = Field(1.0, ge=0, description="weight of the KL term; above 1 it is a beta-VAE")


class ClassifierConfig(LectureConfig):
    """Of `methods/classifier.py`."""

    width: int = Field(32, ge=1, description="channels of the first convolution")


class GANConfig(LectureConfig):
    """Of `methods/gan.py` for images."""

    batch_size: int = Field(64, ge=1, description="images per iteration")
    rate: float = Field(2e-4, gt=0, description="learning rate")
    ema_decay: float = Field(0.999, ge=0, lt=1, description="of the averaged generator")
    width: int = Field(32, ge=1, description="channels of the layers next to the image")
    n_latent: int = Field(64, ge=1, description="width of the noise")
    condition: str | None = Field(
        None, description="factor of the labels that both players are told; null for none"
    )


class RingGANConfig(SystemConfig):
    """Of `methods/gan.py` for eight clusters of points."""

    batch_size: int = Field(256, ge=1, description="points per iteration")
    ema_decay: float = Field(0.999, ge=0, lt=1, description="of the averaged generator")
    width: int = Field(128, ge=1, description="units of each hidden layer")
    n_latent: int = Field(16, ge=1, description="width of the noise")
    deviation: float = Field(0.1, gt=0, description="standard deviation of a cluster")
    saturates: bool = Field(
        False, description="minimise the min-max value rather than its non-saturating twin"
    )


class RegularizedGANConfig(LectureConfig):
    """What Progressive GAN and StyleGAN have in common."""

    batch_size: int = Field(16, ge=1, description="images per iteration; a multiple of four")
    rate: float = Field(2e-3, gt=0, description="learning rate")
    width: int = Field(16, ge=1, description="channels at full size, doubled at each stage below")
    max_width: int = Field(64, ge=1, description="channels at most")
    n_latent: int = Field(64, ge=1, description="width of the latent z")
    r1: float = Field(0.2, ge=0, description="gamma, weight of the R1 penalty")
    r1_every: int = Field(16, ge=1, description="steps between updates with R1")
    ema_decay: float = Field(0.995, ge=0, lt=1, description="of the averaged generator")


class ProgressiveGANConfig(RegularizedGANConfig):
    """Of `methods/progressive_gan.py`."""

    is_growing: bool = Field(True, description="begin at the smallest size; false: at full size")
    fade_steps: int = Field(400, ge=1, description="steps in which a stage fades in")
    stable_steps: int = Field(400, ge=1, description="steps of a stage before the next fades in")


class StyleGANConfig(RegularizedGANConfig):
    """Of `methods/stylegan.py`."""

    n_mapping: int = Field(2, ge=1, description="layers of the mapping network")
    mixing: float = Field(0.9, ge=0, le=1, description="share of images with two latents' styles")
    path_length: float = Field(2.0, ge=0, description="weight of the path length penalty")
    path_length_every: int = Field(8, ge=1, description="steps between updates with it")
