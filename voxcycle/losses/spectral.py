"""Distances between waveforms by their spectrograms at several resolutions."""

from collections.abc import Sequence

import torch
from torch import Tensor

from voxcycle.audio.stft import RESOLUTIONS, Resolution, stft_magnitude


def multi_resolution_stft_loss(
    fake: Tensor, real: Tensor, resolutions: Sequence[Resolution] = RESOLUTIONS
) -> dict[str, Tensor]:
    """Return the terms of Yamamoto et al. (2020, Parallel WaveGAN), Eq. 4 and 5, averaged.

    `spectral_convergence`: Frobenius norm of the difference over that of the real magnitude;
    `log_magnitude`: mean absolute difference of the natural logs. Waveforms are (B, T).
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
