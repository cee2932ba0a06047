"""The source-filter vocoder: a small network shapes a pulse train and noise in the STFT domain.

Harmonics and noise of the neural source-filter models (Wang et al., 2019) with the ConvNeXt and the
inverse STFT of Vocos (Siuzdak, 2023). The phase of the harmonics, which other vocoders must invent,
comes from the pulse train; the network predicts level and delay of its bins, and the noise's level.
"""

from typing import Any

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from voxcycle.audio.f0 import F0_MAX_HZ, F0_MIN_HZ
from voxcycle.audio.mel import MelSpec, hann
from voxcycle.audio.stft import Resolution, stft_magnitude
from voxcycle.runtime.source_filter import (
    LOG_F0_MEAN,
    LOG_F0_STD,
    LOG_MEL_MEAN,
    LOG_MEL_STD,
    MAX_LOG_GAIN,
    MIN_ENVELOPE,
    PITCH_BLOCKS,
    PITCH_EXPANSION,
    PITCH_KERNEL,
    PITCH_WIDTH,
    breath_shares,
    check_filters,
    count_context_frames,
    invert_filterbank,
    spread_factor,
)

# What discriminators see of speech at -23 dBFS has about unit size: softer, they hardly learn.
WAVEFORM_GAIN = 10.0
LOG_MAGNITUDE_MEAN, LOG_MAGNITUDE_STD = -4.0, 3.0


class CausalBlock(nn.Module):
    """A ConvNeXt block (Liu et al., 2022) on (B, F, C) that sees `look_ahead` frames ahead."""

    def __init__(self, width: int, kernel: int, expansion: int, look_ahead: int) -> None:
        super().__init__()
        self.padding = (kernel - 1 - look_ahead, look_ahead)
        self.depthwise = nn.Conv1d(width, width, kernel, groups=width)
        self.norm = nn.LayerNorm(width)
        self.expand = nn.Linear(width, width * expansion)
        self.contract = nn.Linear(width * expansion, width)

    def forward(self, x: Tensor) -> Tensor:
        """Map (B, F, width) to (B, F, width)."""
        h = self.depthwise(F.pad(x.transpose(1, 2), self.padding)).transpose(1, 2)
        return x + self.contract(F.gelu(self.expand(self.norm(h))))


class SpectralFrames(nn.Module):
    """The STFT whose frames share those of `LogMel` out, and its inverse by overlap-add."""

    window: Tensor

    def __init__(self, n_fft: int, hop_length: int) -> None:
        super().__init__()
        self.n_fft, self.hop_length = n_fft, hop_length
        self.pad = (n_fft - hop_length) // 2
        self.register_buffer("window", torch.hann_window(n_fft), persistent=False)

    def analyse(self, waveform: Tensor) -> Tensor:
        """Map (B, F * hop_length) to complex (B, n_freq, F); silence lies beyond both ends."""
        return torch.stft(
            F.pad(waveform, (self.pad, self.pad)),
            self.n_fft,
            self.hop_length,
            window=self.window,
            center=False,
            return_complex=True,
        )

    def synthesize(self, spectrum: Tensor) -> Tensor:
        """Map complex (B, n_freq, F) to (B, F * hop_length): the least-squares inverse."""
        n_frames = spectrum.shape[-1]
        frames = torch.fft.irfft(spectrum, dim=1) * self.window[:, None]  # (B, n_fft, F)
        squares = self.window.square()[None, :, None].expand(1, -1, n_frames)
        waveform, weight = (self._overlap_add(x, n_frames) for x in (frames, squares))
        return (waveform / weight.clamp(min=1e-3))[:, self.pad : -self.pad]

    def _overlap_add(self, frames: Tensor, n_frames: int) -> Tensor:
        n_fft, hop = self.n_fft, self.hop_length
        length = n_fft + (n_frames - 1) * hop
        folded = F.fold(frames, (1, length), (1, n_fft), stride=(1, hop))
        return folded[:, 0, 0]


class MelPitch(nn.Module):
    """F0 from log-mels alone, for mels that come without it."""

    def __init__(self, spec: MelSpec) -> None:
        super().__init__()
        self.embed = nn.Linear(spec.n_mels, PITCH_WIDTH)
        self.blocks = nn.ModuleList(
            CausalBlock(PITCH_WIDTH, PITCH_KERNEL, PITCH_EXPANSION, look_ahead=PITCH_KERNEL // 2)
            for _ in range(PITCH_BLOCKS)
        )
        self.out = nn.Linear(PITCH_WIDTH, 2)

    def forward(self, log_mel: Tensor) -> tuple[Tensor, Tensor]:
        """Map (B, n_mels, F) to the logits of voicing and to log F0 in Hz, (B, F) each."""
        x = self.embed((log_mel.transpose(1, 2) - LOG_MEL_MEAN) / LOG_MEL_STD)
        for block in self.blocks:
            x = block(x)
        voicing, log_f0 = self.out(x).float().unbind(-1)  # bf16 tells half a semitone at best
        return voicing, log_f0 * LOG_F0_STD + LOG_F0_MEAN

    @torch.no_grad()
    def estimate(self, log_mel: Tensor) -> Tensor:
        """Return F0 in Hz, (B, F), 0 where it is more likely unvoiced."""
        voicing, log_f0 = self(log_mel)
        return torch.where(voicing > 0, log_f0.exp().clamp(F0_MIN_HZ, F0_MAX_HZ), 0.0)


class SourceFilterVocoder(nn.Module):
    """Log-mels, a pulse train and noise to a waveform.

    Args:
        width: channels of the trunk.
        n_blocks: ConvNeXt blocks, causal but for the first.
        kernel, expansion: as in `VoiceGenerator`.
        look_ahead: frames ahead that the first block sees; all the latency of the network. Beside
            it there is the overlap of the filters' windows.
        has_prior: start from the amplitudes of the mel's pseudo-inverse, instead of from nothing.
        has_phase: predict a phase offset per bin of the pulse train.
        n_fft: of the filters, a part of the mel's; None takes the mel's. A short one resolves time.
        filters_per_frame: filters that share the time of a mel frame out.
        n_sources: of `source_signals`.
        breath: share of the pulses' amplitude that becomes bursts above 2 kHz; 0 in training, which
            leaves too few: losses that compare spectra prefer what does not vary by chance.
        noise_spread: power to which the magnitudes of the white noise's spectrum are raised. 1
            leaves it Gaussian, as in training; towards 0 it becomes even.
    """

    inverse_filters: Tensor
    breath_shares: Tensor

    def __init__(
        self,
        spec: MelSpec,
        width: int = 320,
        n_blocks: int = 8,
        kernel: int = 7,
        expansion: int = 3,
        look_ahead: int = 3,
        has_prior: bool = True,
        has_phase: bool = True,
        n_fft: int | None = None,
        filters_per_frame: int = 1,
        n_sources: int = 3,
        breath: float = 0.0,
        noise_spread: float = 1.0,
    ) -> None:
        super().__init__()
        self.spec = spec
        n_fft = check_filters(spec, n_fft, filters_per_frame, n_sources, breath, noise_spread)
        self.arguments: dict[str, Any] = {
            "width": width,
            "n_blocks": n_blocks,
            "kernel": kernel,
            "expansion": expansion,
            "look_ahead": look_ahead,
            "has_prior": has_prior,
            "has_phase": has_phase,
            "n_fft": n_fft,
            "filters_per_frame": filters_per_frame,
            "n_sources": n_sources,
            "breath": breath,
            "noise_spread": noise_spread,
        }
        self.filters_per_frame, self.n_sources = filters_per_frame, n_sources
        self.has_prior, self.has_phase = has_prior, has_phase
        self.frames = SpectralFrames(n_fft, spec.hop_length // filters_per_frame)
        n_freq = n_fft // 2 + 1
        self.context_frames = count_context_frames(spec, n_blocks, kernel, n_fft)
        self.embed = nn.Linear(spec.n_mels + 2, width)
        self.blocks = nn.ModuleList(
            CausalBlock(width, kernel, expansion, look_ahead if i == 0 else 0)
            for i in range(n_blocks)
        )
        self.norm = nn.LayerNorm(width)
        self.out = nn.Linear(width, filters_per_frame * n_freq * (n_sources + has_phase))
        nn.init.normal_(self.out.weight, std=0.01)
        nn.init.zeros_(self.out.bias)
        inverse = invert_filterbank(spec, n_fft).astype(np.float32)
        self.register_buffer("inverse_filters", torch.from_numpy(inverse), persistent=False)
        shares = torch.from_numpy(breath_shares(breath, n_fft, spec))[:, None]
        self.register_buffer("breath_shares", shares, persistent=False)
        self.of_unit_noise = float(np.sqrt(np.square(hann(spec.n_fft)).sum()))
        self.pitch = MelPitch(spec)

    def forward(self, log_mel: Tensor, f0_hz: Tensor, sources: Tensor) -> Tensor:
        """Render mels (B, n_mels, F) at F0 (B, F), 0 where unvoiced, as (B, F * hop_length).

        The sources, (B, n_sources, F * hop_length), are those of `source_signals`.
        """
        gains, offset = self.respond(log_mel, normalise_pitch(f0_hz))
        spectra = [self.frames.analyse(source) for source in sources.unbind(1)]
        spread = self.arguments["noise_spread"]
        if spread != 1:
            power = spectra[1].abs().square() / self.frames.window.square().sum()
            spectra[1] = spectra[1] * spread_factor(power, spread)
        if offset is not None:
            spectra[0] = spectra[0] * torch.polar(torch.ones_like(offset), offset)
        spectrum = torch.stack([s * g for s, g in zip(spectra, gains, strict=True)]).sum(0)
        return self.frames.synthesize(spectrum)

    def respond(self, log_mel: Tensor, pitch: Tensor) -> tuple[list[Tensor], Tensor | None]:
        """Return the filters' gain for every source and, with phases, the offset of the pulses.

        Of mels (B, n_mels, F) and `normalise_pitch` (B, F, 2); each result is (B, n_freq, F *
        filters_per_frame), the offset in radians.
        """
        mel = (log_mel.transpose(1, 2) - LOG_MEL_MEAN) / LOG_MEL_STD
        x = self.embed(torch.cat([mel, pitch], -1))  # (B, F, width)
        for block in self.blocks:
            x = block(x)
        # Phases, gains and all that follows are in float32, whatever the precision.
        responses = self.out(self.norm(x)).float()  # (B, F, n)
        n_filters, n_freq = self.filters_per_frame, len(self.inverse_filters)
        n_gains = n_filters * self.n_sources * n_freq
        log_gains = responses[..., :n_gains].unflatten(-1, (n_filters, self.n_sources, n_freq))
        offset = None
        if self.has_phase:
            offset = responses[..., n_gains:].unflatten(-1, (n_filters, n_freq))
            offset = offset.flatten(1, 2).transpose(1, 2)
        if self.has_prior:
            log_gains = log_gains + self._log_envelope(log_mel).transpose(1, 2)[:, :, None, None]
        gains = log_gains.clamp(max=MAX_LOG_GAIN).exp().flatten(1, 2)  # (B, F', n_sources, n_freq)
        by_source = [gain.transpose(1, 2) for gain in gains.unbind(2)]
        if self.arguments["breath"]:
            moved = by_source[0] * self.breath_shares
            by_source[0] = by_source[0] * (1 - self.breath_shares.square()).sqrt()
            by_source[-1] = (by_source[-1].square() + moved.square()).sqrt()
        return by_source, offset

    def _log_envelope(self, log_mel: Tensor) -> Tensor:
        """Return the log gain that gives noise of unit power these mels, (B, n_freq, F).

        The pseudo-inverse of the filterbank on the mel; where it is negative or above the last
        band, the floor.
        """
        with torch.autocast(log_mel.device.type, enabled=False):
            magnitude = torch.matmul(self.inverse_filters, log_mel.float().exp())
        return (magnitude / self.of_unit_noise).clamp(min=MIN_ENVELOPE).log()


def normalise_pitch(f0_hz: Tensor) -> Tensor:
    """Return log F0 near unit size and voicing, (B, F, 2), of F0 (B, F), 0 where unvoiced."""
    voiced = (f0_hz > 0).to(f0_hz.dtype)
    log_f0 = (f0_hz.clamp(min=1.0).log() - LOG_F0_MEAN) / LOG_F0_STD * voiced
    return torch.stack([log_f0, voiced], -1)


class SpectrogramDiscriminator(nn.Module):
    """D: scores patches of a log-magnitude spectrogram; no sigmoid (least squares).

    One resolution of the multi-resolution spectrogram discriminator (Jang et al., 2021, UnivNet).
    All hidden layers but the last halve the frequency axis.
    """

    def __init__(self, resolution: Resolution, width: int = 24) -> None:
        super().__init__()
        self.resolution = resolution
        self.layers = nn.ModuleList(
            nn.Conv2d(1 if i == 0 else width, width, (7, 5), stride, padding=(3, 2))
            for i, stride in enumerate([(2, 1), (2, 1), (2, 1), (1, 1)])
        )
        self.out = nn.Conv2d(width, 1, 3, padding=1)

    def forward(self, waveform: Tensor) -> tuple[Tensor, list[Tensor]]:
        """Score (B, T); returns scores (B, n) and the hidden layers' outputs."""
        x = stft_magnitude(waveform, self.resolution).log()[:, None]  # (B, 1, n_freq, F)
        x = (x - LOG_MAGNITUDE_MEAN) / LOG_MAGNITUDE_STD
        return _score(self.layers, self.out, x, slope=0.2)


class PeriodDiscriminator(nn.Module):
    """D: scores every p-th sample; no sigmoid (Kong et al., 2020, HiFi-GAN, section 2.3).

    Args:
        period: samples folded into one row.
        width: channels of the first layer; the others have 4 and 8 times as many.
    """

    def __init__(self, period: int, width: int = 32) -> None:
        super().__init__()
        self.period = period
        widths = [1, width, 4 * width, 8 * width, 8 * width]
        self.layers = nn.ModuleList(
            nn.Conv2d(n_in, n_out, (5, 1), (3, 1), padding=(2, 0))
            for n_in, n_out in zip(widths[:-1], widths[1:], strict=True)
        )
        self.out = nn.Conv2d(widths[-1], 1, (3, 1), padding=(1, 0))

    def forward(self, waveform: Tensor) -> tuple[Tensor, list[Tensor]]:
        """Score (B, T); returns scores (B, n) and the hidden layers' outputs."""
        missing = -waveform.shape[1] % self.period
        x = WAVEFORM_GAIN * F.pad(waveform, (0, missing)).unflatten(1, (-1, self.period))[:, None]
        return _score(self.layers, self.out, x, slope=0.1)


def _score(
    layers: nn.ModuleList, out: nn.Module, x: Tensor, slope: float
) -> tuple[Tensor, list[Tensor]]:
    features = []
    for layer in layers:
        x = F.leaky_relu(layer(x), slope)
        features.append(x)
    return out(x).flatten(1), features
