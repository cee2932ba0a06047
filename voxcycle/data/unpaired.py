"""What a step of a CycleGAN sees, of speech or of images."""

from typing import NamedTuple, Protocol

from torch import Tensor


class Domain(NamedTuple):
    """One domain's half of a batch; B examples, mels (B, n_mels, F) or images (B, C, H, W).

    Attributes:
        real: what the domain's judge sees and what reconstructions are compared with.
        source: the same as the generator to the other domain is given it.
        disguised: the same as the identity loss feeds it to the generator to this domain.
        told: what the generator to this domain is told when it is to make `real`.
        told_away: what the generator to the other domain is told beside `source`.
        shown: planes that the domain's judge may see beside `real`, (B, 1, n_mels, F) or None.
        shown_away: planes that the other judge may see beside the conversion of `source`.
        condition: (B, n_condition), what the domain's judge is told, or None.
    """

    real: Tensor
    source: Tensor
    disguised: Tensor
    told: tuple[Tensor, ...] = ()
    told_away: tuple[Tensor, ...] = ()
    shown: Tensor | None = None
    shown_away: Tensor | None = None
    condition: Tensor | None = None


class UnpairedBatch(Protocol):
    """A batch of two domains."""

    def domains(self) -> tuple[Domain, Domain]:
        """Return domain a and domain b."""
        ...
