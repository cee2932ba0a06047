"""The VAE and the beta-VAE (`methods/vae.py`)."""

from collections.abc import Sequence
from typing import ClassVar

from pydantic import Field
from torch import nn

from voxcycle.images.systems.autoencoder import AutoencoderConfig
from voxcycle.methods.vae import VAE
from voxcycle.models.coders import Shape


class VAEConfig(AutoencoderConfig):
    """Settings of the VAE and the beta-VAE."""

    about: ClassVar[str] = (
        "an autoencoder with a prior: samples, walks; with beta above 1, separate factors"
    )

    beta: float = Field(1.0, ge=0, description="weight of the KL term; above 1 it is a beta-VAE")

    def build(self, shape: Shape, n_values: Sequence[int]) -> nn.Module:
        """Build a VAE."""
        coders = self.build_coders(shape, 2 * self.n_latent)
        return VAE(**coders, n_latent=self.n_latent, beta=self.beta, lr=self.lr)
