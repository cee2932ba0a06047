"""The autoencoder: a bottleneck and the reconstruction."""

from collections.abc import Sequence
from typing import Literal

from pydantic import Field
from torch import nn

from voxcycle.images.config import UnaveragedConfig
from voxcycle.images.dataset import load_set
from voxcycle.images.systems.system import System
from voxcycle.methods.autoencoder import Autoencoder
from voxcycle.models.coders import Shape, build_decoder, build_encoder


class AutoencoderConfig(UnaveragedConfig):
    """Of `methods/autoencoder.py`."""

    network: Literal["mlp", "conv"] = Field("mlp", description="kind of encoder and decoder")
    width: int = Field(400, ge=1, description="hidden units; channels of the first convolution")
    n_hidden: int = Field(1, ge=1, description="hidden layers of an mlp")
    n_latent: int = Field(16, ge=1, description="width of the code")


def build_coders(
    config: AutoencoderConfig, shape: Shape, n_out: int
) -> tuple[nn.Module, nn.Module]:
    """Build encoder and decoder; the encoder has `n_out` outputs."""
    kind, width, n_hidden = config.network, config.width, config.n_hidden
    return (
        build_encoder(kind, shape=shape, width=width, n_out=n_out, n_hidden=n_hidden),
        build_decoder(kind, shape=shape, width=width, n_latent=config.n_latent, n_hidden=n_hidden),
    )


def build(config: AutoencoderConfig, shape: Shape, n_values: Sequence[int]) -> nn.Module:
    """Build the method."""
    coders = build_coders(config, shape, config.n_latent)
    return Autoencoder(*coders, config.n_latent, config.lr)


SYSTEM = System(
    "a bottleneck and the reconstruction",
    AutoencoderConfig,
    build,
    load_set,
)
