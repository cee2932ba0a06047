"""Batches: one training step's data, of speech or of images."""

from typing import Any, NamedTuple, Protocol

import torch
from torch import Tensor


class Share(NamedTuple):
    """One process's part of a batch: part `rank` of `n_ranks` equal ones."""

    rank: int = 0
    n_ranks: int = 1

    def of(self, whole: Tensor) -> Tensor:
        """Return the part of the first dimension; ValueError where there are no equal parts."""
        n, rest = divmod(len(whole), self.n_ranks)
        if rest:
            raise ValueError(
                f"a batch of {len(whole)} cannot be shared equally among {self.n_ranks} processes; "
                "choose another batch_size or number of devices"
            )
        return whole[self.rank * n : (self.rank + 1) * n]


def take_share(batch: Any, share: Share) -> Any:
    """Return one process's share of a batch (a named tuple): of its tensors, the first dimension.

    A batch with a field `share` remembers it: every process draws the noise of the whole batch, so
    that an example has the same noise on any number of devices. A batch that is not to be divided
    entirely has a `take_share` of its own.
    """
    if share.n_ranks == 1:
        return batch
    if hasattr(batch, "take_share"):
        return batch.take_share(share)
    parts: dict[str, Any] = {
        name: share.of(value)
        for name, value in batch._asdict().items()
        if isinstance(value, Tensor)
    }
    if "share" in batch._fields:
        parts["share"] = share
    return batch._replace(**parts)


class ImageBatch(NamedTuple):
    """A batch of images.

    Attributes:
        images: (B, C, H, W) in [-1, 1].
        labels: (B, n_factors).
        step: the batch's number.
        seed: of whatever a method draws in this step.
        share: the part of the whole batch that these images are.
    """

    images: Tensor
    labels: Tensor
    step: int
    seed: int
    share: Share = Share()

    def normal(self, n: int, *shape: int) -> Tensor:
        """Draw (n, *shape) normal numbers, n examples of this share; each call draws the same."""
        generator = torch.Generator().manual_seed(self.seed)
        whole = torch.randn(n * self.share.n_ranks, *shape, generator=generator)
        return self.share.of(whole).to(self.images.device)


class FaceBatch(NamedTuple):
    """A batch of other images, and all faces, from which the method draws its own.

    Attributes as in `ImageBatch`, and:
        faces: (N, C, H, W), all of them, 0 to 255: the same tensor in every step.
        others: (B, C, H, W) in [-1, 1].
    """

    faces: Tensor
    others: Tensor
    step: int
    seed: int
    share: Share = Share()

    def take_share(self, share: Share) -> "FaceBatch":
        """Return a share of the others; the faces are still all of them."""
        return self._replace(others=share.of(self.others), share=share)


class Domain(NamedTuple):
    """One domain's half of a batch; B examples, mels (B, n_mels, F) or images (B, C, H, W).

    Attributes:
        real: for the domain's discriminator and the reconstruction losses.
        source: the same examples as input of the generator to the other domain; of speech, its
            content (B, D + 1, F).
        perturbed: the same examples as input of the identity loss.
        cond: conditioning of the generator to this domain when it reconstructs `real`.
        cond_to_other: conditioning of the generator to the other domain, for `source`.
        disc_cond: planes that the domain's discriminator may see beside `real`,
            (B, 1, n_mels, F) or None.
        disc_cond_of_other: planes that the other discriminator may see beside the conversion of
            `source`.
        condition: (B, n_condition), the domain's discriminator's condition, or None.
        profile: (B, 2 * n_mels), mean and deviation of the speakers' mels, or None.
        centre: (B, D + 1), of the speakers' content, or None.
        speech: (B, F), 1 in frames of speech, or None.
    """

    real: Tensor
    source: Tensor
    perturbed: Tensor
    cond: tuple[Tensor, ...] = ()
    cond_to_other: tuple[Tensor, ...] = ()
    disc_cond: Tensor | None = None
    disc_cond_of_other: Tensor | None = None
    condition: Tensor | None = None
    profile: Tensor | None = None
    centre: Tensor | None = None
    speech: Tensor | None = None


class UnpairedBatch(Protocol):
    """A batch of two domains."""

    def domains(self) -> tuple[Domain, Domain]:
        """Return domain a and domain b."""
        ...


class PairBatch(NamedTuple):
    """A batch of two domains' images (B, C, H, W) in [-1, 1]; for pix2pix, pairs in their order."""

    a: Tensor
    b: Tensor

    def domains(self) -> tuple[Domain, Domain]:
        """Return the domains; the identity loss sees unperturbed images."""
        return Domain(self.a, self.a, self.a), Domain(self.b, self.b, self.b)


class VocoderBatch(NamedTuple):
    """A batch of excerpts.

    Attributes:
        waveform: (B, F * hop_length), the target.
        log_mel: (B, n_mels, F), of the waveform within its recording.
        spoken_f0_hz: (B, F), of the waveform.
        f0_hz: (B, F), input of the network: some of it is corrupted on purpose.
        sources: (B, 3, F * hop_length), at `f0_hz`.
        step: the batch's number.
    """

    waveform: Tensor
    log_mel: Tensor
    spoken_f0_hz: Tensor
    f0_hz: Tensor
    sources: Tensor
    step: int
