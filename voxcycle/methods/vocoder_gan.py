"""Adversarial training of the source-filter vocoder.

Multi-resolution STFT losses (Yamamoto et al., 2020) and the mel L1 of HiFi-GAN (Kong et al., 2020,
Eq. 5), with discriminators of spectrograms (Jang et al., 2021) and of periods (HiFi-GAN), in least
squares and feature matching.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from voxcycle.audio.mel import MelSpec
from voxcycle.losses.adversarial import (
    feature_matching_loss,
    least_squares_discriminator_loss,
    least_squares_generator_loss,
)
from voxcycle.losses.spectral import DifferentiableLogMel, multi_resolution_stft_loss
from voxcycle.methods.batches import VocoderBatch
from voxcycle.methods.phase import Memory, Phase


@dataclass(frozen=True)
class VocoderWeights:
    """Weights of the generator's terms.

    Without discriminators, `adversarial` and `feature_matching` are ignored.
    """

    spectral_convergence: float = 0.5
    log_magnitude: float = 0.5
    mel: float = 5.0
    adversarial: float = 1.0
    feature_matching: float = 10.0
    pitch: float = 1.0


class VocoderGAN(nn.Module):
    """Losses and phases of the vocoder.

    Args:
        generator: a `SourceFilterVocoder`.
        discriminators: of waveforms; an empty list trains with the spectral losses alone.
        generator_lr: learning rate of AdamW, betas 0.8 and 0.99 (HiFi-GAN's).
        discriminator_lr: learning rate of AdamW for the discriminators.
        discriminators_per_step: how many of them each step draws; None for all. Together they cost
            many times as much as the generator.
    """

    def __init__(
        self,
        generator: nn.Module,
        discriminators: Sequence[nn.Module],
        spec: MelSpec,
        *,
        weights: VocoderWeights | None = None,
        generator_lr: float = 5e-4,
        discriminator_lr: float = 2e-4,
        discriminators_per_step: int | None = None,
    ) -> None:
        super().__init__()
        self.generator = generator
        self.discriminators = nn.ModuleList(discriminators)
        self.log_mel = DifferentiableLogMel(spec)
        self.weights = weights or VocoderWeights()
        self.generator_lr, self.discriminator_lr = generator_lr, discriminator_lr
        self.discriminators_per_step = discriminators_per_step

    def phases(self) -> list[Phase]:
        """Return the generator's phase, and the discriminators' where there are any."""
        g, d = self.generator, self.discriminators
        adam = partial(torch.optim.AdamW, betas=(0.8, 0.99))
        adam_g = partial(adam, lr=self.generator_lr)
        adam_d = partial(adam, lr=self.discriminator_lr)
        weights = dict(vars(self.weights))
        if not d:
            del weights["adversarial"], weights["feature_matching"]
        terms = {"real_or_fake": 1.0}
        phases = [
            Phase(
                "generator",
                g,
                self.generator_losses,
                weights,
                optimizer=adam_g,
                clip=10.0,
                is_averaged=True,
            ),
            Phase("discriminator", d, self.discriminator_losses, terms, optimizer=adam_d),
        ]
        return phases if d else phases[:1]

    def generator_losses(self, batch: VocoderBatch, memory: Memory) -> dict[str, Tensor]:
        """Return the unweighted terms; leaves the detached fake in `memory`."""
        fake = self.generator(batch.log_mel, batch.f0_hz, batch.sources)
        memory["fake"] = fake.detach()
        terms = multi_resolution_stft_loss(fake, batch.waveform)
        terms["pitch"] = self.pitch_loss(batch)
        terms["mel"] = F.l1_loss(self.log_mel(fake), self.log_mel(batch.waveform))
        if self.discriminators:
            adversarial, matching = [], []
            for discriminator in self.draw(batch.step):
                scores, features = discriminator(fake)
                with torch.no_grad():
                    _, real_features = discriminator(batch.waveform)
                adversarial.append(least_squares_generator_loss(scores))
                matching.append(feature_matching_loss(features, real_features))
            terms["adversarial"] = torch.stack(adversarial).mean()
            terms["feature_matching"] = torch.stack(matching).mean()
        return terms

    def pitch_loss(self, batch: VocoderBatch) -> Tensor:
        """Return the error of F0 from the mel alone: cross entropy of voicing plus L1 of log F0."""
        voicing, log_f0 = self.generator.pitch(batch.log_mel)  # type: ignore[operator]
        voiced = (batch.spoken_f0_hz > 0).float()
        error = (log_f0 - batch.spoken_f0_hz.clamp(min=1.0).log()).abs() * voiced
        entropy = F.binary_cross_entropy_with_logits(voicing, voiced)
        return entropy + error.sum() / voiced.sum().clamp(min=1.0)

    def draw(self, step: int) -> list[nn.Module]:
        """Return the discriminators of a step, the same in both of its phases."""
        drawn = torch.randperm(
            len(self.discriminators), generator=torch.Generator().manual_seed(step)
        )
        return [self.discriminators[int(index)] for index in drawn[: self.discriminators_per_step]]

    def discriminator_losses(self, batch: VocoderBatch, memory: Memory) -> dict[str, Tensor]:
        """Return the mean least-squares loss over the discriminators of this step."""
        losses = []
        for discriminator in self.draw(batch.step):
            scores, _ = discriminator(torch.cat([batch.waveform, memory["fake"]]))
            real, fake = scores.chunk(2)
            losses.append(least_squares_discriminator_loss(real, fake))
        return {"real_or_fake": torch.stack(losses).mean()}
