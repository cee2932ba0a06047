"""The source of a source-filter vocoder: a band-limited pulse train at F0, noise, pulsed noise.

All are exact under chunking: the phase of a voiced stretch is a sum over the frames since its
onset, found once for a whole file (`onset_phases`); noise comes in blocks seeded by their index.
"""

import math

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from voxcycle.audio.mel import MelSpec

NOISE_BLOCK_FRAMES = 32


def _held_f0(f0_hz: Tensor) -> tuple[Tensor, Tensor, Tensor]:
    """Return F0 of the frame before, of the frame, and of the frame after, (B, F) each.

    An unvoiced neighbour counts as equal: F0 is held at both ends of a voiced stretch.
    """
    edge = torch.zeros_like(f0_hz[:, :1])
    before = torch.cat([edge, f0_hz[:, :-1]], 1)
    after = torch.cat([f0_hz[:, 1:], edge], 1)
    return torch.where(before > 0, before, f0_hz), f0_hz, torch.where(after > 0, after, f0_hz)


def onset_phases(f0_hz: NDArray[np.float32], spec: MelSpec) -> NDArray[np.float64]:
    """Return the pulse train's phase in turns at the start of every frame, (F,).

    It is 0 at every onset of voicing, then the sum of F0 over the samples since, by closed form.
    """
    f0 = torch.from_numpy(np.asarray(f0_hz, np.float64))[None]
    before, here, after = (values[0].numpy() for values in _held_f0(f0))
    # The weights of linear interpolation sum to 3/4 of the frame for itself, 1/8 per neighbour.
    turns = (0.125 * before + 0.75 * here + 0.125 * after) * spec.hop_length / spec.sample_rate
    voiced = np.asarray(f0_hz) > 0
    sums = np.concatenate([[0.0], np.cumsum(np.where(voiced, turns, 0.0))])[:-1]
    is_onset = voiced & ~np.concatenate([[False], voiced[:-1]])
    at_onset = np.maximum.accumulate(np.where(is_onset, np.arange(len(voiced)), 0))
    return np.where(voiced, sums - sums[at_onset], 0.0) % 1.0


def source_signals(f0_hz: Tensor, phases: Tensor, noise: Tensor, spec: MelSpec) -> Tensor:
    """Return what a source-filter vocoder filters: pulses, noise, and pulsed noise.

    Pulsed noise has an envelope that opens once per period, `1 + cos(phase)`, at unit power where
    voiced, zero elsewhere: turbulence in voiced sounds comes with the glottal pulse.

    F0 (B, F) is 0 where unvoiced, phases (B, F) are of `onset_phases`, float64, and noise
    (B, F * hop_length) is of `noise_blocks`. The result is (B, 3, F * hop_length).
    """
    hop = spec.hop_length
    before, here, after = (f0[..., None] for f0 in _held_f0(f0_hz.double()))
    position = (torch.arange(hop, device=f0_hz.device, dtype=torch.float64) + 0.5) / hop - 0.5
    # F0 is linear between the frames' centres: (B, F, hop).
    sample_f0 = here + (-position).clamp(min=0) * (before - here)
    sample_f0 = sample_f0 + position.clamp(min=0) * (after - here)
    turns = sample_f0.cumsum(-1) - sample_f0  # since the start of the frame
    x = 2 * math.pi * ((phases[..., None] + turns / spec.sample_rate) % 1.0)
    voiced = (f0_hz > 0)[..., None]
    pulses = pulse_train(x, sample_f0, spec) * voiced
    envelope = (1 + x.cos()) * math.sqrt(2 / 3) * voiced
    pulses, envelope = (s.flatten(1).to(noise.dtype) for s in (pulses, envelope))
    return torch.stack([pulses, noise, noise * envelope], 1)


def pulse_train(x: Tensor, f0_hz: Tensor, spec: MelSpec) -> Tensor:
    """Return a band-limited pulse train of unit power at phase `x` in radians and F0, any shape.

    All harmonics below the Nyquist frequency at equal amplitude, in closed form: the Dirichlet
    kernel `sum over k = 1..K of cos(k x) = sin((K + 1/2) x) / (2 sin(x / 2)) - 1/2`, times
    `sqrt(2 / K)`.
    """
    n_harmonics = (spec.sample_rate / 2 / f0_hz.clamp(min=1.0)).floor()
    half = (x / 2).sin()
    is_peak = half.abs() < 1e-6
    kernel = ((n_harmonics + 0.5) * x).sin() / (2 * torch.where(is_peak, 1.0, half)) - 0.5
    return torch.where(is_peak, n_harmonics, kernel) * (2 / n_harmonics).sqrt()


def noise_blocks(first_frame: int, n_frames: int, spec: MelSpec, seed: int = 0) -> Tensor:
    """Return white noise of unit power for frames `first_frame` and on, (n_frames * hop_length,).

    Every block of 32 frames has its own seed: noise depends on its position in the file alone.
    Frames before the file have negative numbers.
    """
    first_block = first_frame // NOISE_BLOCK_FRAMES
    last_block = (first_frame + n_frames - 1) // NOISE_BLOCK_FRAMES
    blocks = []
    for block in range(first_block, last_block + 1):
        generator = torch.Generator().manual_seed((seed * 1_000_003 + block) % 2**63)
        blocks.append(torch.randn(NOISE_BLOCK_FRAMES * spec.hop_length, generator=generator))
    start = (first_frame - first_block * NOISE_BLOCK_FRAMES) * spec.hop_length
    return torch.cat(blocks)[start : start + n_frames * spec.hop_length]
