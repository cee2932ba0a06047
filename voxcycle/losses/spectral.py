"""Distances between waveforms by their spectrograms, and the log-mel that gradients pass."""

from collections.abc import Sequence

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from voxcycle.audio.mel import MelSpec, mel_filterbank
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


class DifferentiableLogMel(nn.Module):
    """`audio.mel.LogMel` in PyTorch, for losses: (B, T) to (B, n_mels, F).

    T is at least half of `n_fft`. In float32, so 1e-4 of error 80 dB under a frame's maximum.
    """

    window: Tensor
    filters: Tensor

    def __init__(self, spec: MelSpec) -> None:
        super().__init__()
        self.spec = spec
        self.register_buffer("window", torch.hann_window(spec.win_length), persistent=False)
        self.register_buffer("filters", torch.from_numpy(mel_filterbank(spec)), persistent=False)

    def forward(self, waveform: Tensor) -> Tensor:
        """Map (B, T) in [-1, 1] to (B, n_mels, F)."""
        spec = self.spec
        pad = (spec.n_fft - spec.hop_length) // 2
        spectrum = torch.stft(
            F.pad(waveform, (pad, pad), mode="reflect"),
            spec.n_fft,
            hop_length=spec.hop_length,
            win_length=spec.win_length,
            window=self.window,
            center=False,
            return_complex=True,
        )[..., : waveform.shape[-1] // spec.hop_length]
        magnitude = torch.sqrt(spectrum.real.square() + spectrum.imag.square() + 1e-9)
        with torch.autocast(magnitude.device.type, enabled=False):
            mel = torch.matmul(self.filters, magnitude)
        return torch.log(mel.clamp(min=spec.log_floor))
