"""CycleGAN: two generators, two discriminators, adversarial and cycle losses, no pairs.

Zhu et al. (2017), for images and for speech alike. For speech with the filling-in-frames masks of
MaskCycleGAN-VC (Kaneko et al., 2021) and, if wanted, the two-step adversarial loss of CycleGAN-VC2
(Kaneko et al., 2019); departures there, all of them in the batch (`VoiceBatch.domains`):

- the generators are told the excitation of the wanted output (F0 conditioning);
- the identity loss is fed perturbed speech, `G_ab(perturb(b), excitation(f0_b)) = b`: a supervised
  signal for "whatever the voice, render it as b";
- where domain a is a pool of speakers, G_ba and D_a are told which one (its statistics).

Departures for both: no history of fakes for the discriminators (section 4 keeps 50), and averaged
generators in place of a falling learning rate.
"""

from collections.abc import Callable
from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from voxcycle.losses.adversarial import (
    least_squares_discriminator_loss,
    least_squares_generator_loss,
)
from voxcycle.methods.batches import Domain, UnpairedBatch
from voxcycle.methods.phase import Memory, Phase


@dataclass(frozen=True)
class CycleGANWeights:
    """Weights of the generators' terms; `_a` terms judge or rebuild domain a, `_b` domain b."""

    adversarial_a: float = 2.5
    adversarial_b: float = 2.5
    cycle_a: float = 2.0
    cycle_b: float = 2.0
    identity_a: float = 10.0
    identity_b: float = 10.0
    second_adversarial: float = 0.0


@dataclass(frozen=True)
class CycleGANRates:
    """Learning rates of Adam, its betas, and the largest gradient norm of the generators."""

    generator: float = 3e-4
    discriminator: float = 4e-4
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
    """Losses and phases of the CycleGAN.

    Zhu et al. (2017): `adversarial_*` are Eq. 1 in its least-squares form, `cycle_*` Eq. 2, their
    weighted sum Eq. 3; `identity_*` is the identity loss of section 5.2, on disguised input.
    `second_adversarial` is Eq. 4 of CycleGAN-VC2.

    Args:
        networks: generators and discriminators.
        weights: of the loss terms.
        rates: of the optimizers.
        sees_excitation: whether the discriminators see what is shown beside the mel.
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

        g: list[nn.Module] = [self.generators]
        d: list[nn.Module] = [self.discriminators]
        adam_g, adam_d = adam(rates.generator), adam(rates.discriminator)
        judges = dict.fromkeys(self.discriminators, 1.0)
        return [
            Phase("generator", g, self.generator_losses, weights, adam_g, clip=rates.clip),
            Phase("discriminator", d, self.discriminator_losses, judges, adam_d),
        ]

    def generator_losses(self, batch: UnpairedBatch, memory: Memory) -> dict[str, Tensor]:
        """Return the unweighted terms of both generators; leaves detached fakes in `memory`."""
        a, b = batch.domains()
        fake_b, identity_b = self._render("g_ab", a, b)
        fake_a, identity_a = self._render("g_ba", b, a)
        cycled_a = self.translate(fake_b, back=True, told=a.told)
        cycled_b = self.translate(fake_a, told=b.told)
        judged_a = self._planes([fake_a, identity_a], [b.shown_away, a.shown])
        judged_b = self._planes([fake_b, identity_b], [a.shown_away, b.shown])
        memory |= {"fake_a": judged_a.detach(), "fake_b": judged_b.detach()}
        d_a, d_b = self.discriminators["d_a"], self.discriminators["d_b"]
        terms = {
            "adversarial_a": least_squares_generator_loss(d_a(judged_a, _repeat(a, judged_a))),
            "adversarial_b": least_squares_generator_loss(d_b(judged_b, _repeat(b, judged_b))),
            "cycle_a": F.l1_loss(cycled_a, a.real),
            "cycle_b": F.l1_loss(cycled_b, b.real),
            "identity_a": F.l1_loss(identity_a, a.real),
            "identity_b": F.l1_loss(identity_b, b.real),
        }
        if self.weights.second_adversarial:
            losses = []
            for name, cycled, domain in (("a", cycled_a, a), ("b", cycled_b, b)):
                planes = self._planes([cycled], [domain.shown])
                memory[f"cycled_{name}"] = planes.detach()
                scores = self.discriminators[f"second_d_{name}"](planes, domain.condition)
                losses.append(least_squares_generator_loss(scores))
            terms["second_adversarial"] = losses[0] + losses[1]
        return terms

    def discriminator_losses(self, batch: UnpairedBatch, memory: Memory) -> dict[str, Tensor]:
        """Return one least-squares term per judge, on this step's real crops and detached fakes."""
        terms = {}
        for name, domain in zip("ab", batch.domains(), strict=True):
            real = self._planes([domain.real], [domain.shown])
            terms[f"d_{name}"] = self._judge(f"d_{name}", real, memory[f"fake_{name}"], domain)
            if self.weights.second_adversarial:
                cycled = memory[f"cycled_{name}"]
                terms[f"second_d_{name}"] = self._judge(f"second_d_{name}", real, cycled, domain)
        return terms

    def translate(self, x: Tensor, back: bool = False, told: tuple[Tensor, ...] = ()) -> Tensor:
        """Return a's examples as b's, or with `back` b's as a's; `told` is as in `Domain`."""
        return self.generators["g_ba" if back else "g_ab"](x, *told)

    def _render(self, name: str, source: Domain, target: Domain) -> tuple[Tensor, Tensor]:
        """Convert the source domain and rebuild the disguised target domain, in one call."""
        told = map(torch.cat, zip(source.told_away, target.told, strict=True))
        both = torch.cat([source.source, target.disguised])
        fake, identity = self.generators[name](both, *told).chunk(2)
        return fake, identity

    def _judge(self, name: str, real: Tensor, fake: Tensor, domain: Domain) -> Tensor:
        """Score real and fake crops in one call and return the judge's loss."""
        judged = torch.cat([real, fake])
        scores = self.discriminators[name](judged, _repeat(domain, judged))
        return least_squares_discriminator_loss(scores[: len(real)], scores[len(real) :])

    def _planes(self, outputs: list[Tensor], shown: list[Tensor | None]) -> Tensor:
        """Stack outputs, and what is shown beside them, as planes (k * B, C, H, W)."""
        if not self.judges_identity:
            outputs, shown = outputs[:1], shown[:1]
        planes = torch.cat(outputs)
        if planes.ndim == 3:
            planes = planes[:, None]
        beside = [extra for extra in shown if extra is not None]
        if self.sees_excitation and beside:
            planes = torch.cat([planes, torch.cat(beside)], 1)
        return planes


def _repeat(domain: Domain, judged: Tensor) -> Tensor | None:
    """Return the domain's condition once for every example that is judged."""
    if domain.condition is None:
        return None
    return domain.condition.repeat(len(judged) // len(domain.condition), 1)
