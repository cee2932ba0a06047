"""pix2pix: a generator, and a discriminator that sees the input beside the output.

Isola et al. (2017). The adversarial loss of eq. 1 in its least-squares form, the L1 loss of eq. 3,
their sum eq. 4. Departures: no noise (see `UNet`), no normalisation in the discriminator, an
averaged generator in place of a falling learning rate.
"""

from functools import partial

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from voxcycle.losses.adversarial import (
    least_squares_discriminator_loss,
    least_squares_generator_loss,
)
from voxcycle.methods.batches import PairBatch
from voxcycle.methods.phase import Memory, Phase


class Pix2Pix(nn.Module):
    """Learns the image b that belongs to an image a.

    Args:
        generator: images (B, C, H, W) of a to images of b.
        discriminator: pairs (B, 2 * C, H, W), a before b, to patch scores.
        adversarial: weight of the adversarial loss; at 0 no discriminator is trained.
    """

    def __init__(
        self,
        generator: nn.Module,
        discriminator: nn.Module,
        adversarial: float = 1.0,
        l1: float = 100.0,
        lr: float = 2e-4,
        betas: tuple[float, float] = (0.5, 0.999),
    ) -> None:
        super().__init__()
        self.generator, self.discriminator = generator, discriminator
        self.adversarial, self.l1 = adversarial, l1
        self.lr, self.betas = lr, betas

    def phases(self) -> list[Phase]:
        """Return the generator's phase, then the discriminator's on the same, detached fakes."""
        g, d = self.generator, self.discriminator
        adam = partial(torch.optim.Adam, lr=self.lr, betas=self.betas)
        weights = {"l1": self.l1}
        if self.adversarial:
            weights["adversarial"] = self.adversarial
        phases = [
            Phase("generator", g, self.generator_losses, weights, optimizer=adam, is_averaged=True),
            Phase("discriminator", d, self.discriminator_losses, {"d": 1.0}, optimizer=adam),
        ]
        return phases if self.adversarial else phases[:1]

    def generator_losses(self, batch: PairBatch, memory: Memory) -> dict[str, Tensor]:
        """Return the unweighted terms; leaves detached fakes in `memory`."""
        fake_b = self.generator(batch.a)
        memory["fake_b"] = fake_b.detach()
        terms = {"l1": F.l1_loss(fake_b, batch.b)}
        if self.adversarial:
            terms["adversarial"] = least_squares_generator_loss(self._discriminate(batch.a, fake_b))
        return terms

    def discriminator_losses(self, batch: PairBatch, memory: Memory) -> dict[str, Tensor]:
        """Return the loss of separating true pairs from pairs of an image a and its translation."""
        both = torch.cat([batch.b, memory["fake_b"]])
        real, fake = self._discriminate(batch.a.repeat(2, 1, 1, 1), both).chunk(2)
        return {"d": least_squares_discriminator_loss(real, fake)}

    def translate(self, images: Tensor, back: bool = False) -> Tensor:
        """Return translations of images (B, C, H, W) of a; ValueError with `back`."""
        if back:
            raise ValueError("pix2pix translates one way only, from domain a to domain b")
        return self.generator(images)

    def _discriminate(self, a: Tensor, b: Tensor) -> Tensor:
        return self.discriminator(torch.cat([a, b], 1))
