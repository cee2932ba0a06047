"""Perturbations that make one speaker sound like another channel or another body.

The frequency warp happens in the mel filterbank (`mel_filterbank(spec, warp)`): formants and
harmonics move together. Tilt, gain and low-pass act on mels that are already normalised, where the
normalisation cannot undo them.
"""

import numpy as np
from numpy.typing import NDArray

from voxcycle.audio.mel import MelSpec

# A fixed set, so that warped mels and their statistics are computed once per file. Index 0 is the
# recording itself.
WARPS = (1.0, 0.72, 0.79, 0.86, 0.93, 1.08, 1.17, 1.28, 1.4)
MAX_TILT = 0.5  # deviations at the band edges
MAX_GAIN = 0.3  # deviations
LOW_PASS_SHARE = 0.15
LOW_PASS_HZ = (3400.0, 8000.0)


def band_centres_hz(spec: MelSpec) -> NDArray[np.float64]:
    """Return the centre frequency of each mel band, (n_mels,)."""
    import librosa

    return librosa.mel_frequencies(spec.n_mels + 2, fmin=spec.f_min, fmax=spec.f_max)[1:-1]


def perturb_channel(
    mel: NDArray[np.float32], centres_hz: NDArray[np.float64], rng: np.random.Generator
) -> NDArray[np.float32]:
    """Tilt, amplify and sometimes low-pass normalised mels (F, n_mels), as a channel would.

    A band above the cutoff of a low-pass is empty; its normalised value is 0, because the
    statistics of such a source are those of the empty band.
    """
    slope = rng.uniform(-MAX_TILT, MAX_TILT) * np.linspace(-1, 1, mel.shape[1])
    out = mel + (slope + rng.uniform(-MAX_GAIN, MAX_GAIN))
    if rng.random() < LOW_PASS_SHARE:
        out[:, centres_hz > rng.uniform(*LOW_PASS_HZ)] = 0.0
    return out.astype(np.float32)
