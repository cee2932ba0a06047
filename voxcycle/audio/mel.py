"""The log-mel analysis: `MelSpec` holds its numbers, `LogMel` computes it.

The defaults are those of the published HiFi-GAN vocoders (Kong et al., 2020), so that any of them
can render what this package makes.
"""

import warnings
from dataclasses import asdict, dataclass

import torch
import torch.nn.functional as F
from torch import Tensor, nn
from torchaudio.functional import melscale_fbanks  # as librosa.filters.mel, 0.5 s faster to import

# Wider than any use: the numbers of a file's header are hostile until checked.
SPEC_LIMITS = {
    "sample_rate": (1_000, 384_000),
    "n_fft": (16, 1 << 16),
    "hop_length": (1, 1 << 16),
    "win_length": (16, 1 << 16),
    "n_mels": (1, 1024),
    "f_min": (0, 192_000),
    "f_max": (1, 192_000),
    "log_floor": (1e-12, 1),
}


@dataclass(frozen=True)
class MelSpec:
    """The only home of the analysis numbers.

    Frame i is centred at sample `i * hop_length + hop_length / 2`; a waveform of T samples has
    `T // hop_length` frames. Frequencies are in Hz, lengths in samples.
    """

    sample_rate: int = 22_050
    n_fft: int = 1024
    hop_length: int = 256
    win_length: int = 1024
    n_mels: int = 80
    f_min: float = 0.0
    f_max: float = 8000.0
    log_floor: float = 1e-5

    def __post_init__(self) -> None:
        for name, (low, high) in SPEC_LIMITS.items():
            value = getattr(self, name)
            if not isinstance(value, int | float) or not low <= value <= high:
                raise ValueError(f"{name}={str(value)[:40]} is not from {low} to {high}")

    @property
    def frame_rate(self) -> float:
        """Frames per second."""
        return self.sample_rate / self.hop_length

    def to_dict(self) -> dict[str, float]:
        """Return the fields, for a file header."""
        return asdict(self)

    def require_same(self, other: "MelSpec", ours: str, theirs: str) -> None:
        """Raise ValueError naming both sides and every differing field unless the specs agree."""
        mine, yours = asdict(self), asdict(other)
        differing = [k for k in mine if mine[k] != yours[k]]
        if differing:
            listed = ", ".join(f"{k} {mine[k]} against {yours[k]}" for k in differing)
            raise ValueError(
                f"{ours} and {theirs} use different mel analyses ({listed}): "
                "choose a voice and a vocoder that were made for the same one"
            )


def mel_filterbank(spec: MelSpec, warp: float = 1.0) -> Tensor:
    """Return Slaney-normalised mel filters, (n_mels, n_fft // 2 + 1).

    They read the spectrum S(f) as S(f / warp): with a warp above 1, formants and harmonics move up
    together. The warped axis ends at a whole number of Hz.
    """
    # On the CPU also where a network is only sketched on the meta device (models/weights.py).
    with torch.device("cpu"), warnings.catch_warnings():
        # A warp below 1 leaves the highest bands without bins, which is what it means.
        warnings.filterwarnings("ignore", message="At least one mel filterbank")
        filters = melscale_fbanks(
            spec.n_fft // 2 + 1,
            spec.f_min,
            spec.f_max,
            spec.n_mels,
            2 * round(spec.sample_rate * warp / 2),  # halved inside, in integers
            norm="slaney",
            mel_scale="slaney",
        )
    return filters.T.contiguous()


class LogMel(nn.Module):
    """Waveform to natural-log mel magnitudes, `ln(max(floor, mel(sqrt(re^2 + im^2 + 1e-9))))`."""

    window: Tensor
    filters: Tensor

    def __init__(self, spec: MelSpec | None = None) -> None:
        super().__init__()
        self.spec = spec or MelSpec()
        self.register_buffer("window", torch.hann_window(self.spec.win_length), persistent=False)
        self.register_buffer("filters", mel_filterbank(self.spec), persistent=False)

    def magnitude(self, waveform: Tensor) -> Tensor:
        """Return the linear magnitude spectrogram: (B, T) to (B, n_fft // 2 + 1, F).

        F is `T // hop_length`; at least one hop of samples is needed, else ValueError.
        """
        spec = self.spec
        if waveform.shape[-1] < spec.hop_length:
            raise ValueError(
                f"{waveform.shape[-1]} samples are too short for a mel spectrogram: "
                f"at least {spec.hop_length} are needed"
            )
        pad = (spec.n_fft - spec.hop_length) // 2
        # Reflection needs more samples than it adds: very short clips are first zero-padded.
        missing = max(0, pad + 1 - waveform.shape[-1])
        n_frames = waveform.shape[-1] // spec.hop_length
        padded = F.pad(F.pad(waveform, (0, missing)), (pad, pad), mode="reflect")
        # In float64: float32 transforms leave 1e-4 of error 80 dB under a frame's maximum.
        spectrum = torch.stft(
            padded.double(),
            spec.n_fft,
            hop_length=spec.hop_length,
            win_length=spec.win_length,
            window=self.window.double(),
            center=False,
            return_complex=True,
        )
        power = spectrum.real.square() + spectrum.imag.square()
        return torch.sqrt(power + 1e-9)[..., :n_frames].to(waveform.dtype)

    def project(self, magnitude: Tensor, filters: Tensor | None = None) -> Tensor:
        """Return log-mels of a magnitude spectrogram: (B, n_freq, F) to (B, n_mels, F)."""
        mel = torch.matmul(self.filters if filters is None else filters, magnitude)
        return torch.log(mel.clamp(min=self.spec.log_floor))

    def forward(self, waveform: Tensor) -> Tensor:
        """Map (B, T) in [-1, 1] to (B, n_mels, F)."""
        return self.project(self.magnitude(waveform))
