"""Magnitude spectrograms at several resolutions, for losses and discriminators of waveforms."""

from typing import NamedTuple

import torch
from torch import Tensor


class Resolution(NamedTuple):
    """An STFT: transform size, hop and window in samples."""

    n_fft: int
    hop_length: int
    win_length: int


RESOLUTIONS = (Resolution(512, 128, 512), Resolution(1024, 256, 1024), Resolution(2048, 512, 2048))
POWER_FLOOR = 1e-7


def stft_magnitude(waveform: Tensor, resolution: Resolution) -> Tensor:
    """Return magnitudes of (B, T): (B, n_freq, F), floored at 3e-4."""
    spectrum = torch.stft(
        waveform,
        resolution.n_fft,
        resolution.hop_length,
        resolution.win_length,
        torch.hann_window(resolution.win_length, device=waveform.device),
        return_complex=True,
    )
    power = spectrum.real.square() + spectrum.imag.square()
    return power.clamp(min=POWER_FLOOR).sqrt()
