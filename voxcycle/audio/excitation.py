"""Excitation mels: what a flat harmonic comb at a given F0 looks like to the mel analysis.

And what no voice has: partials below its fundamental.
"""

import functools
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from voxcycle.audio.f0 import F0_MAX_HZ, F0_MIN_HZ
from voxcycle.audio.mel import LogMel, MelSpec, band_edges_hz
from voxcycle.audio.noise import draw_normal

STEPS_PER_OCTAVE = 96  # an eighth of a semitone: neighbouring rows differ by less than 0.8 %
COMBS_FILE = Path(__file__).with_name("combs.npy")  # log F0, then n_mels columns
AROUND_F0 = (0.7, 1.4)  # times F0: bands of the fundamental; those below hold none of the voice
MAX_BELOW_DB = -25.0
COMB_FLOOR = -2.5  # floor between the harmonics of a high F0, in deviations of the table


@functools.lru_cache(maxsize=4)
def comb_table(spec: MelSpec) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    """Return (log F0 grid (R,), rows (R, n_mels)): normalised log-mels of combs.

    That of the default analysis is in the package: a tenth of a second less at the start.
    """
    if spec == MelSpec():
        table = np.load(COMBS_FILE, allow_pickle=False)
        return table[:, 0], table[:, 1:]
    return make_comb_table(spec)


def make_comb_table(spec: MelSpec) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    """Compute `comb_table`."""
    n_rows = int(np.ceil(np.log2(F0_MAX_HZ / F0_MIN_HZ) * STEPS_PER_OCTAVE)) + 1
    log_f0 = np.linspace(np.log(F0_MIN_HZ), np.log(F0_MAX_HZ), n_rows)
    n_samples = spec.n_fft  # with reflect padding, frame n_fft / hop / 2 sees unpadded samples
    times = (np.arange(2 * n_samples) - n_samples) / spec.sample_rate
    combs = np.zeros((n_rows, len(times)), np.float32)
    for row, f0 in enumerate(np.exp(log_f0)):
        # A sum of K cosines in closed form (Dirichlet kernel), K harmonics below Nyquist.
        n_harmonics = int(spec.sample_rate / 2 / f0)
        half = np.pi * f0 * times
        is_peak = np.abs(np.sin(half)) < 1e-9
        kernel = np.sin((2 * n_harmonics + 1) * half) / np.where(is_peak, 1.0, np.sin(half))
        combs[row] = np.where(is_peak, 2 * n_harmonics + 1, kernel) / np.sqrt(n_harmonics)
    log_mel = LogMel(spec)
    mel = np.concatenate([log_mel(part) for part in np.array_split(combs, n_rows // 16)])
    flat = log_mel(draw_normal(64 * n_samples, seed=0)).mean(0)  # what the filters' areas add
    middle = mel.shape[1] // 2
    rows = mel[:, middle - 2 : middle + 2].mean(1) - flat
    rows = (rows - rows.mean()) / rows.std(ddof=1)
    return log_f0.astype(np.float32), np.maximum(rows, COMB_FLOOR).astype(np.float32)


def excitation_mel(f0_hz: NDArray[np.float32], spec: MelSpec) -> NDArray[np.float32]:
    """Return the excitation of an F0 contour: (F,) Hz to (F, n_mels + 1).

    Voiced frames hold the log-mel of a flat harmonic comb at F0 (normalised once for the whole
    table) and a 1 in the last column; unvoiced frames are 0 throughout.
    """
    grid, rows = comb_table(spec)
    voiced = f0_hz > 0
    position = np.log(np.where(voiced, f0_hz, F0_MIN_HZ)) - grid[0]
    position = np.clip(position / (grid[1] - grid[0]), 0, len(grid) - 1.001)
    low = position.astype(int)
    share = (position - low)[:, None].astype(np.float32)
    comb = rows[low] * (1 - share) + rows[low + 1] * share
    out = np.concatenate([comb, np.ones((len(f0_hz), 1), np.float32)], axis=1)
    return (out * voiced[:, None]).astype(np.float32)


def clear_below_f0(
    log_mel: NDArray[np.float32], f0_hz: NDArray[np.float32], spec: MelSpec
) -> NDArray[np.float32]:
    """Return log-mels (F, n_mels) whose bands below F0 (F,) are 25 dB or more under it.

    Where a voice is asked for an F0 that it was not trained at, its generator leaves some of its
    usual fundamental, a murmur that is heard an octave too low. Unvoiced frames stay.
    """
    ratio = band_edges_hz(spec)[1:-1] / np.maximum(f0_hz, 1.0)[:, None]  # (F, n_mels)
    low, high = AROUND_F0
    fundamental = np.where((ratio >= low) & (ratio <= high), log_mel, -np.inf).max(1, keepdims=True)
    limit = fundamental + MAX_BELOW_DB * np.log(10) / 20
    is_below = (ratio < low) & (f0_hz[:, None] > 0) & np.isfinite(limit)
    return np.where(is_below, np.minimum(log_mel, limit), log_mel).astype(np.float32)
