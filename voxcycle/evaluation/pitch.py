"""Pitch: how far the F0 of the output is from the contour that was requested.

No alignment in time: conversion keeps the duration, so frame i of the output answers frame i of the
request. A reference speaker's own reading of the sentence plays no part.
"""

from typing import NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray

from voxcycle.audio.mel import LogMel, MelSpec
from voxcycle.audio.pitch import extract_f0, transform_f0
from voxcycle.audio.stats import DomainStats, estimate_stats, sum_frames

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
        n_frames,
        int(both.sum()),
        int(gross.sum()),
        int(((wanted > 0) != (found > 0)).sum()),
        float((errors[~gross] ** 2).sum()),
    )


def requested_f0(
    source: NDArray[np.float32],
    spec: MelSpec,
    source_stats: DomainStats,
    target_stats: DomainStats,
    estimate_source: bool,
) -> NDArray[np.float32]:
    """Return the contour (F,) in Hz that a conversion of `source` asks for.

    Args:
        source: the recording (T,) at the rate of `spec`.
        spec: the mel analysis of the voice.
        source_stats: the voice's domain a.
        target_stats: the voice's domain b.
        estimate_source: whether the source is anybody, so that its statistics are estimated from
            the recording with `source_stats` as prior, or the speaker of domain a.
    """
    f0_hz = extract_f0(source, spec)
    if estimate_source:
        with torch.inference_mode():
            mel = LogMel(spec)(torch.from_numpy(source)[None])[0].T.numpy()  # (F, n_mels)
        source_stats = estimate_stats(sum_frames(mel, f0_hz), source_stats)
    return transform_f0(f0_hz, source_stats, target_stats)
