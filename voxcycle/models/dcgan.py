"""Networks of the GAN: generator and discriminator of images, and a discriminator of points.

Generators map noise (B, n_latent), and labels (B,) where there are classes, to images
(B, C, H, W); discriminators map images and labels to logits (B,).
"""

import torch
from torch import Tensor, nn

from voxcycle.models.coders import Shape, halving_layers, last_side, list_widths

N_EMBEDDED = 16  # width of the generator's class embedding
N_GROUP = 8  # channels that are normalized together
SLOPE = 0.2  # of the leaky rectifiers


class PointDiscriminator(nn.Sequential):
    """Two hidden layers, from points in the plane written as images (B, 2, 1, 1)."""

    def __init__(self, width: int) -> None:
        super().__init__(
            nn.Flatten(),
            nn.Linear(2, width),
            nn.LeakyReLU(SLOPE),
            nn.Linear(width, width),
            nn.LeakyReLU(SLOPE),
            nn.Linear(width, 1),
            nn.Flatten(0),
        )


class DCGANGenerator(nn.Module):
    """Transposed convolutions from 4 x 4 up, after DCGAN (Radford et al., 2016).

    Group norm in place of batch norm: the generator is averaged over training, which running
    statistics of batches would not survive.

    Args:
        shape: of the images, see `n_halvings`.
        width: channels of the last layer but one, doubled at each one before.
        n_classes: number of classes; 0 for an unconditional generator.
    """

    def __init__(self, shape: Shape, width: int, n_latent: int, n_classes: int = 0) -> None:
        super().__init__()
        self.embedding = nn.Embedding(n_classes, N_EMBEDDED) if n_classes else None
        widths = list_widths(shape, width)[::-1]
        side = last_side(shape)
        n_in = n_latent + (N_EMBEDDED if n_classes else 0)
        layers: list[nn.Module] = [
            nn.Linear(n_in, side**2 * widths[0]),
            nn.Unflatten(1, (widths[0], side, side)),
        ]
        for n_hidden, n_out in zip(widths[:-1], widths[1:], strict=True):
            layers += [
                nn.GroupNorm(max(1, n_hidden // N_GROUP), n_hidden),
                nn.ReLU(),
                nn.ConvTranspose2d(n_hidden, n_out, 4, 2, 1),
            ]
        self.layers = nn.Sequential(*layers, nn.Tanh())

    def forward(self, noise: Tensor, labels: Tensor | None = None) -> Tensor:
        """Return images (B, C, H, W) in [-1, 1]."""
        if self.embedding is not None:
            noise = torch.cat([noise, self.embedding(labels)], 1)
        return self.layers(noise)


class DCGANDiscriminator(nn.Module):
    """Strided convolutions, batch norm behind all but the first, and one linear layer.

    Real and fake images are shown in batches of their own: the norm then lets it see what a batch
    has in common, and detect a generator that draws one kind at a time.

    Arguments as for the generator; a label is embedded as one more channel.
    """

    def __init__(self, shape: Shape, width: int, n_classes: int = 0) -> None:
        super().__init__()
        n_channels, height, w = shape
        self.embedding = (
            nn.Sequential(nn.Embedding(n_classes, height * w), nn.Unflatten(1, (1, height, w)))
            if n_classes
            else None
        )
        shape = (n_channels + bool(n_classes), height, w)
        activation = nn.LeakyReLU(SLOPE)
        layers = halving_layers(shape, width, 1, activation, normalizes_first=False)
        self.layers = nn.Sequential(*layers, nn.Flatten(0))

    def forward(self, images: Tensor, labels: Tensor | None = None) -> Tensor:
        """Return logits (B,) of images (B, C, H, W) being real."""
        if self.embedding is not None:
            images = torch.cat([images, self.embedding(labels)], 1)
        return self.layers(images)
