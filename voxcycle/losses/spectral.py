"""Distances between waveforms by their spectrograms at several resolutions."""

from collections.abc import Sequence
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


def multi_resolution_stft_loss(
    fake: Tensor, real: Tensor, resolutions: Sequence[Resolution] = RESOLUTIONS
) -> dict[str, Tensor]:
    """Return the terms of Yamamoto et al. (2020, Parallel WaveGAN), Eq. 4 and 5, averaged.

    `spectral_convergence`: Frobenius norm of the difference over that of the real magnitude;
    `log_magnitude`: mean absolute difference of the natural logs.

    Args:
        fake: (B, T).
        real: (B, T).
        resolutions: of the transforms.
    """
    convergence, log_magnitude = [], []
    for resolution in resolutions:
        x, y = (stft_magnitude(waveform, resolution) for waveform in (fake, real))
        convergence.append(torch.linalg.norm(y - x) / torch.linalg.norm(y))
        log_magnitude.append((y.log() - x.log()).abs().mean())
    return {
        "spectral_convergence": torch.stack(convergence).mean(),
        "log_magnitude": torch.stack(log_magnitude).mean(),
    }
