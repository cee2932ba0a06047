"""The log-mel analysis: `MelSpec` holds its numbers, `LogMel` computes it.

The defaults are those of the published HiFi-GAN vocoders (Kong et al., 2020), so that any of them
can render what this package makes.
"""

from dataclasses import asdict, dataclass

import numpy as np
from numpy.typing import NDArray

from voxcycle.audio.blas import one_blas_thread

HZ_PER_MEL, BREAK_HZ = 200 / 3, 1000.0  # of Slaney's scale, which is linear up to the break
BREAK_MEL, LOG_STEP = BREAK_HZ / HZ_PER_MEL, np.log(6.4) / 27
PIECE_FRAMES = 256  # transformed at a time

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


def hz_to_mel(hertz: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return Slaney's mel scale: linear up to 1 kHz, then logarithmic."""
    linear = hertz / HZ_PER_MEL
    above = BREAK_MEL + np.log(np.maximum(hertz, BREAK_HZ) / BREAK_HZ) / LOG_STEP
    return np.where(hertz >= BREAK_HZ, above, linear)


def mel_to_hz(mel: NDArray[np.float64]) -> NDArray[np.float64]:
    """Invert `hz_to_mel`."""
    above = BREAK_HZ * np.exp(LOG_STEP * (np.maximum(mel, BREAK_MEL) - BREAK_MEL))
    return np.where(mel >= BREAK_MEL, above, HZ_PER_MEL * mel)


def band_edges_hz(spec: MelSpec) -> NDArray[np.float64]:
    """Return the edges of the bands, (n_mels + 2,); band i has its centre at edge i + 1."""
    low, high = hz_to_mel(np.array([spec.f_min, spec.f_max], np.float64))
    return mel_to_hz(np.linspace(low, high, spec.n_mels + 2))


def mel_filterbank(spec: MelSpec, warp: float = 1.0) -> NDArray[np.float32]:
    """Return Slaney-normalised mel filters, (n_mels, n_fft // 2 + 1).

    They read the spectrum S(f) as S(f / warp): with a warp above 1, formants and harmonics move up
    together. The warped axis ends at a whole number of Hz. A warp below 1 leaves the highest bands
    without bins.
    """
    edges = band_edges_hz(spec)
    hertz = np.linspace(0, round(spec.sample_rate * warp / 2), spec.n_fft // 2 + 1)
    widths = np.diff(edges)
    rising = (hertz - edges[:-2, None]) / widths[:-1, None]
    falling = (edges[2:, None] - hertz) / widths[1:, None]
    triangles = np.maximum(0, np.minimum(rising, falling))
    return (triangles * (2 / (edges[2:] - edges[:-2]))[:, None]).astype(np.float32)


def hann(n_samples: int) -> NDArray[np.float64]:
    """Return the periodic Hann window, (n_samples,)."""
    return 0.5 - 0.5 * np.cos(2 * np.pi * np.arange(n_samples) / n_samples)


class LogMel:
    """Waveform to natural-log mel magnitudes, `ln(max(floor, mel(sqrt(re^2 + im^2 + 1e-9))))`."""

    def __init__(self, spec: MelSpec | None = None) -> None:
        self.spec = spec or MelSpec()
        self.filters = mel_filterbank(self.spec)
        # As `torch.stft` does, a shorter window is centred in the transform.
        before = (self.spec.n_fft - self.spec.win_length) // 2
        after = self.spec.n_fft - self.spec.win_length - before
        self._window = np.pad(hann(self.spec.win_length), (before, after))

    def magnitude(self, waveform: NDArray[np.floating]) -> NDArray[np.float32]:
        """Return the linear magnitude spectrogram: (..., T) to (..., F, n_fft // 2 + 1).

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
        others = [(0, 0)] * (waveform.ndim - 1)
        padded = np.pad(np.pad(waveform, [*others, (0, missing)]), [*others, (pad, pad)], "reflect")
        frames = np.lib.stride_tricks.sliding_window_view(padded, spec.n_fft, axis=-1)
        frames = frames[..., :: spec.hop_length, :][..., :n_frames, :]
        magnitude = np.empty((*frames.shape[:-1], spec.n_fft // 2 + 1), np.float32)
        for start in range(0, n_frames, PIECE_FRAMES):  # bounds the memory
            part = (..., slice(start, start + PIECE_FRAMES), slice(None))
            # In float64: float32 transforms leave 1e-4 of error 80 dB under a frame's maximum.
            spectrum = np.fft.rfft(frames[part] * self._window)
            magnitude[part] = np.sqrt(spectrum.real**2 + spectrum.imag**2 + 1e-9)
        return magnitude

    def project(
        self, magnitude: NDArray[np.float32], filters: NDArray[np.float32] | None = None
    ) -> NDArray[np.float32]:
        """Return log-mels of a magnitude spectrogram: (..., F, n_freq) to (..., F, n_mels)."""
        with one_blas_thread():
            mel = magnitude @ (self.filters if filters is None else filters).T
        return np.log(np.maximum(mel, np.float32(self.spec.log_floor)))

    def __call__(self, waveform: NDArray[np.floating]) -> NDArray[np.float32]:
        """Map (..., T) in [-1, 1] to (..., F, n_mels)."""
        return self.project(self.magnitude(waveform))
