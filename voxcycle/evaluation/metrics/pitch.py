"""Pitch: distance of the output's F0 from the requested contour.

No alignment in time: conversion keeps the duration, so frame i of the output corresponds to frame i
of the request. The target's own reading of the sentence is not used.
"""

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from voxcycle.audio.activity import Activity, find_activity
from voxcycle.audio.f0 import transform_f0
from voxcycle.audio.mel import LogMel
from voxcycle.audio.stats import DomainStats, estimate_stats, sum_frames
from voxcycle.voices.voice import Voice

GROSS_ERROR_SEMITONES = 5.0


class PitchErrors(NamedTuple):
    """Sums over frames, so that the errors of several files add to those of the whole.

    Attributes:
        n_frames: frames compared.
        n_both: frames voiced in both contours.
        n_gross: of these, frames off by at least 5 semitones.
        n_voicing: frames voiced in one contour only.
        sum_square: squared errors in semitones, over the frames of `n_both` that are not gross.
    """

    n_frames: int
    n_both: int
    n_gross: int
    n_voicing: int
    sum_square: float

    @property
    def n_fine(self) -> int:
        """Frames voiced in both contours and not gross."""
        return self.n_both - self.n_gross

    @property
    def rmse_semitones(self) -> float:
        """Root mean square of the errors under 5 semitones; NaN without any."""
        return float(np.sqrt(self.sum_square / self.n_fine)) if self.n_fine else float("nan")

    @property
    def gross_rate(self) -> float:
        """Share of gross errors among frames voiced in both; NaN without any."""
        return self.n_gross / self.n_both if self.n_both else float("nan")

    @property
    def voicing_error_rate(self) -> float:
        """Share of all frames whose voicing differs; NaN without frames."""
        return self.n_voicing / self.n_frames if self.n_frames else float("nan")


def compare_f0(requested: NDArray[np.float32], measured: NDArray[np.float32]) -> PitchErrors:
    """Compare two F0 contours (F,) in Hz, 0 = unvoiced, over the frames that both have."""
    n_frames = min(len(requested), len(measured))
    wanted, found = requested[:n_frames], measured[:n_frames]
    both = (wanted > 0) & (found > 0)
    errors = 12 * np.log2(found[both].astype(np.float64) / wanted[both])
    gross = np.abs(errors) >= GROSS_ERROR_SEMITONES
    return PitchErrors(
        n_frames=n_frames,
        n_both=int(both.sum()),
        n_gross=int(gross.sum()),
        n_voicing=int(((wanted > 0) != (found > 0)).sum()),
        sum_square=float((errors[~gross] ** 2).sum()),
    )


def requested_f0(source: NDArray[np.float32], voice: Voice) -> NDArray[np.float32]:
    """Return the contour (F,) in Hz requested for a source (T,) at the voice's analysis rate."""
    found = find_activity(source, voice.spec)
    return transform_f0(found.f0_hz, source_statistics(source, found, voice), voice.target_stats)


def source_statistics(source: NDArray[np.float32], found: Activity, voice: Voice) -> DomainStats:
    """Return the statistics of a source (T,): stored in the voice, or of this recording."""
    if not voice.is_any_to_one:
        return voice.source_stats
    mel = LogMel(voice.spec)(found.level(source))
    return estimate_stats(sum_frames(mel, found.f0_hz, found.speech), voice.source_stats)
