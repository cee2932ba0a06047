"""The variational autoencoder and the beta-VAE (`methods/vae.py`)."""

from collections.abc import Sequence

from pydantic import Field
from torch import nn

from voxcycle.images.systems.autoencoder import AutoencoderConfig, build_coders
from voxcycle.images.systems.system import System, load_set
from voxcycle.methods.vae import VAE
from voxcycle.models.coders import Shape


class VAEConfig(AutoencoderConfig):
    """Settings of the VAE."""

    beta: float = Field(1.0, ge=0, description="weight of the KL term; above 1 it is a beta-VAE")


def _build(config: VAEConfig, shape: Shape, n_values: Sequence[int]) -> nn.Module:
    coders = build_coders(config, shape, 2 * config.n_latent)
    return VAE(**coders, n_latent=config.n_latent, beta=config.beta, lr=config.lr)


SYSTEM = System(
    "an autoencoder with a prior: samples, walks; with beta above 1, separate factors",
    VAEConfig,
    _build,
    load_set,
)
