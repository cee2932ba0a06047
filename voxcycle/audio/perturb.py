"""Perturbations that make one speaker sound like another channel or another body.

A warp happens in the mel filterbank (`mel_filterbank(spec, warp)`): formants and harmonics move
together. A WORLD resynthesis moves them apart. Tilt, gain and low-pass act on mels that are already
normalised, where the normalisation cannot undo them.
"""

from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from voxcycle.audio.f0 import ANALYSIS_MS, import_pyworld, track_f0
from voxcycle.audio.mel import MelSpec


class Perturbation(NamedTuple):
    """Factors on formants and pitch. Equal ones warp the mel filterbank, others need WORLD."""

    formant: float
    pitch: float


# Fixed sets, so that mels and their statistics are computed once per file. The first entry is the
# recording itself.
WARPS = tuple(
    Perturbation(warp, warp) for warp in (1.0, 0.72, 0.79, 0.86, 0.93, 1.08, 1.17, 1.28, 1.4)
)
# Other bodies: pitch moves far and formants a little, as between speakers and sexes.
RESYNTHESES = (
    Perturbation(0.84, 0.55),
    Perturbation(0.92, 0.7),
    Perturbation(1.0, 0.6),
    Perturbation(1.06, 0.8),
    Perturbation(0.95, 1.25),
    Perturbation(1.0, 1.5),
    Perturbation(1.1, 1.4),
    Perturbation(1.18, 1.8),
)
MAX_TILT = 0.5  # deviations at the band edges
MAX_GAIN = 0.3  # deviations
LOW_PASS_SHARE = 0.15
LOW_PASS_HZ = (3400.0, 8000.0)
BEND_KNOTS = 5
MAX_BEND = 2.5  # bands


def band_centres_hz(spec: MelSpec) -> NDArray[np.float64]:
    """Return the centre frequency of each mel band, (n_mels,)."""
    import librosa

    return librosa.mel_frequencies(spec.n_mels + 2, fmin=spec.f_min, fmax=spec.f_max)[1:-1]


def perturb_channel(
    mel: NDArray[np.float32], centres_hz: NDArray[np.float64], rng: np.random.Generator
) -> NDArray[np.float32]:
    """Tilt, amplify and sometimes low-pass normalised mels (F, n_mels), as a channel would.

    Bands above the cutoff are 0, as the statistics of a source with empty bands make them.
    """
    slope = rng.uniform(-MAX_TILT, MAX_TILT) * np.linspace(-1, 1, mel.shape[1])
    out = mel + (slope + rng.uniform(-MAX_GAIN, MAX_GAIN))
    if rng.random() < LOW_PASS_SHARE:
        out[:, centres_hz > rng.uniform(*LOW_PASS_HZ)] = 0.0
    return out.astype(np.float32)


def bend_bands(mel: NDArray[np.float32], rng: np.random.Generator) -> NDArray[np.float32]:
    """Shift the formants of log-mels (F, n_mels) by a few bands each, as another vocal tract would.

    The shift varies smoothly over the bands, while a warp moves all formants by one factor.
    """
    n_mels = mel.shape[1]
    knots = np.linspace(0, n_mels - 1, BEND_KNOTS)
    bands = np.arange(n_mels)
    position = bands + np.interp(bands, knots, rng.uniform(-MAX_BEND, MAX_BEND, BEND_KNOTS))
    return _read_columns(mel, position)


def _read_columns(frames: NDArray[Any], position: NDArray[np.float64]) -> NDArray[Any]:
    """Interpolate the columns of frames (F, N) linearly at positions from 0 to N - 1."""
    position = np.clip(position, 0, frames.shape[1] - 1.001)
    low, share = position.astype(int), (position % 1).astype(frames.dtype)
    return frames[:, low] * (1 - share) + frames[:, low + 1] * share


class WorldSpeech(NamedTuple):
    """WORLD parameters of a waveform (Morise et al., 2016), 5 ms frames."""

    f0_hz: NDArray[np.float64]
    envelope: NDArray[np.float64]
    aperiodicity: NDArray[np.float64]


def analyse_world(waveform: NDArray[np.float32], sample_rate: int) -> WorldSpeech:
    """Split a waveform (T,) into F0, spectral envelope and aperiodicity."""
    pyworld = import_pyworld()
    signal = waveform.astype(np.float64)
    f0_hz, times = track_f0(signal, sample_rate)
    return WorldSpeech(
        f0_hz,
        pyworld.cheaptrick(signal, f0_hz, times, sample_rate),
        pyworld.d4c(signal, f0_hz, times, sample_rate),
    )


def resynthesize(
    speech: WorldSpeech, perturbation: Perturbation, sample_rate: int, n_samples: int
) -> NDArray[np.float32]:
    """Return the waveform (n_samples,) with formants and pitch moved by their own factors."""
    position = np.arange(speech.envelope.shape[1]) / perturbation.formant
    waveform = import_pyworld().synthesize(
        speech.f0_hz * perturbation.pitch,
        np.ascontiguousarray(_read_columns(speech.envelope, position)),
        np.ascontiguousarray(_read_columns(speech.aperiodicity, position)),
        sample_rate,
        ANALYSIS_MS,
    )
    return np.pad(waveform, (0, max(0, n_samples - len(waveform))))[:n_samples].astype(np.float32)
