"""Perturbations that make one speaker sound like another channel or another body.

A warp happens in the mel filterbank (`mel_filterbank(spec, warp)`): formants and harmonics move
together. A WORLD resynthesis moves them apart.

Corruptions (a room's tail, noise, another speaker) act on the mels' power, so that no waveform is
needed: powers of independent sounds add. Levels are relative to the mean power of active speech.
"""

import functools
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from voxcycle.audio.mel import MelSpec, band_edges_hz, mel_filterbank
from voxcycle.audio.stats import active_frames
from voxcycle.audio.world import ANALYSIS_MS, import_pyworld, track_f0


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
LOW_PASS_HZ = (3400.0, 8000.0)
NOISE_SNR_DB = (5.0, 40.0)
SPEAKER_SNR_DB = (8.0, 25.0)
T60_S = (0.15, 0.8)  # at low bands
T60_SHARE_AT_TOP = (0.4, 0.9)  # of the T60 at low bands
DIRECT_TO_TAIL_DB = (-4.0, 12.0)
NOISE_TILT_DB = (-40.0, 10.0)  # from the lowest band to the highest
NOISE_BENDS = 6
NOISE_BEND_DB = 6.0  # deviation
TAIL_SHARE, NOISE_SHARE, SPEAKER_SHARE = 0.45, 0.65, 0.2  # of the corrupted stretches


def band_centres_hz(spec: MelSpec) -> NDArray[np.float64]:
    """Return the centre frequency of each mel band, (n_mels,)."""
    return band_edges_hz(spec)[1:-1]


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


class Corruption(NamedTuple):
    """What is done to a stretch; None leaves a part out.

    Attributes:
        seed: of the fluctuations.
        t60_s: (n_mels,), time in which the tail of each band decays by 60 dB.
        direct_to_tail_db: power of the speech over that of its tail.
        noise_db: (n_mels,), spectrum of the noise, up to a constant.
        noise_snr_db: speech over noise.
        speaker_snr_db: speech over the other speaker.
    """

    seed: int
    t60_s: NDArray[np.float64] | None
    direct_to_tail_db: float
    noise_db: NDArray[np.float64] | None
    noise_snr_db: float
    speaker_snr_db: float | None


def draw_corruption(spec: MelSpec, rng: np.random.Generator) -> Corruption:
    """Draw one, two or all three parts."""
    has_tail, has_noise, has_speaker = rng.random(3) < (TAIL_SHARE, NOISE_SHARE, SPEAKER_SHARE)
    place = np.linspace(0, 1, spec.n_mels)
    t60_s = noise_db = None
    if has_tail:
        low = np.exp(rng.uniform(*np.log(T60_S)))
        t60_s = low * rng.uniform(*T60_SHARE_AT_TOP) ** place
    if has_noise or not (has_tail or has_speaker):
        knots = np.linspace(0, 1, NOISE_BENDS)
        bends = np.interp(place, knots, rng.normal(0, NOISE_BEND_DB, NOISE_BENDS))
        noise_db = rng.uniform(*NOISE_TILT_DB) * place + bends
    return Corruption(
        seed=int(rng.integers(2**31)),
        t60_s=t60_s,
        direct_to_tail_db=rng.uniform(*DIRECT_TO_TAIL_DB),
        noise_db=noise_db,
        noise_snr_db=rng.uniform(*NOISE_SNR_DB),
        speaker_snr_db=rng.uniform(*SPEAKER_SNR_DB) if has_speaker else None,
    )


def corrupt_mel(
    log_mel: NDArray[np.float32],
    corruption: Corruption,
    spec: MelSpec,
    speaker: NDArray[np.float32] | None = None,
) -> NDArray[np.float32]:
    """Return a corrupted stretch of clean log-mels (F, n_mels).

    What is before the part of interest feeds its tail. A corruption with another speaker needs
    that speaker's log-mels (G, n_mels), which are repeated where shorter.
    """
    from scipy.signal import lfilter

    rng = np.random.default_rng(corruption.seed)
    speech = np.exp(2 * log_mel.astype(np.float64))
    hertz, freedom = _band_widths(spec)
    level = (speech[active_frames(log_mel)] * hertz).sum(1).mean()

    def fluctuate() -> NDArray[np.float64]:
        """Draw how the power of Gaussian noise varies around its mean: a gamma distribution."""
        return rng.gamma(freedom, 1 / freedom, speech.shape)

    total = speech
    if corruption.t60_s is not None:  # what arrives after the direct sound, decaying exponentially
        decay = 10 ** (-6 / (corruption.t60_s * spec.frame_rate))
        share = 10 ** (-corruption.direct_to_tail_db / 10) * (1 - decay) / decay
        tail = np.empty_like(speech)
        for band, (d, s) in enumerate(zip(decay, share, strict=True)):
            tail[:, band] = lfilter([0.0, s * d], [1.0, -d], speech[:, band])
        total = total + tail * fluctuate()
    if corruption.noise_db is not None:
        noise = 10 ** (corruption.noise_db / 10)
        noise *= level * 10 ** (-corruption.noise_snr_db / 10) / (noise * hertz).sum()
        total = total + noise * fluctuate()
    if corruption.speaker_snr_db is not None and speaker is not None:
        other = np.exp(2 * speaker.astype(np.float64))
        own = (other[active_frames(speaker)] * hertz).sum(1).mean()
        gain = level / own * 10 ** (-corruption.speaker_snr_db / 10)
        total = total + gain * np.resize(other, speech.shape)
    return np.maximum(0.5 * np.log(total), np.log(spec.log_floor)).astype(np.float32)


@functools.cache
def _band_widths(spec: MelSpec) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Return the width of each band in Hz, and how many independent bins it averages."""
    filters = mel_filterbank(spec).astype(np.float64)
    sums = filters.sum(1)
    bin_hz = spec.sample_rate / spec.n_fft
    # The window's main lobe makes neighbouring bins alike: 1.5 of them count as one.
    bins = sums**2 / (filters**2).sum(1) / 1.5
    return 1 / np.maximum(filters.max(1), 1e-9) + bin_hz, np.maximum(bins, 1.0)
