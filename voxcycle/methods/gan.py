"""Generative adversarial networks, and class-conditional ones.

Goodfellow et al. (2014): the min-max game of eq. 1, and the non-saturating loss of section 3.
Mirza and Osindero (2014): both networks are conditioned on the class (eq. 2). Departures: both are
updated once a step and the generator first, so that one draw of fakes serves both; the generator is
averaged over training. Images also have R1 (Mescheder et al., 2018, eq. 9): without it the
discriminator soon wins, and the generator learns no more. Its batch norm makes of R1 a penalty on
the gradient of all scores of a batch by each image.
"""

from functools import partial

import torch
from torch import Tensor, nn

from voxcycle.losses.adversarial import (
    minmax_generator_loss,
    minmax_value,
    non_saturating_generator_loss,
    r1_penalty,
)
from voxcycle.methods.batches import ImageBatch
from voxcycle.methods.phase import Memory, Phase

BETAS = (0.5, 0.99)  # of Adam; the first after DCGAN


class GAN(nn.Module):
    """A generator against a discriminator.

    Args:
        generator: noise (B, n_latent), and labels (B,) with classes, to images (B, C, H, W).
        discriminator: images, and labels with classes, to logits (B,).
        n_classes: number of classes, the first factor of the labels; 0 for none.
        saturates: the generator minimises its part of the value, rather than -ln D(G(z)).
        r1: gamma, the weight of R1; 0 for none.
        r1_every: steps between its updates.
    """

    def __init__(
        self,
        generator: nn.Module,
        discriminator: nn.Module,
        n_latent: int,
        n_classes: int = 0,
        saturates: bool = False,
        lr: float = 2e-4,
        r1: float = 0.0,
        r1_every: int = 8,
    ) -> None:
        super().__init__()
        self.generator, self.discriminator = generator, discriminator
        self.n_latent, self.n_classes = n_latent, n_classes
        self.generator_loss = minmax_generator_loss if saturates else non_saturating_generator_loss
        self.lr, self.r1, self.r1_every = lr, r1, r1_every

    def phases(self) -> list[Phase]:
        """Return the generator's phase, the discriminator's on the same, detached fakes, and R1."""
        g, d = self.generator, self.discriminator
        adam = partial(torch.optim.Adam, lr=self.lr, betas=BETAS)
        terms, r1 = {"adversarial": 1.0}, {"r1": self.r1 / 2 * self.r1_every}
        value = {"value": -1.0}  # maximised
        phases = [
            Phase("generator", g, self.generator_losses, terms, optimizer=adam, is_averaged=True),
            Phase("discriminator", d, self.discriminator_losses, value, optimizer=adam),
            Phase("r1", d, self.r1_losses, r1, optimizer="discriminator", every=self.r1_every),
        ]
        return phases if self.r1 else phases[:2]

    def generator_losses(self, batch: ImageBatch, memory: Memory) -> dict[str, Tensor]:
        """Return the generator's loss; leaves detached fakes in `memory`."""
        labels = self._labels(batch)
        fake = self.generator(batch.normal(len(batch.images), self.n_latent), *labels)
        memory["fake"] = fake.detach()
        return {"adversarial": self.generator_loss(self.discriminator(fake, *labels))}

    def discriminator_losses(self, batch: ImageBatch, memory: Memory) -> dict[str, Tensor]:
        """Return the value of the game, -ln 4 where the discriminator cannot separate them."""
        labels = self._labels(batch)
        real_scores = self.discriminator(batch.images, *labels)
        return {"value": minmax_value(real_scores, self.discriminator(memory["fake"], *labels))}

    def r1_losses(self, batch: ImageBatch, memory: Memory) -> dict[str, Tensor]:
        """Return R1 on this step's images."""
        return {"r1": r1_penalty(self.discriminator, batch.images, *self._labels(batch))}

    def _labels(self, batch: ImageBatch) -> tuple[Tensor, ...]:
        return (batch.labels[:, 0],) if self.n_classes else ()

    def sample(self, noise: Tensor, labels: Tensor | None = None) -> Tensor:
        """Return images of noise (B, n_latent) and labels (B,); without those, classes in turn."""
        if not self.n_classes:
            return self.generator(noise)
        if labels is None:
            labels = torch.arange(len(noise), device=noise.device) % self.n_classes
        return self.generator(noise, labels)
