"""The configurations of the lecture's systems: every weight and switch, documented."""

from pathlib import Path
from typing import ClassVar, Literal

from pydantic import Field, PositiveInt, field_validator

from voxcycle.methods.resampling import Rule
from voxcycle.training.config import TrainingConfig


class SystemConfig(TrainingConfig):
    """What every system of the lecture needs to know; unknown keys are errors."""

    listing: ClassVar[str] = "voxcycle images train METHOD --settings"

    method: str = Field("", repr=False, description="the system's name: noted, not set")
    steps: int = Field(1_500, ge=1, description="iterations")
    batch_size: int = Field(128, ge=1, description="examples per iteration")
    rate: float = Field(1e-3, gt=0, description="learning rate")


class LectureConfig(SystemConfig):
    """What every system needs to know whose examples are read from files."""

    data: Path = Field(description="images: a folder, or a set in .npz")
    size: int | None = Field(
        None, ge=8, description="side that the middle square of a file is brought to; null: as is"
    )
    n_channels: Literal[1, 3] = Field(3, description="1 reads the images of a folder as grey")


class UnaveragedConfig(LectureConfig):
    """What the systems have in common that average no network."""

    # files of models and runs from before this was told name it
    ema_decay: float = Field(0.999, exclude=True, description="not used: nothing is averaged")

    @field_validator("ema_decay")
    @classmethod
    def _is_not_set(cls, value: float) -> float:
        if value != cls.model_fields["ema_decay"].default:
            raise ValueError("this method averages no network; leave it away")
        return value


class AutoencoderConfig(UnaveragedConfig):
    """Of `methods/autoencoder.py`."""

    network: Literal["mlp", "conv"] = Field("mlp", description="kind of encoder and decoder")
    width: int = Field(400, ge=1, description="hidden units; channels of the first convolution")
    n_hidden: int = Field(1, ge=1, description="hidden layers of an mlp")
    n_latent: int = Field(16, ge=1, description="width of the code")


class VAEConfig(AutoencoderConfig):
    """Of `methods/vae.py`."""

    beta: float = Field(1.0, ge=0, description="weight of the KL term; above 1 it is a beta-VAE")


class DebiasingVAEConfig(AutoencoderConfig):
    """Of `methods/debiasing_vae.py`."""

    face: str = Field("face", description="the factor that tells faces from the rest")
    face_value: int | str | None = Field(
        None, description="its value of faces, by name or number; null: 1 where values have no name"
    )
    classification: float = Field(1.0, ge=0, description="weight of the cross entropy, c1")
    reconstruction: float = Field(1.0, ge=0, description="weight of the absolute error, c2")
    kl: float = Field(5e-4, ge=0, description="weight of the KL term, c3")
    rule: Rule | None = Field(
        "max", description="how latents' histograms weigh a face; null: all faces alike"
    )
    smoothing: float = Field(1e-3, gt=0, description="alpha; the smaller, the more of the rare")
    every: int = Field(200, ge=1, description="steps between two weighings, and before the first")


class ClassifierConfig(UnaveragedConfig):
    """Of `methods/classifier.py`."""

    width: int = Field(32, ge=1, description="channels of the first convolution")


class GANConfig(LectureConfig):
    """Of `methods/gan.py` for images."""

    batch_size: int = Field(64, ge=1, description="images per iteration")
    rate: float = Field(2e-4, gt=0, description="learning rate")
    ema_decay: float = Field(0.999, ge=0, lt=1, description="of the averaged generator")
    width: int = Field(32, ge=1, description="channels of the layers next to the image")
    n_latent: int = Field(64, ge=1, description="width of the noise")
    r1: float = Field(1.0, ge=0, description="gamma, weight of the R1 penalty; 0 for none")
    r1_every: int = Field(8, ge=1, description="steps between updates with R1")
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


class TranslationConfig(LectureConfig):
    """What pix2pix and CycleGAN share: two domains and who judges them."""

    data: Path = Field(description="folder with the domains trainA and trainB, folders or .npz")
    batch_size: int = Field(8, ge=1, description="images of each domain per iteration")
    rate: float = Field(2e-4, gt=0, description="learning rate")
    betas: tuple[float, float] = Field((0.5, 0.999), description="of Adam")
    ema_decay: float = Field(0.995, ge=0, lt=1, description="of the averaged generators")
    flips: bool = Field(False, description="mirror every second batch, drawn at random")
    width: int = Field(32, ge=1, description="channels of the generator's first layer")
    judge_widths: tuple[PositiveInt, ...] = Field(
        (32, 64, 128), min_length=2, description="PatchGAN channels; all but the last halve"
    )
    adversarial: float = Field(1.0, ge=0, description="weight of the adversarial loss")


class Pix2PixConfig(TranslationConfig):
    """Of `methods/pix2pix.py`; image i of trainA belongs to image i of trainB."""

    n_down: int = Field(4, ge=2, description="halvings in the U-Net; sides are multiples of 2 ** n")
    l1: float = Field(100.0, ge=0, description="weight of the distance to the true image")


class CycleGANConfig(TranslationConfig):
    """Of `methods/cyclegan.py` for images; the domains need not have anything in common."""

    n_blocks: int = Field(3, ge=1, description="residual blocks of the generators")
    cycle: float = Field(10.0, ge=0, description="weight of what is lost there and back")
    identity: float = Field(
        5.0, ge=0, description="weight of what a generator changes in images of its target"
    )


class RegularizedGANConfig(LectureConfig):
    """What Progressive GAN and StyleGAN have in common."""

    batch_size: int = Field(
        16, ge=4, multiple_of=4, description="images per iteration; a multiple of four"
    )
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
    judge_width: int = Field(32, ge=1, description="channels of the discriminator's first layer")
    mixing: float = Field(0.9, ge=0, le=1, description="share of images with two latents' styles")
    path_length: float = Field(2.0, ge=0, description="weight of the path length penalty")
    path_length_every: int = Field(8, ge=1, description="steps between updates with it")
