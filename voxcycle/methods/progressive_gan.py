"""Progressive GAN: both networks grow from 4 x 4 pixels while they are trained.

Karras et al. (2018): growth and fade-in (section 2, figure 2), minibatch deviation (3), equalized
learning rate and pixel norm (4), an averaged generator. Departures: the non-saturating loss and, on
every n-th step, R1 (Mescheder et al., 2018, eq. 9) for WGAN-GP, and narrower networks.
"""

from dataclasses import dataclass
from functools import partial

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from voxcycle.losses.adversarial import minmax_value, non_saturating_generator_loss, r1_penalty
from voxcycle.methods.batches import ImageBatch
from voxcycle.methods.phase import Memory, OptimizerFactory, Phase
from voxcycle.models.growing_networks import downsample, upsample

BETAS = (0.0, 0.99)


def lazy_adam(lr: float, every: int) -> OptimizerFactory:
    """Return Adam for a network that is also regularized on every n-th step.

    n + 1 updates take the place of n: Karras et al. (2020), appendix B, lazy regularization.
    """
    ratio = every / (every + 1)
    beta_1, beta_2 = (beta**ratio for beta in BETAS)
    return partial(torch.optim.Adam, lr=lr * ratio, betas=(beta_1, beta_2))


@dataclass(frozen=True)
class Growth:
    """Which stage is trained at which step.

    Training begins with stage `first`, and grows to `last`. A new stage fades in for `fade_steps`
    and is trained for further `stable_steps` before the next.
    """

    first: int
    last: int
    fade_steps: int
    stable_steps: int

    def at(self, step: int) -> tuple[int, float]:
        """Return the stage and the weight of its own output, above 0."""
        if step < self.stable_steps or self.first == self.last:
            return self.first, 1.0
        grown, place = divmod(step - self.stable_steps, self.fade_steps + self.stable_steps)
        stage = self.first + 1 + grown
        if stage > self.last:
            return self.last, 1.0
        return stage, min(1.0, (place + 1) / self.fade_steps)

    def end(self, stage: int) -> int:
        """Return the step before which a stage, not the last, is complete."""
        grown = stage - self.first
        return self.stable_steps + grown * (self.fade_steps + self.stable_steps)


class ProgressiveGAN(nn.Module):
    """Losses and phases.

    Args:
        generator: (latents, stage, alpha) to images.
        discriminator: (images, stage, alpha) to scores.
        growth: when which stage is trained.
        r1: gamma, the weight of R1.
        r1_every: steps between its updates.
    """

    steps_seen: Tensor

    def __init__(
        self,
        generator: nn.Module,
        discriminator: nn.Module,
        growth: Growth,
        n_latent: int,
        lr: float,
        r1: float,
        r1_every: int,
    ) -> None:
        super().__init__()
        self.generator, self.discriminator = generator, discriminator
        self.growth, self.n_latent = growth, n_latent
        self.lr, self.r1, self.r1_every = lr, r1, r1_every
        # kept with the weights: a model samples from the stage that it has reached
        self.register_buffer("steps_seen", torch.zeros((), dtype=torch.long))

    def phases(self) -> list[Phase]:
        """Return the generator's phase, the discriminator's on the same fakes, and lazy R1."""
        g, d = self.generator, self.discriminator
        adam_g = partial(torch.optim.Adam, lr=self.lr, betas=BETAS)
        adam_d = lazy_adam(self.lr, self.r1_every)
        terms, value = {"adversarial": 1.0}, {"discriminator": 1.0}
        r1 = {"r1": self.r1 / 2 * self.r1_every}
        return [
            Phase("generator", g, self.generator_losses, terms, optimizer=adam_g, is_averaged=True),
            Phase("discriminator", d, self.discriminator_losses, value, optimizer=adam_d),
            Phase("r1", d, self.r1_losses, r1, optimizer="discriminator", every=self.r1_every),
        ]

    def generator_losses(self, batch: ImageBatch, memory: Memory) -> dict[str, Tensor]:
        """Return the generator's loss; leaves detached fakes in `memory`."""
        stage, alpha = self.growth.at(batch.step)
        self.steps_seen.fill_(batch.step)
        fakes = self.generator(batch.normal(len(batch.images), self.n_latent), stage, alpha)
        memory["fakes"] = fakes.detach()
        scores = self.discriminator(fakes, stage, alpha)
        return {"adversarial": non_saturating_generator_loss(scores)}

    def discriminator_losses(self, batch: ImageBatch, memory: Memory) -> dict[str, Tensor]:
        """Return the discriminator's loss on this step's images and detached fakes."""
        place = self.growth.at(batch.step)
        real = self.discriminator(self.shrink(batch.images, *place), *place)
        fake = self.discriminator(memory["fakes"], *place)
        return {"discriminator": -minmax_value(real, fake)}

    def r1_losses(self, batch: ImageBatch, memory: Memory) -> dict[str, Tensor]:
        """Return R1 on this step's images."""
        place = self.growth.at(batch.step)
        images = self.shrink(batch.images, *place)
        return {"r1": r1_penalty(self.discriminator, images, *place)}

    def shrink(self, images: Tensor, stage: int, alpha: float = 1.0) -> Tensor:
        """Return real images as the generator would draw them: at a stage, and as it fades in."""
        images = downsample(images, self.growth.last - stage)
        if alpha < 1:
            images = torch.lerp(upsample(downsample(images)), images, alpha)
        return images

    def sample(self, noise: Tensor) -> Tensor:
        """Return images of noise (B, n_latent), from the stage reached, brought to full size."""
        stage, alpha = self.growth.at(int(self.steps_seen))
        images = self.generator(noise, stage, alpha)
        return F.interpolate(images, scale_factor=float(1 << (self.growth.last - stage)))
