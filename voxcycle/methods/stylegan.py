"""StyleGAN: images from styles, one per layer, which a mapping network makes of the latent.

Karras et al. (2019): mapping network and noise inputs (section 2), mixing regularization (3.1),
truncation in W (appendix B). Karras et al. (2020): modulated convolutions (eq. 1 and 3), lazy
regularization (3.1), path length regularization (eq. 4). Departures: narrow networks, DCGAN's
discriminator, whose batch norm takes the place of a minibatch deviation (R1 is then of whole
batches, as in `gan.py`), and for path lengths half of the batch.
"""

from dataclasses import dataclass

import torch
from torch import Tensor, nn

from voxcycle.losses.adversarial import (
    minmax_value,
    non_saturating_generator_loss,
    path_lengths,
    r1_penalty,
)
from voxcycle.methods.batches import ImageBatch, Share
from voxcycle.methods.phase import Memory, Phase
from voxcycle.methods.progressive_gan import lazy_adam
from voxcycle.models.style_networks import MappingNetwork, SynthesisNetwork

MEAN_STYLE_DECAY = 0.998
MEAN_LENGTH_DECAY = 0.99
NOISE_SEED = 31_415  # of noise inputs; unlike one that latents are likely drawn with


@dataclass(frozen=True)
class StyleGANRegularizers:
    """Weights of the regularizers, the steps between their updates, and the share of mixing.

    `r1` is gamma, `path_length` the gamma of eq. 4, `mixing` the share of images whose layers have
    the styles of two latents.
    """

    r1: float
    r1_every: int
    path_length: float
    path_length_every: int
    mixing: float


class StyleGAN(nn.Module):
    """Losses and phases, and operations on styles."""

    mean_style: Tensor
    mean_length: Tensor
    noise: Tensor

    def __init__(
        self,
        mapping: MappingNetwork,
        synthesis: SynthesisNetwork,
        discriminator: nn.Module,
        n_latent: int,
        lr: float,
        regularizers: StyleGANRegularizers,
    ) -> None:
        super().__init__()
        self.generator = nn.ModuleDict({"mapping": mapping, "synthesis": synthesis})
        self.discriminator = discriminator
        self.n_latent, self.n_styles = n_latent, synthesis.n_styles
        self.lr, self.regularizers = lr, regularizers
        self.register_buffer("mean_style", torch.zeros(n_latent))
        self.register_buffer("mean_length", torch.zeros(()))
        drawn = torch.Generator().manual_seed(NOISE_SEED)
        noise = torch.randn(1, synthesis.n_noise, generator=drawn)
        self.register_buffer("noise", noise, persistent=False)

    def phases(self) -> list[Phase]:
        """Return both networks' phases on the same fakes, each followed by its lazy regularizer."""
        g, d, own = self.generator, self.discriminator, self.regularizers
        n_g, n_d = own.path_length_every, own.r1_every
        adam_g, adam_d = lazy_adam(self.lr, n_g), lazy_adam(self.lr, n_d)
        terms, path = {"adversarial": 1.0}, {"path_length": own.path_length * n_g}
        value, r1 = {"discriminator": 1.0}, {"r1": own.r1 / 2 * n_d}
        return [
            Phase("generator", g, self.generator_losses, terms, optimizer=adam_g, is_averaged=True),
            Phase(
                "path_length", g, self.path_length_losses, path, optimizer="generator", every=n_g
            ),
            Phase("discriminator", d, self.discriminator_losses, value, optimizer=adam_d),
            Phase("r1", d, self.r1_losses, r1, optimizer="discriminator", every=n_d),
        ]

    def generator_losses(self, batch: ImageBatch, memory: Memory) -> dict[str, Tensor]:
        """Return the generator's loss; leaves detached fakes in `memory`, tracks the mean style."""
        styles, noise, _ = self._draw(batch, len(batch.images))
        self.mean_style.lerp_(styles[:, 0].detach().mean(0), 1 - MEAN_STYLE_DECAY)
        fakes = self.generator["synthesis"](styles, noise)
        memory["fakes"] = fakes.detach()
        return {"adversarial": non_saturating_generator_loss(self.discriminator(fakes))}

    def path_length_losses(self, batch: ImageBatch, memory: Memory) -> dict[str, Tensor]:
        """Return eq. 4, on half of the batch; `a` is a running mean of the lengths."""
        styles, noise, y = self._draw(batch, max(1, len(batch.images) // 2))
        images = self.generator["synthesis"](styles, noise)
        lengths = path_lengths(images, styles, y.reshape(images.shape))
        self.mean_length.lerp_(lengths.detach().mean(), 1 - MEAN_LENGTH_DECAY)
        return {"path_length": (lengths - self.mean_length).square().mean()}

    def discriminator_losses(self, batch: ImageBatch, memory: Memory) -> dict[str, Tensor]:
        """Return the discriminator's loss on this step's images and detached fakes."""
        real_scores = self.discriminator(batch.images)
        return {"discriminator": -minmax_value(real_scores, self.discriminator(memory["fakes"]))}

    def r1_losses(self, batch: ImageBatch, memory: Memory) -> dict[str, Tensor]:
        """Return R1 on this step's images."""
        return {"r1": r1_penalty(self.discriminator, batch.images)}

    def map(self, z: Tensor) -> Tensor:
        """Return styles w (B, n_latent) of latents (B, n_latent)."""
        return self.generator["mapping"](z)

    def truncate(self, w: Tensor, psi: float) -> Tensor:
        """Return w drawn towards the mean style: 2019, appendix B."""
        return self.mean_style + psi * (w - self.mean_style)

    def synthesize(self, w: Tensor, noise: Tensor | None = None) -> Tensor:
        """Return images of styles (B, n_latent), or (B, n_styles, n_latent), one per layer.

        Without noise inputs (B, n_noise) they are the same for all images and always.
        """
        styles = w if w.ndim == 3 else w[:, None].expand(-1, self.n_styles, -1)
        return self.generator["synthesis"](styles, self.noise if noise is None else noise)

    def mix(self, w: Tensor, other: Tensor, layers: slice) -> Tensor:
        """Return styles (B, n_styles, n_latent): w, but of `other` in some layers."""
        styles = w[:, None].repeat(1, self.n_styles, 1)
        styles[:, layers] = other[:, None]
        return styles

    def sample(self, noise: Tensor, psi: float = 1.0) -> Tensor:
        """Return images of noise (B, n_latent), truncated, with noise inputs that differ.

        They are always the same for the first image, the second, and so on.
        """
        drawn = torch.Generator().manual_seed(NOISE_SEED)
        inputs = torch.randn(len(noise), self.noise.shape[1], generator=drawn)
        return self.synthesize(self.truncate(self.map(noise), psi), inputs.to(noise.device))

    def _draw(self, batch: ImageBatch, n: int) -> tuple[Tensor, Tensor, Tensor]:
        """Return styles (n, n_styles, n_latent), partly mixed, noise inputs, and noise of n images.

        All are parts of one draw: each call of `batch.normal` would begin with the same numbers.
        """
        whole = batch._replace(share=Share())
        own, n_all = batch.share.of, n * batch.share.n_ranks
        n_pixels = batch.images.numel() * batch.share.n_ranks
        sizes = [2 * n_all * self.n_latent, 2 * n_all, n_all * self.noise.shape[1], n_pixels]
        drawn = whole.normal(sum(sizes)).split(sizes)
        z, coins = (torch.cat([own(half) for half in x.reshape(2, n_all, -1)]) for x in drawn[:2])
        noise = own(drawn[2].reshape(n_all, -1))
        rest = own(drawn[3].reshape(-1, batch.images[0].numel())[:n_all]).flatten()
        w, other = self.map(z).chunk(2)
        is_mixed, place = torch.special.ndtr(coins).reshape(2, n, 1)  # uniform in (0, 1)
        first_layer = 1 + (place * (self.n_styles - 1)).floor()  # of the other style
        layers = torch.arange(self.n_styles, device=z.device)
        takes_other = (is_mixed < self.regularizers.mixing) & (layers >= first_layer)
        styles = torch.where(takes_other[:, :, None], other[:, None], w[:, None])
        return styles, noise, rest
