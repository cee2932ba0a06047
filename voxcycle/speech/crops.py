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
from torch.utils.data import Dataset

from voxcycle.audio.excitation import excitation_mel
from voxcycle.audio.f0 import transform_f0
from voxcycle.audio.mel import MelSpec
from voxcycle.audio.perturb import (
    Corruption,
    band_centres_hz,
    bend_bands,
    corrupt_mel,
    draw_corruption,
    perturb_channel,
)
from voxcycle.audio.stats import DomainStats, estimate_stats, sum_frames
from voxcycle.methods.batches import Domain
from voxcycle.speech.features import Features
from voxcycle.speech.speakers import Speaker, draw_stats, speaker_profile
from voxcycle.voices.pretrained import speaker_condition

STRETCH_S = (2.0, 10.0)  # of a corrupted recording, from which its statistics are estimated


class VoiceBatch(NamedTuple):
    """One training batch; mels are normalised, (B, n_mels, F), excitations (B, n_mels + 1, F).

    Attributes:
        real_a: domain a, normalised by its own statistics, for D_a and the reconstruction losses.
        source_a: the same crops as a conversion sees them, normalised by statistics estimated from
            a short stretch; a share of them is perturbed.
        perturbed_a: the same crops under a random perturbation and channel.
        excitation_a: at the F0 of a.
        excitation_ab: at the F0 of a moved into the range of b.
        condition_a: (B, n_condition), the statistics of each crop's speaker.
        profile_a: (B, 2 * n_mels + D), see `Domain`; D is 0 without a content loss.
        real_b, source_b, perturbed_b, excitation_b, excitation_ba, condition_b, profile_b: the same
            for domain b; the crops of b are converted to the speakers of a's crops.
        mask_a, mask_b: (B, 1, F), 0 where the generator fills frames in.
    """

    real_a: Tensor
    source_a: Tensor
    perturbed_a: Tensor
    excitation_a: Tensor
    excitation_ab: Tensor
    condition_a: Tensor
    profile_a: Tensor
    mask_a: Tensor
    real_b: Tensor
    source_b: Tensor
    perturbed_b: Tensor
    excitation_b: Tensor
    excitation_ba: Tensor
    condition_b: Tensor
    profile_b: Tensor
    mask_b: Tensor

    def domains(self) -> tuple[Domain, Domain]:
        """Return the domains; conditioning of the generators: excitation, mask and speaker."""
        keep = torch.ones_like(self.mask_a)
        a = Domain(
            real=self.real_a,
            source=self.source_a,
            perturbed=self.perturbed_a,
            cond=(self.excitation_a, keep, self.condition_a),
            cond_to_other=(self.excitation_ab, self.mask_a, self.condition_b),
            disc_cond=_planes(self.excitation_a),
            disc_cond_of_other=_planes(self.excitation_ab),
            condition=self.condition_a,
            profile=self.profile_a,
        )
        b = Domain(
            real=self.real_b,
            source=self.source_b,
            perturbed=self.perturbed_b,
            cond=(self.excitation_b, keep, self.condition_b),
            cond_to_other=(self.excitation_ba, self.mask_b, self.condition_a),
            disc_cond=_planes(self.excitation_b),
            disc_cond_of_other=_planes(self.excitation_ba),
            condition=self.condition_b,
            profile=self.profile_b,
        )
        return a, b


def _planes(excitation: Tensor) -> Tensor:
    """Return the combs (B, 1, n_mels, F) of an excitation, whose last row is the voicing flag."""
    return excitation[:, None, :-1]


class _Crop(NamedTuple):
    """A crop: log-mel (F, n_mels), F0 (F,), and the normalised inputs of the generators.

    `stats` are those of the recording as a source; they normalise `source`.
    """

    mel: NDArray[np.float32]
    f0_hz: NDArray[np.float32]
    stats: DomainStats
    source: NDArray[np.float32]
    perturbed: NDArray[np.float32]


class _Source(NamedTuple):
    """A speaker of a domain, its condition, its profile, its recordings' shares of frames."""

    speaker: Speaker
    condition: NDArray[np.float32]
    profile: NDArray[np.float32]
    shares: NDArray[np.float64]


class _Place(NamedTuple):
    """Where a crop starts."""

    speaker: Speaker
    recording: Features
    start: int


class UnpairedCrops(Dataset[VoiceBatch]):
    """Batches of crops of two domains, each one speaker or a pool; endless.

    Args:
        speakers_a: the speakers of domain a, drawn with equal probability.
        speakers_b: the speakers of domain b, in the same way.
        spec: the mel analysis.
        prior: statistics to which estimates are shrunk; None where both sides are known speakers,
            so that their own statistics are used throughout.
        batch_size: crops per domain.
        n_frames: frames per crop.
        max_masked_frames: longest filling-in mask; 0 for none.
        is_perturbed: False feeds the identity loss unperturbed crops.
        seed: of all random draws.
        perturbed_source: share of the crops of a, and of b where that is a pool, that are perturbed
            in `source_a` and `source_b`: more speakers and channels than the pool has.
        bends_bands: perturb by shifting formants one by one, too.
        reference: statistics that conditions are relative to; None takes the prior, or those of a.
        corrupted: share of the crops that generators receive with noise, reverberation or another
            speaker; what is scored and reconstructed stays clean.
    """

    def __init__(
        self,
        speakers_a: Sequence[Speaker],
        speakers_b: Sequence[Speaker],
        spec: MelSpec,
        prior: DomainStats | None,
        *,
        batch_size: int,
        n_frames: int,
        max_masked_frames: int,
        is_perturbed: bool,
        seed: int,
        perturbed_source: float = 0.0,
        bends_bands: bool = False,
        reference: DomainStats | None = None,
        corrupted: float = 0.0,
    ) -> None:
        self.spec = spec
        self.prior = prior
        self.batch_size = batch_size
        self.n_frames = n_frames
        self.max_masked_frames = max_masked_frames
        self.is_perturbed = is_perturbed
        self.seed = seed
        self.perturbed_source = perturbed_source
        self.bends_bands = bends_bands
        self.corrupted = corrupted
        self.centres_hz = band_centres_hz(spec)
        self.reference = reference or prior or speakers_a[0].stats[0]
        self.sources_a = [self._describe(speaker) for speaker in speakers_a]
        self.sources_b = [self._describe(speaker) for speaker in speakers_b]

    def _describe(self, speaker: Speaker) -> _Source:
        lengths = np.array([len(recording.f0_hz) for recording in speaker.recordings], float)
        condition = speaker_condition(speaker.stats[0], self.reference)
        return _Source(speaker, condition, speaker_profile(speaker), lengths / lengths.sum())

    def __getitem__(self, index: int) -> VoiceBatch:
        rng = np.random.default_rng([self.seed, index])
        items = [self._draw_item(rng) for _ in range(self.batch_size)]
        return VoiceBatch(
            *(
                torch.from_numpy(np.stack([value.T for value in column]))
                for column in zip(*items, strict=True)
            )
        )

    def _draw_item(self, rng: np.random.Generator) -> list[NDArray[np.float32]]:
        a, b = (
            sources[int(rng.integers(len(sources)))] for sources in (self.sources_a, self.sources_b)
        )
        stats_a, stats_b = a.speaker.stats[0], b.speaker.stats[0]
        crop_a = self._draw_crop(a, True, rng)
        crop_b = self._draw_crop(b, len(self.sources_b) > 1, rng)
        return [
            stats_a.normalize(crop_a.mel),
            crop_a.source,
            crop_a.perturbed,
            excitation_mel(crop_a.f0_hz, self.spec),
            excitation_mel(transform_f0(crop_a.f0_hz, crop_a.stats, stats_b), self.spec),
            a.condition,
            a.profile,
            self._draw_mask(rng),
            stats_b.normalize(crop_b.mel),
            crop_b.source,
            crop_b.perturbed,
            excitation_mel(crop_b.f0_hz, self.spec),
            excitation_mel(transform_f0(crop_b.f0_hz, crop_b.stats, stats_a), self.spec),
            b.condition,
            b.profile,
            self._draw_mask(rng),
        ]

    def _draw_crop(self, drawn: _Source, is_unknown: bool, rng: np.random.Generator) -> _Crop:
        """Draw a crop; `is_unknown` says whether conversion must estimate its statistics."""
        speaker = drawn.speaker
        recording = speaker.recordings[int(rng.choice(len(drawn.shares), p=drawn.shares))]
        start = int(rng.integers(max(1, len(recording.f0_hz) - self.n_frames + 1)))
        stats = self._source_stats(speaker, 0, rng) if is_unknown else speaker.stats[0]
        mel = self._cut(recording.mels[0], start)
        variant = int(rng.integers(len(recording.mels))) if self.is_perturbed else 0
        place, corruption = _Place(speaker, recording, start), None
        if self.corrupted and rng.random() < self.corrupted:
            corruption = draw_corruption(self.spec, rng)
            perturbed, _ = self._corrupt(place, variant, corruption, rng)
        else:
            perturbed = self._cut(recording.mels[variant], start)
            perturbed = self._source_stats(speaker, variant, rng).normalize(perturbed)
        if self.is_perturbed:
            if self.bends_bands:
                perturbed = bend_bands(perturbed, rng)
            perturbed = perturb_channel(perturbed, self.centres_hz, rng)
        is_replaced = is_unknown and rng.random() < self.perturbed_source
        if is_replaced:
            source = perturbed
        elif is_unknown and corruption is not None:
            source, stats = self._corrupt(place, 0, corruption, rng)
        else:
            source = stats.normalize(mel)
        f0_hz = recording.f0_hz[start : start + self.n_frames]
        f0_hz = np.pad(f0_hz, (0, self.n_frames - len(f0_hz)))
        return _Crop(mel=mel, f0_hz=f0_hz, stats=stats, source=source, perturbed=perturbed)

    def _corrupt(
        self, place: _Place, variant: int, corruption: Corruption, rng: np.random.Generator
    ) -> tuple[NDArray[np.float32], DomainStats]:
        """Corrupt a stretch around a crop; return the normalised crop and the stretch's statistics.

        A conversion, too, knows only the corrupted recording's statistics.
        """
        seconds = np.exp(rng.uniform(*np.log(STRETCH_S)))
        length = max(self.n_frames, round(seconds * self.spec.frame_rate))
        f0_hz = place.recording.f0_hz
        earliest = max(0, place.start + self.n_frames - length)
        latest = max(earliest, min(place.start, len(f0_hz) - length))
        first = int(rng.integers(earliest, latest + 1))
        part = slice(first, min(len(f0_hz), first + length))
        other = None
        if corruption.speaker_snr_db is not None:
            sources = (*self.sources_a, *self.sources_b)
            others = [s for s in sources if s.speaker is not place.speaker]
            drawn = others[int(rng.integers(len(others)))]
            recording = drawn.speaker.recordings[int(rng.choice(len(drawn.shares), p=drawn.shares))]
            start = int(rng.integers(max(1, len(recording.f0_hz) - self.n_frames + 1)))
            other = recording.mels[0][start : start + length].astype(np.float32)
        mel = place.recording.mels[variant][part].astype(np.float32)
        mel = corrupt_mel(mel, corruption, self.spec, other)
        sums = sum_frames(mel, f0_hz[part])
        stats = estimate_stats(sums, self.prior or place.speaker.stats[variant])
        return stats.normalize(self._cut(mel, place.start - first)), stats

    def _source_stats(
        self, speaker: Speaker, variant: int, rng: np.random.Generator
    ) -> DomainStats:
        if self.prior is None:
            return speaker.stats[variant]
        return draw_stats(speaker, variant, self.prior, rng)

    def _cut(self, mel: NDArray[np.floating], start: int) -> NDArray[np.float32]:
        crop = mel[start : start + self.n_frames].astype(np.float32)
        missing = self.n_frames - len(crop)
        return np.pad(crop, ((0, missing), (0, 0)), constant_values=np.log(self.spec.log_floor))

    def _draw_mask(self, rng: np.random.Generator) -> NDArray[np.float32]:
        mask = np.ones((self.n_frames, 1), np.float32)
        length = int(rng.integers(self.max_masked_frames + 1))
        start = int(rng.integers(self.n_frames - length + 1))
        mask[start : start + length] = 0
        return mask
