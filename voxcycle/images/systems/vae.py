"""The autoencoder, the VAE and the beta-VAE (`methods/vae.py`)."""

from collections.abc import Sequence
from typing import ClassVar, Literal

from pydantic import Field
from torch import nn

from voxcycle.images.systems.system import UnaveragedConfig
from voxcycle.methods.vae import VAE, Autoencoder
from voxcycle.models.coders import Shape, build_decoder, build_encoder


class AutoencoderConfig(UnaveragedConfig):
    """Settings of the autoencoder, and of both VAEs."""

    about: ClassVar[str] = "a bottleneck and the reconstruction"

    network: Literal["mlp", "conv"] = Field("mlp", description="kind of encoder and decoder")
    width: int = Field(400, ge=1, description="hidden units; channels of the first convolution")
    n_hidden: int = Field(1, ge=1, description="hidden layers of an mlp")
    n_latent: int = Field(16, ge=1, description="width of the code")

    def build(self, shape: Shape, n_values: Sequence[int]) -> nn.Module:
        """Build an autoencoder."""
        coders = self.build_coders(shape, self.n_latent)
        return Autoencoder(**coders, n_latent=self.n_latent, lr=self.lr)

    def build_coders(self, shape: Shape, n_out: int) -> dict[str, nn.Module]:
        """Return an encoder with `n_out` outputs, and a decoder, by name."""
        kind, width, n_hidden = self.network, self.width, self.n_hidden
        return {
            "encoder": build_encoder(kind, shape, width, n_out=n_out, n_hidden=n_hidden),
            "decoder": build_decoder(kind, shape, width, n_latent=self.n_latent, n_hidden=n_hidden),
        }


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
