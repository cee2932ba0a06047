"""CycleGAN: two generators, two discriminators, adversarial and cycle losses, no pairs.

Zhu et al. (2017), for images and for speech. For speech with the filling-in-frames masks of
MaskCycleGAN-VC (Kaneko et al., 2021), and with four departures, all but the first of them in the
batch (`VoiceBatch.domains`):

- the generators take phonetic features of the source, from a frozen encoder, and on the way back
  those of its conversion (`listen`);
- the generators are conditioned on the excitation of the output (F0 conditioning);
- the identity loss is fed perturbed speech, `G_ab(perturb(b), excitation(f0_b)) = b`: a supervised
  signal for "whatever the voice, render it as b";
- where domain a is a pool of speakers, G_ba and D_a are conditioned on the speaker's statistics.

Departures for both: no history of fakes for the discriminators (section 4 keeps 50), and averaged
generators in place of a decaying learning rate (`falling` of a training brings it back).
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import partial

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from voxcycle.losses.adversarial import (
    least_squares_discriminator_loss,
    least_squares_generator_loss,
)
from voxcycle.methods.batches import Domain, UnpairedBatch
from voxcycle.methods.phase import Memory, Phase

Teacher = Callable[[Domain, Tensor, Domain], Tensor]
Listen = Callable[[Tensor, Domain], Tensor]
TAUGHT = ("speaker",)  # terms that need a teacher


@dataclass(frozen=True)
class CycleGANWeights:
    """Weights of the generators' terms; `_a` terms score or reconstruct domain a, `_b` domain b."""

    adversarial_a: float = 2.5
    adversarial_b: float = 2.5
    cycle_a: float = 2.0
    cycle_b: float = 2.0
    identity_a: float = 10.0
    identity_b: float = 10.0
    content: float = 0.0
    speaker: float = 0.0


@dataclass(frozen=True)
class CycleGANRates:
    """Learning rates of Adam, its betas, and the largest gradient norm of the generators."""

    generator: float = 3e-4
    discriminator: float = 4e-4
    betas: tuple[float, float] = (0.5, 0.99)
    clip: float | None = 5.0


@dataclass
class CycleGANNetworks:
    """Generators and discriminators; `d_a` scores domain a."""

    g_ab: nn.Module
    g_ba: nn.Module
    d_a: nn.Module
    d_b: nn.Module


class CycleGAN(nn.Module):
    """Losses and phases of the CycleGAN.

    Zhu et al. (2017): `adversarial_*` are Eq. 1 in its least-squares form, `cycle_*` Eq. 2, their
    weighted sum Eq. 3; `identity_*` is the identity loss of section 5.2, on perturbed input.
    `content` and `speaker` are in neither paper: frozen networks hear whether a conversion says
    what its source says, and whether it sounds like b.

    Args:
        sees_excitation: whether the discriminators see the planes `disc_cond` beside the mel.
        scores_identity: whether the discriminators score the outputs of the identity loss too.
        teachers: losses of (source domain, conversion, target domain) by the names of their terms,
            for both directions; one is required for every weight above 0.
        listen: turns conversions, with their domain, into input of the way back; None where the
            generators take what they make. The content loss compares what it hears.

    What has no weight in either domain is not computed: no cycles, no phase of the discriminators,
    no identities unless discriminators score them, no conversions for identities alone.
    """

    def __init__(
        self,
        networks: CycleGANNetworks,
        weights: CycleGANWeights | None = None,
        rates: CycleGANRates | None = None,
        *,
        sees_excitation: bool = True,
        scores_identity: bool = True,
        teachers: Mapping[str, Teacher] | None = None,
        listen: Listen | None = None,
    ) -> None:
        super().__init__()
        self.generators = nn.ModuleDict({"g_ab": networks.g_ab, "g_ba": networks.g_ba})
        self.discriminators = nn.ModuleDict({"d_a": networks.d_a, "d_b": networks.d_b})
        self.weights = weights or CycleGANWeights()
        self.rates = rates or CycleGANRates()
        self.sees_excitation = sees_excitation
        self.scores_identity = scores_identity
        self.listen = listen or (lambda converted, domain: converted)
        if self.weights.content and listen is None:
            raise ValueError("a weight of the content loss needs what listens")
        given = teachers or {}
        self.teachers = {name: given[name] for name in self._taught() if name in given}
        if missing := [name for name in self._taught() if name not in given]:
            raise ValueError(f"a weight of the {missing[0]} loss needs its teacher")

    def _taught(self) -> list[str]:
        return [name for name in TAUGHT if getattr(self.weights, name)]

    def phases(self) -> list[Phase]:
        """Return the generators' phase, then the discriminators' on the same, detached fakes."""
        g, d, rates = self.generators, self.discriminators, self.rates
        adam = partial(torch.optim.Adam, betas=rates.betas)
        weights = {k: w for k, w in vars(self.weights).items() if self._is_on(k)}
        generators = Phase(
            "generator",
            g,
            self.generator_losses,
            weights,
            optimizer=partial(adam, lr=rates.generator),
            clip=rates.clip,
            is_averaged=True,
        )
        if not self._is_on("adversarial"):
            return [generators]
        terms, adam_d = dict.fromkeys(d, 1.0), partial(adam, lr=rates.discriminator)
        return [
            generators,
            Phase("discriminator", d, self.discriminator_losses, terms, optimizer=adam_d),
        ]

    def _is_on(self, term: str) -> bool:
        """Whether a term is computed: for neither domain, or for both."""
        name = term.split("_")[0]
        weights = [w for key, w in vars(self.weights).items() if key.split("_")[0] == name]
        return any(weights)

    def generator_losses(self, batch: UnpairedBatch, memory: Memory) -> dict[str, Tensor]:
        """Return the unweighted terms of both generators; leaves detached fakes in `memory`."""
        a, b = batch.domains()
        fake_b, identity_b = self._generate("g_ab", a, b)
        fake_a, identity_a = self._generate("g_ba", b, a)
        terms: dict[str, Tensor] = {}
        if self._is_on("adversarial"):
            scored_a = self._planes([fake_a, identity_a], [b.disc_cond_of_other, a.disc_cond])
            scored_b = self._planes([fake_b, identity_b], [a.disc_cond_of_other, b.disc_cond])
            memory |= {"fake_a": scored_a.detach(), "fake_b": scored_b.detach()}
            d_a, d_b = self.discriminators["d_a"], self.discriminators["d_b"]
            terms |= {
                "adversarial_a": least_squares_generator_loss(d_a(scored_a, _repeat(a, scored_a))),
                "adversarial_b": least_squares_generator_loss(d_b(scored_b, _repeat(b, scored_b))),
            }
        if self._is_on("cycle") or self._is_on("content"):
            heard_b, heard_a = self.listen(fake_b, b), self.listen(fake_a, a)
        if self._is_on("cycle"):
            cycled_a = self.translate(heard_b, back=True, cond=a.cond)
            cycled_b = self.translate(heard_a, cond=b.cond)
            terms |= {
                "cycle_a": F.l1_loss(cycled_a, a.real),
                "cycle_b": F.l1_loss(cycled_b, b.real),
            }
        if self._is_on("content"):
            terms["content"] = (self._content(heard_b, a) + self._content(heard_a, b)) / 2
        if self._is_on("identity") and identity_a is not None and identity_b is not None:
            terms |= {
                "identity_a": F.l1_loss(identity_a, a.real),
                "identity_b": F.l1_loss(identity_b, b.real),
            }
        for name, teach in self.teachers.items():
            terms[name] = (teach(a, fake_b, b) + teach(b, fake_a, a)) / 2
        return terms

    def discriminator_losses(self, batch: UnpairedBatch, memory: Memory) -> dict[str, Tensor]:
        """Return a least-squares term per discriminator, on real crops and detached fakes."""
        terms = {}
        for name, domain in zip("ab", batch.domains(), strict=True):
            real = self._planes([domain.real], [domain.disc_cond])
            planes = torch.cat([real, memory[f"fake_{name}"]])
            scores = self.discriminators[f"d_{name}"](planes, _repeat(domain, planes))
            of_real, of_fakes = scores[: len(real)], scores[len(real) :]
            terms[f"d_{name}"] = least_squares_discriminator_loss(of_real, of_fakes)
        return terms

    def translate(self, x: Tensor, back: bool = False, cond: tuple[Tensor, ...] = ()) -> Tensor:
        """Return a's examples as b's, or with `back` b's as a's; `cond` is as in `Domain`."""
        return self.generators["g_ba" if back else "g_ab"](x, *cond)

    def _generate(self, name: str, source: Domain, target: Domain) -> tuple[Tensor, Tensor | None]:
        """Convert the source and, for the identity loss, reconstruct the perturbed target.

        Where the identity loss is the only one, there is no conversion: a tensor without examples.
        """
        is_scored = self.scores_identity and self._is_on("adversarial")
        has_identity = is_scored or self._is_on("identity")
        has_fake = bool(self.teachers) or any(map(self._is_on, ("adversarial", "cycle", "content")))
        if not has_identity:
            return self.generators[name](source.source, *source.cond_to_other), None
        if not has_fake:
            identity = self.generators[name](target.perturbed, *target.cond)
            return identity[:0], identity
        cond = map(torch.cat, zip(source.cond_to_other, target.cond, strict=True))
        both = torch.cat([source.source, target.perturbed])
        fake, identity = self.generators[name](both, *cond).chunk(2)
        return fake, identity

    def _content(self, heard: Tensor, source: Domain) -> Tensor:
        """Return one minus the cosine per frame between what is heard and what is in the source.

        The level, the last of the rows (B, D + 1, F), is left out.
        """
        with torch.no_grad():
            wanted = self.listen(source.real, source)
        similarity = F.cosine_similarity(heard[:, :-1], wanted[:, :-1], dim=1)
        return 1 - similarity.mean()

    def _planes(self, outputs: list[Tensor | None], disc_cond: list[Tensor | None]) -> Tensor:
        """Stack outputs, and the conditioning planes beside them, as (k * B, C, H, W)."""
        if not self.scores_identity or outputs[-1] is None:
            outputs, disc_cond = outputs[:1], disc_cond[:1]
        planes = torch.cat([output for output in outputs if output is not None])
        planes = planes[:, None] if planes.ndim == 3 else planes
        beside = [extra for extra in disc_cond if extra is not None]
        if self.sees_excitation and beside:
            planes = torch.cat([planes, torch.cat(beside)], 1)
        return planes


def _repeat(domain: Domain, planes: Tensor) -> Tensor | None:
    """Return the domain's condition once for every example."""
    if domain.condition is None:
        return None
    return domain.condition.repeat(len(planes) // len(domain.condition), 1)
