"""Pitch correction: the waveform is warped in time by milliseconds until its F0 is as requested.

A vocoder that sees mels alone must guess the pitch of low voices, whose harmonics share mel bands:
HiFi-GAN is off by 0.8 semitones (RMS) where F0 is near 110 Hz. The requested F0 is known, so the
error is measured and undone: where the voice is too low it is played faster, where too high slower.

The warped time is pulled back to the true one, so errors that come and go faster than about 1.6 Hz,
as a vocoder's do, are undone, and lasting ones (a voice that is flat throughout) are not.
"""

from array import array
from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

from voxcycle.audio.mel import MelSpec
from voxcycle.conversion.analysis import measure_power, read_steady, track_spooled_f0
from voxcycle.conversion.frames import SpooledFrames

MAX_ERROR_SEMITONES = 5.0  # larger ones are the tracker's (octaves) and are left alone
MAX_BELIEVED_SEMITONES = 7.0
MIN_VOICED_SHARE = 0.5  # of the requested frames, for an error to be believed
RETURN_S = 0.1  # time constant with which the warped time comes back to the true one
STEP = 64  # samples between nodes of the warped time
SINC_REACH = 16  # samples to either side that a sample between them depends on
BLOCK_STEPS = 1 << 11


def correct_pitch(
    waveform: SpooledFrames,
    f0_hz: NDArray[np.float32],
    spec: MelSpec,
    corrected: SpooledFrames,
    advance: Callable[[float], None],
) -> float:
    """Append the F * hop_length samples, their F0 corrected to `f0_hz` (F,), to `corrected`.

    Where F0 is right, the warped time returns to the true time with the time constant
    `RETURN_S`. Events move by a few milliseconds, by 33 ms where F0 is five semitones off for long.
    `advance` is called with the share done, 0 to 1. Returns the median error in semitones, which
    stays: only what changes is undone.
    """
    power = measure_power(read_steady(waveform, spec), spec)
    measured = track_spooled_f0(waveform, power, spec, lambda done: advance(0.9 * done))
    positions = warp_time(playback_rates(measured, f0_hz), len(waveform), spec)
    for first in range(0, len(positions) - 1, BLOCK_STEPS):
        nodes = positions[first : first + BLOCK_STEPS + 1]
        n_samples = min(STEP * (len(nodes) - 1), len(waveform) - STEP * first)
        wanted = np.interp(np.arange(n_samples), STEP * np.arange(len(nodes)), nodes)
        low, high = int(wanted[0]) - SINC_REACH, int(wanted[-1]) + 2 + SINC_REACH
        corrected.append(read_between(waveform.read(low, high)[:, 0], wanted - low))
    advance(1.0)
    voiced = (measured > 0) & (f0_hz > 0)
    errors = 12 * np.log2(measured[voiced] / f0_hz[voiced])
    believed = errors[np.abs(errors) < MAX_BELIEVED_SEMITONES]
    too_few = len(believed) <= MIN_VOICED_SHARE * (f0_hz > 0).sum()
    return 0.0 if too_few else float(np.median(believed))


def read_between(
    samples: NDArray[np.float32], positions: NDArray[np.float64]
) -> NDArray[np.float32]:
    """Return the values of samples (T,) at positions between them, by a windowed sinc.

    Every position has `SINC_REACH` samples before and after it.
    """
    whole = positions.astype(int)
    offsets = np.arange(1 - SINC_REACH, SINC_REACH + 1)
    signs, angles = (-1.0) ** offsets / np.pi, np.pi * offsets / SINC_REACH
    values = np.empty(len(positions), np.float32)
    for first in range(0, len(positions), BLOCK_STEPS):  # bounds the memory
        part = slice(first, first + BLOCK_STEPS)
        # Sine and window of a difference by those of its terms, a few per position.
        share = np.maximum(positions[part] - whole[part], 1e-9)[:, None]
        turn = np.pi * share / SINC_REACH
        window = 0.5 + 0.5 * (np.cos(turn) * np.cos(angles) + np.sin(turn) * np.sin(angles))
        weights = np.sin(np.pi * share) * signs / (share - offsets) * window
        values[part] = np.einsum("nk,nk->n", samples[whole[part, None] + offsets], weights)
    return values


def playback_rates(
    measured_hz: NDArray[np.float32], wanted_hz: NDArray[np.float32]
) -> NDArray[np.float64]:
    """Return how much faster each frame (F,) must be played, 1 where F0 is right."""
    voiced = (measured_hz > 0) & (wanted_hz > 0)
    ratio = np.where(voiced, wanted_hz / np.where(voiced, measured_hz, 1.0), 1.0)
    is_error = np.abs(12 * np.log2(ratio)) <= MAX_ERROR_SEMITONES
    return np.where(is_error, ratio, 1.0)


def warp_time(speed: NDArray[np.float64], n_samples: int, spec: MelSpec) -> NDArray[np.float64]:
    """Return where in the waveform to read, in samples, at every `STEP`th sample of the output.

    Position p moves by the speed at p, and is pulled back to the time t by (t - p) / `RETURN_S`.
    """
    n_nodes = -(-n_samples // STEP) + 1
    centres = (np.arange(len(speed)) + 0.5) * spec.hop_length / STEP
    at_nodes = array("d", np.interp(np.arange(n_nodes), centres, speed).tobytes())
    pull = STEP / (RETURN_S * spec.sample_rate)
    positions, position = np.empty(n_nodes), 0.0  # in steps
    for node in range(n_nodes):
        positions[node] = position
        here = min(max(int(position + 0.5), 0), n_nodes - 1)
        position += at_nodes[here] + pull * (node - position)
    return STEP * np.clip(positions, 0, n_nodes - 1)
