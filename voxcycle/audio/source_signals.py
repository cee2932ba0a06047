"""The source of a source-filter vocoder: a band-limited pulse train at F0, noise, pulsed noise.

All are exact under chunking: the phase of a voiced stretch is a sum over the frames since its
onset, found once for a whole file (`onset_phases`); noise comes in blocks seeded by their index.
"""

import math

import numpy as np
from numpy.typing import NDArray

from voxcycle.audio.mel import MelSpec
from voxcycle.audio.noise import draw_normal

NOISE_BLOCK_FRAMES = 32
NOISE_LEAD_FRAMES = 2  # of noise before the first frame: a period of 60 Hz fits into them
PULSED_POWERS = (1, 4)  # of the envelopes of pulsed noise and of bursts
Floats = NDArray[np.float64]


def _held_f0(f0_hz: Floats) -> tuple[Floats, Floats, Floats]:
    """Return F0 of the frame before, of the frame, and of the frame after, (F,) each.

    An unvoiced neighbour counts as equal: F0 is held at both ends of a voiced stretch.
    """
    before, after = np.append(0.0, f0_hz[:-1]), np.append(f0_hz[1:], 0.0)
    return np.where(before > 0, before, f0_hz), f0_hz, np.where(after > 0, after, f0_hz)


def onset_phases(f0_hz: NDArray[np.float32], spec: MelSpec) -> Floats:
    """Return the pulse train's phase in turns at the start of every frame, (F,).

    It is 0 at every onset of voicing, then the sum of F0 over the samples since, by closed form.
    """
    before, here, after = _held_f0(np.asarray(f0_hz, np.float64))
    # The weights of linear interpolation sum to 3/4 of the frame for itself, 1/8 per neighbour.
    turns = (0.125 * before + 0.75 * here + 0.125 * after) * spec.hop_length / spec.sample_rate
    voiced = np.asarray(f0_hz) > 0
    sums = np.concatenate([[0.0], np.cumsum(np.where(voiced, turns, 0.0))])[:-1]
    is_onset = voiced & ~np.concatenate([[False], voiced[:-1]])
    at_onset = np.maximum.accumulate(np.where(is_onset, np.arange(len(voiced)), 0))
    return np.where(voiced, sums - sums[at_onset], 0.0) % 1.0


class StreamedPhases:
    """`onset_phases` of a contour that comes in pieces: phases carry on from piece to piece."""

    def __init__(self, spec: MelSpec) -> None:
        self._spec = spec
        self._held = np.zeros(2, np.float32)  # F0 of the last frames
        self._phase = 0.0  # at the start of the last one

    def push(self, f0_hz: NDArray[np.float32]) -> Floats:
        """Return the phases (F,) of the next frames."""
        contour = np.append(self._held, f0_hz)
        phases = onset_phases(contour, self._spec)
        stretch = slice(1, 1 + int(np.argmin(np.append(contour[1:] > 0, False))))
        phases[stretch] = (phases[stretch] - phases[1] + self._phase) % 1.0
        self._held, self._phase = contour[-2:], float(phases[-1])
        return phases[2:]


def source_signals(
    f0_hz: NDArray[np.float32],
    phases: Floats,
    noise: NDArray[np.float32],
    spec: MelSpec,
    n_sources: int = 4,
) -> NDArray[np.float32]:
    """Return what a source-filter vocoder filters: pulses, noise, pulsed noise, and bursts.

    Pulsed noise has an envelope that opens once per period, `1 + cos(phase)`, at unit power where
    voiced, zero elsewhere: turbulence in voiced sounds comes with the glottal pulse. Bursts have
    the fourth power of that envelope, so that they last a quarter of the period, and their noise is
    added to that of the period before: they resemble each other as the periods of a voice do.

    F0 (F,) is 0 where unvoiced, phases (F,) are of `onset_phases`, float64, and noise is of
    `noise_blocks`, with two frames before the first: ((NOISE_LEAD_FRAMES + F) * hop_length,). The
    result is (n_sources, F * hop_length); three sources lack the bursts.
    """
    hop = spec.hop_length
    voiced = np.asarray(f0_hz) > 0
    signals = np.zeros((n_sources, len(voiced), hop), np.float32)
    lead = NOISE_LEAD_FRAMES * hop
    signals[1] = noise[lead:].reshape(-1, hop)
    before, here, after = (f0[voiced, None] for f0 in _held_f0(np.asarray(f0_hz, np.float64)))
    position = (np.arange(hop) + 0.5) / hop - 0.5
    # F0 is linear between the frames' centres: (n_voiced, hop).
    sample_f0 = here + np.maximum(-position, 0) * (before - here)
    sample_f0 += np.maximum(position, 0) * (after - here)
    turns = sample_f0.cumsum(-1) - sample_f0  # since the start of the frame
    x = 2 * math.pi * ((phases[voiced, None] + turns / spec.sample_rate) % 1.0)
    signals[0, voiced] = pulse_train(x, sample_f0, spec)
    opening = ((1 + np.cos(x)) / 2).astype(np.float32)
    index = lead + np.arange(signals[1].size).reshape(-1, hop)[voiced]
    period = np.ceil(np.minimum(spec.sample_rate / sample_f0, lead)).astype(int)
    resembling = (signals[1, voiced] + noise[index - period]) / math.sqrt(2)
    noises = (signals[1, voiced], resembling)
    for signal, power, own in zip(signals[2:], PULSED_POWERS, noises, strict=False):
        # The mean square of the envelope over a period, by Wallis' integral.
        mean_square = math.comb(4 * power, 2 * power) / 4 ** (2 * power)
        signal[voiced] = own * opening**power / math.sqrt(mean_square)
    return signals.reshape(n_sources, -1)


def pulse_train(x: Floats, f0_hz: Floats, spec: MelSpec) -> Floats:
    """Return a band-limited pulse train of unit power at phase `x` in radians and F0, any shape.

    All harmonics below the Nyquist frequency at equal amplitude, in closed form: the Dirichlet
    kernel `sum over k = 1..K of cos(k x) = sin((K + 1/2) x) / (2 sin(x / 2)) - 1/2`, times
    `sqrt(2 / K)`.
    """
    n_harmonics = np.floor(spec.sample_rate / 2 / np.maximum(f0_hz, 1.0))
    half = np.sin(x / 2)
    is_peak = np.abs(half) < 1e-6
    kernel = np.sin((n_harmonics + 0.5) * x) / (2 * np.where(is_peak, 1.0, half)) - 0.5
    return np.where(is_peak, n_harmonics, kernel) * np.sqrt(2 / n_harmonics)


def noise_blocks(
    first_frame: int, n_frames: int, spec: MelSpec, seed: int = 0
) -> NDArray[np.float32]:
    """Return white noise of unit power for frames `first_frame` and on, (n_frames * hop_length,).

    Every block of 32 frames has its own seed: noise depends on its position in the file alone.
    Frames before the file have negative numbers.
    """
    first_block = first_frame // NOISE_BLOCK_FRAMES
    last_block = (first_frame + n_frames - 1) // NOISE_BLOCK_FRAMES
    noise = np.concatenate(
        [
            draw_normal(NOISE_BLOCK_FRAMES * spec.hop_length, (seed * 1_000_003 + block) % 2**63)
            for block in range(first_block, last_block + 1)
        ]
    )
    start = (first_frame - first_block * NOISE_BLOCK_FRAMES) * spec.hop_length
    return noise[start : start + n_frames * spec.hop_length]
