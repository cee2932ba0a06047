"""Unpaired crops of two domains of speech: batch i is a function of the seed and i alone.

No random state passes from one batch to the next, so a resumed training sees the same batches as an
uninterrupted one.
"""

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.utils.data import Dataset, default_collate

from voxcycle.audio.excitation import excitation_mel
from voxcycle.audio.f0 import transform_f0
from voxcycle.audio.mel import MelSpec
from voxcycle.audio.stats import DomainStats
from voxcycle.methods.batches import Domain, Share
from voxcycle.speech.config import MelCycleGANConfig
from voxcycle.speech.features import Features
from voxcycle.speech.hearing import find_variant
from voxcycle.speech.speakers import Speaker, draw_embedding, draw_stats
from voxcycle.voices.content import LEVEL_RANGE
from voxcycle.voices.pretrained import condition_size, speaker_condition


class Crops(NamedTuple):
    """One domain's crops.

    Attributes:
        real: (B, n_mels, F), normalised by the speaker's statistics, for the domain's discriminator
            and the reconstruction losses.
        source: (B, D + 1, F), content of the same crops as a conversion hears them; shares of them
            are in disguise or corrupted.
        perturbed: (B, D + 1, F), content of the same crops for the identity loss; shares of them
            are in disguise or corrupted.
        excitation: (B, n_mels + 1, F), at their F0.
        excitation_to_other: at their F0 moved into the range of the other domain's speaker.
        condition: (B, n_condition), of each crop's speaker.
        profile: (B, 2 * n_mels), see `Domain`.
        centre: (B, D + 1), see `Domain`.
        mask: (B, 1, F), 0 where the generator fills frames in.
        speech: (B, F), 1 in frames of speech.
    """

    real: Tensor
    source: Tensor
    perturbed: Tensor
    excitation: Tensor
    excitation_to_other: Tensor
    condition: Tensor
    profile: Tensor
    centre: Tensor
    mask: Tensor
    speech: Tensor

    def to_domain(self, other: "Crops") -> Domain:
        """Return the domain; conditioning of the generators: excitation, mask and speaker.

        The combs that discriminators see (B, 1, n_mels, F) lack the voicing flag.
        """
        return Domain(
            real=self.real,
            source=self.source,
            perturbed=self.perturbed,
            cond=(self.excitation, torch.ones_like(self.mask), self.condition),
            cond_to_other=(self.excitation_to_other, self.mask, other.condition),
            disc_cond=self.excitation[:, None, :-1],
            disc_cond_of_other=self.excitation_to_other[:, None, :-1],
            condition=self.condition,
            profile=self.profile,
            centre=self.centre,
            speech=self.speech,
        )


class VoiceBatch(NamedTuple):
    """One training batch; the crops of b are converted to the speakers of a's crops."""

    a: Crops
    b: Crops

    def take_share(self, share: Share) -> "VoiceBatch":
        """Return one process's share of both domains."""
        return VoiceBatch(*(Crops(*map(share.of, crops)) for crops in self))

    def domains(self) -> tuple[Domain, Domain]:
        """Return the domains as the CycleGAN takes them."""
        return self.a.to_domain(self.b), self.b.to_domain(self.a)


class _Crop(NamedTuple):
    """A crop: log-mel (F, n_mels), F0 and speech (F,), and inputs of the generators (F, D + 1)."""

    mel: NDArray[np.float32]
    f0_hz: NDArray[np.float32]
    speech: NDArray[np.float32]
    source: NDArray[np.float32]
    perturbed: NDArray[np.float32]
    stats: DomainStats  # of the recording as a source: they move its F0


class _Source(NamedTuple):
    """A speaker of a domain, and its recordings' shares of frames."""

    speaker: Speaker
    shares: NDArray[np.float64]
    centre: NDArray[np.float32]


class UnpairedCrops(Dataset[VoiceBatch]):
    """Batches of crops of two domains, each one speaker or a pool; endless.

    Args:
        config: sizes, perturbations and seed.
        speakers_a: the speakers of domain a, drawn with equal probability; all have content.
        speakers_b: the speakers of domain b, in the same way.
        spec: the mel analysis.
        prior: statistics to which estimates are shrunk; None where both sides are known speakers,
            so that their own statistics are used throughout.
        reference: statistics that conditions are relative to; None takes the prior, or those of a.
        favourites: speakers of b that are drawn more often.
        favourite_share: share of b's crops that are drawn from them alone.
    """

    def __init__(
        self,
        config: MelCycleGANConfig,
        speakers_a: Sequence[Speaker],
        speakers_b: Sequence[Speaker],
        *,
        spec: MelSpec,
        prior: DomainStats | None,
        reference: DomainStats | None = None,
        favourites: Sequence[Speaker] = (),
        favourite_share: float = 0.0,
    ) -> None:
        self.config = config
        self.n_frames = config.n_frames
        self.spec = spec
        self.prior = prior
        self.reference = reference or prior or speakers_a[0].stats
        self.sources_a = [self._describe(speaker) for speaker in speakers_a]
        self.sources_b = [self._describe(speaker) for speaker in speakers_b]
        self.favourites = [self._describe(speaker) for speaker in favourites]
        self.favourite_share = favourite_share if favourites else 0.0

    @property
    def n_condition(self) -> int:
        """The size of a speaker's condition."""
        embedding = self.sources_a[0].speaker.embedding
        return condition_size(self.spec) + (0 if embedding is None else len(embedding))

    def _describe(self, speaker: Speaker) -> _Source:
        lengths = np.array([len(recording.f0_hz) for recording in speaker.recordings], float)
        return _Source(speaker, lengths / lengths.sum(), speaker.centre)

    def __getitem__(self, index: int) -> VoiceBatch:
        rng = np.random.default_rng([self.config.seed, index])
        return default_collate([self._draw_pair(rng) for _ in range(self.config.batch_size)])

    def _draw_pair(self, rng: np.random.Generator) -> VoiceBatch:
        """Draw a crop of either domain, without the batch dimension."""
        pool_b = self.sources_b
        if self.favourite_share and rng.random() < self.favourite_share:
            pool_b = self.favourites
        a, b = (pool[int(rng.integers(len(pool)))] for pool in (self.sources_a, pool_b))
        crop_a = self._draw_crop(a, True, rng)
        crop_b = self._draw_crop(b, len(self.sources_b) > 1, rng)
        halves = []
        for crop, source, other in ((crop_a, a, b), (crop_b, b, a)):
            stats, other_stats = source.speaker.stats, other.speaker.stats
            f0_hz = transform_f0(crop.f0_hz, crop.stats, other_stats)
            values = (
                stats.normalize(crop.mel),
                crop.source,
                crop.perturbed,
                excitation_mel(crop.f0_hz, self.spec),
                excitation_mel(f0_hz, self.spec),
                speaker_condition(stats, self.reference, draw_embedding(source.speaker, rng)),
                np.concatenate([stats.mel_mean, stats.mel_std]),
                source.centre,
                self._draw_mask(rng),
                crop.speech,
            )
            halves.append(Crops(*(torch.from_numpy(value.T) for value in values)))
        return VoiceBatch(*halves)

    def _draw_place(self, source: _Source, rng: np.random.Generator) -> tuple[Features, int]:
        """Draw a recording and the frame where a crop starts."""
        number = int(rng.choice(len(source.shares), p=source.shares))
        recording = source.speaker.recordings[number]
        return recording, int(rng.integers(max(1, len(recording.f0_hz) - self.n_frames + 1)))

    def _draw_crop(self, drawn: _Source, is_unknown: bool, rng: np.random.Generator) -> _Crop:
        """Draw a crop; `is_unknown` says whether conversion must estimate its statistics."""
        config, stats = self.config, drawn.speaker.stats
        recording, start = self._draw_place(drawn, rng)
        assert recording.content is not None
        if is_unknown and self.prior is not None:
            stats = draw_stats(drawn.speaker, self.prior, rng)
        shares = (config.corrupted, config.perturbed_source, config.perturbed_identity)
        is_corrupted, is_replaced, is_disguised = rng.random(3) < shares
        perturbed = find_variant(is_disguised, is_corrupted)
        source = find_variant(is_unknown and is_replaced, is_corrupted)
        part = slice(start, start + self.n_frames)
        f0_hz, speech = (
            self._pad(x[part].astype(np.float32), 0.0) for x in (recording.f0_hz, recording.speech)
        )
        heard, heard_perturbed = (
            self._pad_content(x[part].astype(np.float32))
            for x in (recording.content[source], recording.content[perturbed])
        )
        mel = self._pad(recording.mels[0][part].astype(np.float32), np.log(self.spec.log_floor))
        return _Crop(mel, f0_hz, speech, heard, heard_perturbed, stats)

    def _pad(self, crop: NDArray[np.float32], value: float) -> NDArray[np.float32]:
        missing = [(0, self.n_frames - len(crop))] + [(0, 0)] * (crop.ndim - 1)
        return np.pad(crop, missing, constant_values=value)

    def _pad_content(self, crop: NDArray[np.float32]) -> NDArray[np.float32]:
        """Lengthen content by its last frame, in silence."""
        padded = np.pad(crop, ((0, self.n_frames - len(crop)), (0, 0)), mode="edge")
        padded[len(crop) :, -1] = LEVEL_RANGE[0]
        return padded

    def _draw_mask(self, rng: np.random.Generator) -> NDArray[np.float32]:
        mask = np.ones((self.n_frames, 1), np.float32)
        length = int(rng.integers(self.config.max_masked_frames + 1))
        start = int(rng.integers(self.n_frames - length + 1))
        mask[start : start + length] = 0
        return mask
