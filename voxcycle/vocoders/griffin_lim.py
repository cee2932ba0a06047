"""Griffin-Lim: phase found by iteration; needs no weights."""

import torch
import torch.nn.functional as F
from torch import Tensor

from voxcycle.audio.mel import MelSpec, mel_filterbank
from voxcycle.vocoders import ChunkPosition

N_ITERATIONS = 32
N_UPDATES = 30  # of the mel inversion: mel error under 0.1 dB on speech
MOMENTUM = 0.99


class GriffinLim:
    """The fast Griffin-Lim algorithm (Perraudin et al., 2013) on inverted mels; see `Vocoder`.

    Results repeat. Phases depend on the whole call: chunks agree with the whole in spectrum only.
    """

    follows_f0 = False

    def __init__(self, spec: MelSpec) -> None:
        self.name = "griffin-lim"
        self.spec = spec
        self.context_frames = 2 * spec.n_fft // spec.hop_length
        self.filters = mel_filterbank(spec)  # (n_mels, n_freq)
        self.inverse = torch.linalg.pinv(self.filters)
        self.window = torch.hann_window(spec.win_length)

    @torch.no_grad()
    def decode(
        self, log_mel: Tensor, f0_hz: Tensor | None = None, position: ChunkPosition | None = None
    ) -> Tensor:
        """Render (B, n_mels, F) to (B, F * hop_length); F0 and position are not used."""
        import torchaudio.functional

        spec = self.spec
        n_samples = log_mel.shape[-1] * spec.hop_length
        # torchaudio centres its frame i at i * hop, `LogMel` at i * hop + hop / 2: with one frame
        # more in front, its frame 0 lies hop / 2 ahead of our sample 0. Those behind make even one
        # frame long enough for the reflection in its analysis.
        behind = spec.n_fft // (2 * spec.hop_length) + 1
        mel = F.pad(log_mel, (1, behind), mode="replicate").exp()
        # Non-negative magnitudes of these mels, (B, n_freq, F): the pseudo-inverse, then
        # multiplicative updates (Lee & Seung, 2001), which keep the sign.
        magnitude = torch.matmul(self.inverse, mel).clamp(min=1e-8)
        wanted = torch.matmul(self.filters.T, mel)
        for _ in range(N_UPDATES):
            got = torch.matmul(self.filters.T, torch.matmul(self.filters, magnitude))
            magnitude = magnitude * wanted / got.clamp(min=1e-12)
        waveform = torchaudio.functional.griffinlim(
            magnitude,
            self.window,
            spec.n_fft,
            spec.hop_length,
            spec.win_length,
            power=1.0,
            n_iter=N_ITERATIONS,
            momentum=MOMENTUM,
            length=n_samples + behind * spec.hop_length,
            rand_init=False,
        )
        start = spec.hop_length // 2
        return waveform[..., start : start + n_samples]
