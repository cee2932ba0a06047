"""CycleGAN voice conversion: two generators, two discriminators, adversarial and cycle losses.

Zhu et al. (2017), with the filling-in-frames masks of MaskCycleGAN-VC (Kaneko et al., 2021) and, if
wanted, the two-step adversarial loss of CycleGAN-VC2 (Kaneko et al., 2019). Departures:

- the generators are told the excitation of the wanted output (F0 conditioning);
- the identity loss is fed perturbed speech, `G_ab(perturb(b), excitation(f0_b)) = b`: a supervised
  signal for "whatever the voice, render it as b";
- where domain a is a pool of speakers, G_ba and D_a are told which one (its statistics).
"""

from collections.abc import Callable
from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from voxcycle.data.speech import VoiceBatch
from voxcycle.losses.adversarial import (
    least_squares_discriminator_loss,
    least_squares_generator_loss,
)
from voxcycle.training.phases import Memory, Phase


@dataclass(frozen=True)
class CycleGANWeights:
    """Weights of the generators' terms; `_a` terms judge or rebuild domain a, `_b` domain b."""

    adversarial_a: float = 2.0
    adversarial_b: float = 2.0
    cycle_a: float = 5.0
    cycle_b: float = 5.0
    identity_a: float = 10.0
    identity_b: float = 10.0
    second_adversarial: float = 0.0


@dataclass(frozen=True)
class CycleGANRates:
    """Learning rates of Adam, its betas, and the largest gradient norm of the generators."""

    generator: float = 3e-4
    discriminator: float = 2e-4
    betas: tuple[float, float] = (0.5, 0.99)
    clip: float | None = 5.0


@dataclass
class CycleGANNetworks:
    """The four networks, and the second pair of judges for the two-step adversarial loss."""

    g_ab: nn.Module
    g_ba: nn.Module
    d_a: nn.Module
    d_b: nn.Module
    second_d_a: nn.Module | None = None
    second_d_b: nn.Module | None = None


class CycleGAN(nn.Module):
    """Losses and phases of the voice CycleGAN.

    Zhu et al. (2017): `adversarial_*` are Eq. 1 in its least-squares form, `cycle_*` Eq. 2, their
    weighted sum Eq. 3; `identity_*` is the identity loss of section 5.2 on perturbed input.
    `second_adversarial` is Eq. 4 of CycleGAN-VC2. Departures: see the head of this file.

    Args:
        networks: generators and discriminators.
        weights: of the loss terms.
        rates: of the optimizers.
        sees_excitation: whether the discriminators see the excitation beside the mel.
        judges_identity: whether the discriminators judge the outputs of the identity loss too.
    """

    def __init__(
        self,
        networks: CycleGANNetworks,
        weights: CycleGANWeights | None = None,
        rates: CycleGANRates | None = None,
        sees_excitation: bool = True,
        judges_identity: bool = True,
    ) -> None:
        super().__init__()
        self.generators = nn.ModuleDict({"g_ab": networks.g_ab, "g_ba": networks.g_ba})
        self.discriminators = nn.ModuleDict({"d_a": networks.d_a, "d_b": networks.d_b})
        self.weights = weights or CycleGANWeights()
        self.rates = rates or CycleGANRates()
        self.sees_excitation = sees_excitation
        self.judges_identity = judges_identity
        if self.weights.second_adversarial:
            if networks.second_d_a is None or networks.second_d_b is None:
                raise ValueError("the two-step adversarial loss needs a second pair of judges")
            self.discriminators["second_d_a"] = networks.second_d_a
            self.discriminators["second_d_b"] = networks.second_d_b

    def averaged(self) -> nn.Module:
        """Return the generators."""
        return self.generators

    def phases(self) -> list[Phase]:
        """Return the generators' phase, then the discriminators' on the same, detached fakes."""
        rates, weights = self.rates, dict(vars(self.weights))
        if not weights["second_adversarial"]:
            del weights["second_adversarial"]

        def adam(rate: float) -> Callable[[list[nn.Parameter]], torch.optim.Optimizer]:
            return lambda parameters: torch.optim.Adam(parameters, rate, rates.betas)

        return [
            Phase(
                "generator",
                [self.generators],
                self.generator_losses,
                weights,
                adam(rates.generator),
                clip=rates.clip,
            ),
            Phase(
                "discriminator",
                [self.discriminators],
                self.discriminator_losses,
                {name: 1.0 for name in self.discriminators},
                adam(rates.discriminator),
            ),
        ]

    def generator_losses(self, batch: VoiceBatch, memory: Memory) -> dict[str, Tensor]:
        """Return the unweighted terms of both generators; leaves detached fakes in `memory`."""
        g_ab, g_ba = self.generators["g_ab"], self.generators["g_ba"]
        keep = torch.ones_like(batch.mask_a)
        condition = batch.condition_a
        # One call per generator converts the real crops and rebuilds the perturbed ones.
        fake_b, identity_b = g_ab(
            torch.cat([batch.source_a, batch.perturbed_b]),
            torch.cat([batch.excitation_ab, batch.excitation_b]),
            torch.cat([batch.mask_a, keep]),
        ).chunk(2)
        fake_a, identity_a = g_ba(
            torch.cat([batch.source_b, batch.perturbed_a]),
            torch.cat([batch.excitation_ba, batch.excitation_a]),
            torch.cat([batch.mask_b, keep]),
            torch.cat([condition, condition]),
        ).chunk(2)
        cycled_a = g_ba(fake_b, batch.excitation_a, None, condition)
        cycled_b = g_ab(fake_a, batch.excitation_b)
        judged_a = self._planes([fake_a, identity_a], [batch.excitation_ba, batch.excitation_a])
        judged_b = self._planes([fake_b, identity_b], [batch.excitation_ab, batch.excitation_b])
        conditions = condition.repeat(len(judged_a) // len(condition), 1)
        memory |= {"fake_a": judged_a.detach(), "fake_b": judged_b.detach()}
        d_a, d_b = self.discriminators["d_a"], self.discriminators["d_b"]
        terms = {
            "adversarial_a": least_squares_generator_loss(d_a(judged_a, conditions)),
            "adversarial_b": least_squares_generator_loss(d_b(judged_b)),
            "cycle_a": F.l1_loss(cycled_a, batch.real_a),
            "cycle_b": F.l1_loss(cycled_b, batch.real_b),
            "identity_a": F.l1_loss(identity_a, batch.real_a),
            "identity_b": F.l1_loss(identity_b, batch.real_b),
        }
        if self.weights.second_adversarial:
            planes_a = self._planes([cycled_a], [batch.excitation_a])
            planes_b = self._planes([cycled_b], [batch.excitation_b])
            memory |= {"cycled_a": planes_a.detach(), "cycled_b": planes_b.detach()}
            terms["second_adversarial"] = least_squares_generator_loss(
                self.discriminators["second_d_a"](planes_a, condition)
            ) + least_squares_generator_loss(self.discriminators["second_d_b"](planes_b))
        return terms

    def discriminator_losses(self, batch: VoiceBatch, memory: Memory) -> dict[str, Tensor]:
        """Return one least-squares term per judge, on this step's real crops and detached fakes."""
        real_a = self._planes([batch.real_a], [batch.excitation_a])
        real_b = self._planes([batch.real_b], [batch.excitation_b])
        terms = {
            "d_a": self._judge("d_a", real_a, memory["fake_a"], batch.condition_a),
            "d_b": self._judge("d_b", real_b, memory["fake_b"], None),
        }
        if self.weights.second_adversarial:
            terms["second_d_a"] = self._judge(
                "second_d_a", real_a, memory["cycled_a"], batch.condition_a
            )
            terms["second_d_b"] = self._judge("second_d_b", real_b, memory["cycled_b"], None)
        return terms

    def _judge(self, name: str, real: Tensor, fake: Tensor, condition: Tensor | None) -> Tensor:
        """Score real and fake crops in one call and return the judge's loss."""
        judged = torch.cat([real, fake])
        if condition is not None:
            condition = condition.repeat(len(judged) // len(condition), 1)
        scores = self.discriminators[name](judged, condition)
        return least_squares_discriminator_loss(scores[: len(real)], scores[len(real) :])

    def _planes(self, mels: list[Tensor], excitations: list[Tensor]) -> Tensor:
        """Stack mels, and their excitations where seen, as planes (k * B, 1 or 2, n_mels, F).

        Only the first pair is kept where identity outputs are not judged.
        """
        if not self.judges_identity:
            mels, excitations = mels[:1], excitations[:1]
        planes = torch.cat(mels)[:, None]
        if self.sees_excitation:
            combs = torch.cat(excitations)[:, None, :-1]  # the last row is the voicing flag
            planes = torch.cat([planes, combs], 1)
        return planes
