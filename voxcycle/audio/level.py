"""Levels of a recording: active loudness, analysis level."""

import functools
from collections.abc import Iterable, Iterator

import numpy as np
from numpy.typing import NDArray

ANALYSIS_LEVEL_DB = -23.0
ACTIVE_RANGE_DB = 40.0
LEVEL_HOP_S = 0.01
FLOOR_DB = -120.0
RUMBLE_HZ = 60.0  # 0.1 dB are lost at 76 Hz, the lowest voices; 37 dB at 35 Hz, a bump on the table
RUMBLE_ORDER = 8
RESPONSE_FLOOR = 1e-7
RUMBLE_PIECE = 4  # times the response's length are filtered at a time


def remove_rumble(
    blocks: Iterable[NDArray[np.float32]], sample_rate: int
) -> Iterator[NDArray[np.float32]]:
    """Yield consecutive blocks without what is below voices: DC and its steps, bumps, wind."""
    n_rest = len(rumble_response(sample_rate)) - 1
    rest = np.zeros(n_rest)  # of what came before
    for block in blocks:
        filtered = np.concatenate([rest, np.zeros(len(block))])
        longest = min(len(block), RUMBLE_PIECE * n_rest)
        n_fft = 1 << (longest + n_rest - 1).bit_length()
        for start in range(0, len(block), n_fft - n_rest):  # by overlap-add
            part = block[start : start + n_fft - n_rest].astype(np.float64)
            spectrum = np.fft.rfft(part, n_fft) * _rumble_spectrum(sample_rate, n_fft)
            sums = filtered[start : start + len(part) + n_rest]
            sums += np.fft.irfft(spectrum, n_fft)[: len(sums)]
        yield filtered[: len(block)].astype(np.float32)
        rest = filtered[len(block) :]


@functools.lru_cache(maxsize=8)
def _rumble_spectrum(sample_rate: int, n_fft: int) -> NDArray[np.complex128]:
    return np.fft.rfft(rumble_response(sample_rate), n_fft)


@functools.lru_cache(maxsize=8)
def rumble_response(sample_rate: int) -> NDArray[np.float64]:
    """Return the impulse response of a digital Butterworth high-pass, to -140 dB.

    By the bilinear transform, as a sum over its poles; those come in conjugate pairs.
    """
    n_pairs = RUMBLE_ORDER // 2
    warped = np.tan(np.pi * RUMBLE_HZ / sample_rate)
    # Poles of the low-pass on the unit circle; the high-pass has their reciprocals.
    angles = np.pi * (2 * np.arange(n_pairs) + RUMBLE_ORDER + 1) / (2 * RUMBLE_ORDER)
    analogue = warped / np.exp(1j * angles)
    poles = (1 + analogue) / (1 - analogue)
    everyone = np.concatenate([poles, poles.conj()])
    gain = np.prod((1 + everyone) / 2).real  # all zeros are at z = 1: unity at half the rate
    # H(z) = gain (1 - 1/z)^N / prod(1 - p/z): a constant and one geometric series per pole.
    others = np.array([np.prod(1 - np.delete(everyone, i) / p) for i, p in enumerate(poles)])
    residues = gain * (1 - 1 / poles) ** RUMBLE_ORDER / others
    constant = gain / np.prod(everyone).real
    n_samples = int(np.ceil(np.log(RESPONSE_FLOOR) / np.log(np.abs(poles).max())))
    response = 2 * (residues[:, None] * poles[:, None] ** np.arange(n_samples)).sum(0).real
    response[0] += constant
    return response


def frame_power(waveform: NDArray[np.float32], hop: int) -> NDArray[np.float64]:
    """Return the mean power of consecutive frames of `hop` samples, (T,) to (ceil(T / hop),)."""
    n_frames = -(-len(waveform) // hop)
    padded = np.pad(waveform, (0, n_frames * hop - len(waveform)))
    return np.square(padded.reshape(n_frames, hop), dtype=np.float64).mean(axis=1)


def to_db(power: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return a mean power in dB re full scale, not below -120."""
    return 10 * np.log10(np.maximum(power, 10 ** (FLOOR_DB / 10)))


def active_power(power: NDArray[np.float64]) -> float:
    """Return the mean power over frames within 40 dB of the 95th percentile; 0 for silence."""
    threshold = np.percentile(power, 95) * 10 ** (-ACTIVE_RANGE_DB / 10)
    active = power[(power >= threshold) & (power > 0)]
    return float(active.mean()) if len(active) else 0.0


def active_level_db(waveform: NDArray[np.float32], sample_rate: int) -> float:
    """Return the active loudness in dBFS: RMS over active 10 ms frames; -inf for silence."""
    power = active_power(frame_power(waveform, round(sample_rate * LEVEL_HOP_S)))
    return 10 * np.log10(power) if power > 0 else float("-inf")
