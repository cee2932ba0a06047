"""`DomainStats`: the statistics of a speaker, or of a file, that normalise mels and F0."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from voxcycle.audio.level import ACTIVE_RANGE_DB

MIN_MEL_STD = 0.3  # band-limited sources have empty upper bands
# Prior weights of `estimate_stats`, in frames: how much data outweighs the prior. The level of a
# band and the mean of F0 settle within a second, deviations of F0 need whole sentences.
MEL_MEAN_PRIOR = 20.0
MEL_STD_PRIOR = 100.0
F0_MEAN_PRIOR = 10.0
F0_STD_PRIOR = 800.0


@dataclass(frozen=True)
class DomainStats:
    """Mean and deviation of log-mels over active frames (n_mels,), and of ln F0 over voiced ones.

    F0 is in Hz; a band's deviation is at least 0.3.
    """

    mel_mean: NDArray[np.float32]
    mel_std: NDArray[np.float32]
    log_f0_mean: float
    log_f0_std: float

    def normalize(self, mel: NDArray[np.float32]) -> NDArray[np.float32]:
        """Map log-mels (F, n_mels) to zero mean and unit deviation per band."""
        return (mel - self.mel_mean) / self.mel_std

    def denormalize(self, mel: NDArray[np.float32]) -> NDArray[np.float32]:
        """Invert `normalize`."""
        return mel * self.mel_std + self.mel_mean

    def to_dict(self) -> dict[str, Any]:
        """Return plain numbers, for a file header."""
        return {
            "mel_mean": [round(float(v), 5) for v in self.mel_mean],
            "mel_std": [round(float(v), 5) for v in self.mel_std],
            "log_f0_mean": self.log_f0_mean,
            "log_f0_std": self.log_f0_std,
        }

    @classmethod
    def from_dict(cls, values: dict[str, Any], n_mels: int) -> "DomainStats":
        """Build from `to_dict`'s result; ValueError where it is none of so many bands."""
        mel_mean, mel_std = (np.array(values[key], np.float32) for key in ("mel_mean", "mel_std"))
        log_f0 = [float(values[key]) for key in ("log_f0_mean", "log_f0_std")]
        if mel_mean.shape != (n_mels,) or mel_std.shape != (n_mels,):
            raise ValueError(
                f"statistics of {mel_mean.shape} and {mel_std.shape}, not {n_mels} bands"
            )
        if not np.isfinite([*mel_mean, *mel_std, *log_f0]).all() or min(*mel_std, log_f0[1]) <= 0:
            raise ValueError("statistics that are not finite, or deviations that are not positive")
        return cls(mel_mean, mel_std, *log_f0)


class FrameSums(NamedTuple):
    """Sums over active (mels) and voiced (F0) frames; those of a union of files add up exactly."""

    n_active: float
    mel: NDArray[np.float64]
    mel_square: NDArray[np.float64]
    n_voiced: float
    log_f0: float
    log_f0_square: float


def frame_level_db(mel: NDArray[np.float32]) -> NDArray[np.float32]:
    """Return the level of each frame of a log-mel (F, n_mels) in dB, up to a constant."""
    mel = np.asarray(mel, np.float32)
    return (10 * np.log10(np.exp(2 * mel).sum(axis=-1))).astype(np.float32)


def active_frames(mel: NDArray[np.float32]) -> NDArray[np.bool_]:
    """Mark the frames within 40 dB of the 95th percentile of the level, (F, n_mels) to (F,)."""
    level = frame_level_db(mel)
    return level >= np.percentile(level, 95) - ACTIVE_RANGE_DB


def sum_frames(
    mel: NDArray[np.float32], f0_hz: NDArray[np.float32], active: NDArray[np.bool_] | None = None
) -> FrameSums:
    """Sum a file's log-mels (F, n_mels) over active frames, and ln F0 (F,) over voiced ones."""
    if active is None:
        active = active_frames(mel)
    frames = np.asarray(mel)[active].astype(np.float64)
    log_f0 = np.log(f0_hz[f0_hz > 0].astype(np.float64))
    return FrameSums(
        n_active=float(len(frames)),
        mel=frames.sum(0),
        mel_square=(frames**2).sum(0),
        n_voiced=float(len(log_f0)),
        log_f0=float(log_f0.sum()),
        log_f0_square=float((log_f0**2).sum()),
    )


def add_sums(sums: Sequence[FrameSums]) -> FrameSums:
    """Add the sums of several files."""
    return FrameSums(*(sum(column) for column in zip(*sums, strict=True)))


def compute_stats(sums: FrameSums) -> DomainStats:
    """Return the plain statistics of a domain; ValueError where nothing is active or voiced."""
    if sums.n_active < 1 or sums.n_voiced < 1:
        raise ValueError("no voiced speech in the data: statistics need at least some")
    mean, std = _find_moments(sums.mel, sums.mel_square, sums.n_active)
    f0_mean, f0_std = _find_moments(sums.log_f0, sums.log_f0_square, sums.n_voiced)
    return DomainStats(
        mean.astype(np.float32),
        np.maximum(std, MIN_MEL_STD).astype(np.float32),
        float(f0_mean),
        float(max(f0_std, 0.01)),
    )


def estimate_stats(sums: FrameSums, prior: DomainStats) -> DomainStats:
    """Return the statistics of an unknown speaker, each shrunk towards `prior` by its reliability.

    A mean over n frames is `(sum + k * prior mean) / (n + k)`; deviations are averaged the
    same way. With no voiced frame the prior's F0 remains.
    """
    n, v = sums.n_active, sums.n_voiced
    _, own_std = _find_moments(sums.mel, sums.mel_square, n)
    _, own_f0_std = _find_moments(sums.log_f0, sums.log_f0_square, v)
    mean = (sums.mel + MEL_MEAN_PRIOR * prior.mel_mean) / (n + MEL_MEAN_PRIOR)
    std = (n * own_std + MEL_STD_PRIOR * prior.mel_std) / (n + MEL_STD_PRIOR)
    f0_mean = (sums.log_f0 + F0_MEAN_PRIOR * prior.log_f0_mean) / (v + F0_MEAN_PRIOR)
    f0_std = (v * own_f0_std + F0_STD_PRIOR * prior.log_f0_std) / (v + F0_STD_PRIOR)
    return DomainStats(
        mean.astype(np.float32),
        np.maximum(std, MIN_MEL_STD).astype(np.float32),
        float(f0_mean),
        float(f0_std),
    )


def _find_moments(total: Any, square: Any, n: float) -> tuple[Any, Any]:
    """Return mean and deviation of n values from their sum and sum of squares; 0 for none."""
    mean = total / max(n, 1)
    return mean, np.sqrt(np.maximum(square / max(n, 1) - mean**2, 0))


def average_stats(stats: Sequence[DomainStats]) -> DomainStats:
    """Return the prior of a pool of speakers: the mean of their means and of their deviations."""
    return DomainStats(
        np.mean([s.mel_mean for s in stats], axis=0).astype(np.float32),
        np.mean([s.mel_std for s in stats], axis=0).astype(np.float32),
        float(np.mean([s.log_f0_mean for s in stats])),
        float(np.mean([s.log_f0_std for s in stats])),
    )
