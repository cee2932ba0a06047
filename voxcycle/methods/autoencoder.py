"""Autoencoder: a bottleneck between two networks, trained by the reconstruction's distance.

Hinton and Salakhutdinov (2006), trained end to end; with linear networks its best code would span
the space of the first principal components (Baldi and Hornik, 1989).
"""

from functools import partial

import torch
from torch import Tensor, nn

from voxcycle.methods.batches import ImageBatch
from voxcycle.methods.phase import Memory, Phase


class Autoencoder(nn.Module):
    """Minimises the squared error of the reconstruction.

    The encoder maps images (B, C, H, W) to codes (B, n_latent), the decoder codes to images.
    """

    def __init__(
        self, encoder: nn.Module, decoder: nn.Module, n_latent: int, lr: float = 1e-3
    ) -> None:
        super().__init__()
        self.encoder, self.decoder = encoder, decoder
        self.n_latent, self.lr = n_latent, lr

    def phases(self) -> list[Phase]:
        """Return the one phase."""
        optimizer = partial(torch.optim.Adam, lr=self.lr)
        weights = {"reconstruction": 1.0}
        return [Phase("autoencoder", self, self.losses, weights, optimizer=optimizer)]

    def losses(self, batch: ImageBatch, memory: Memory) -> dict[str, Tensor]:
        """Return the mean squared error per pixel, images in [-1, 1]."""
        error = self.reconstruct(batch.images) - batch.images
        return {"reconstruction": error.square().mean()}

    def encode(self, images: Tensor) -> Tensor:
        """Return codes (B, n_latent)."""
        return self.encoder(images)

    def decode(self, z: Tensor) -> Tensor:
        """Return images (B, C, H, W) of codes (B, n_latent)."""
        return self.decoder(z)

    def reconstruct(self, images: Tensor) -> Tensor:
        """Return images sent through the bottleneck."""
        return self.decode(self.encode(images))
