"""The configurations of the lecture's systems: every weight and switch, documented."""

from pathlib import Path
from typing import ClassVar, Literal

from pydantic import Field

from voxcycle.training.config import TrainingConfig
from voxcycle.training.sampling import Rule


class LectureConfig(TrainingConfig):
    """What every system of the lecture needs to know; unknown keys are errors."""

    listing: ClassVar[str] = "voxcycle lecture train METHOD --settings"

    data: Path = Field(description="images: a folder, or a set in .npz")
    steps: int = Field(1_500, ge=1, description="iterations")
    batch_size: int = Field(128, ge=1, description="images per iteration")
    size: int | None = Field(
        None, ge=8, description="side that the images of a folder are brought to; null: as is"
    )
    n_channels: Literal[1, 3] = Field(3, description="1 reads the images of a folder as grey")
    rate: float = Field(1e-3, gt=0, description="learning rate")


class AutoencoderConfig(LectureConfig):
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

    face: str = Field("face", description="the factor that is 1 for faces and 0 for the rest")
    classification: float = Field(1.0, ge=0, description="weight of the cross entropy, c1")
    reconstruction: float = Field(1.0, ge=0, description="weight of the absolute error, c2")
    kl: float = Field(5e-4, ge=0, description="weight of the KL term, c3")
    rule: Rule | None = Field(
        "max", description="how latents' histograms weigh a face; null: all faces alike"
    )
    smoothing: float = Field(1e-3, gt=0, description="alpha; the smaller, the more of the rare")
    every: int = Field(200, ge=1, description="steps between two weighings, and before the first")


class ClassifierConfig(LectureConfig):
    """Of `methods/classifier.py`."""

    width: int = Field(32, ge=1, description="channels of the first convolution")
