"""What a step of a training sees, of speech or of images: `data` makes it, `methods` take it."""

from typing import NamedTuple, Protocol

import torch
from torch import Tensor


class ImageBatch(NamedTuple):
    """A batch of images.

    Attributes:
        images: (B, C, H, W) in [-1, 1].
        labels: (B, n_factors).
        step: the batch's number.
        seed: of whatever a method draws in this step.
    """

    images: Tensor
    labels: Tensor
    step: int
    seed: int

    def normal(self, *shape: int) -> Tensor:
        """Draw from the standard normal distribution; every call in a step begins anew."""
        generator = torch.Generator().manual_seed(self.seed)
        return torch.randn(*shape, generator=generator).to(self.images.device)


class FaceBatch(NamedTuple):
    """What a step may draw from, and what it sees in any case.

    Attributes:
        faces: (N, C, H, W), all of them, 0 to 255: the same tensor in every step.
        others: (B, C, H, W) in [-1, 1].
        step: the batch's number.
        seed: of whatever a method draws in this step.
    """

    faces: Tensor
    others: Tensor
    step: int
    seed: int


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


class PairBatch(NamedTuple):
    """A batch of two domains' images (B, C, H, W) in [-1, 1].

    Image i of `a` belongs to image i of `b` for pix2pix, and has nothing to do with it for
    CycleGAN.
    """

    a: Tensor
    b: Tensor

    def domains(self) -> tuple[Domain, Domain]:
        """Return what a CycleGAN sees: the identity loss is fed the plain images."""
        return Domain(self.a, self.a, self.a), Domain(self.b, self.b, self.b)


class VocoderBatch(NamedTuple):
    """One training batch.

    Attributes:
        waveform: (B, F * hop_length), what is to be rendered.
        log_mel: (B, n_mels, F), of the waveform within its recording.
        spoken_f0_hz: (B, F), of the waveform.
        f0_hz: (B, F), what the network is told: some of it wrong on purpose.
        sources: (B, 3, F * hop_length), at `f0_hz`.
        step: the batch's number.
    """

    waveform: Tensor
    log_mel: Tensor
    spoken_f0_hz: Tensor
    f0_hz: Tensor
    sources: Tensor
    step: int
