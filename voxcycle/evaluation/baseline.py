"""The DSP baseline, which any voice must beat: WORLD with the means of mel and F0 moved."""

import numpy as np
from numpy.typing import NDArray

from voxcycle.audio.f0 import ANALYSIS_MS, extract_f0, import_pyworld, transform_f0
from voxcycle.audio.level import active_level_db, normalize_level
from voxcycle.audio.mel import MelSpec
from voxcycle.audio.perturb import analyse_world, band_centres_hz
from voxcycle.audio.resample import resample
from voxcycle.audio.stats import DomainStats
from voxcycle.evaluation.metrics.pitch import source_statistics
from voxcycle.voices.voice import Voice


def convert_dsp(
    recording: NDArray[np.float32], sample_rate: int, voice: Voice
) -> NDArray[np.float32]:
    """Convert a recording (T,) to a voice's statistics by WORLD; same rate, length and loudness.

    F0 by the log-Gaussian transform, the spectral envelope by the difference of both speakers' mean
    log-mels, aperiodicity unchanged (the classic baseline of CycleGAN-VC's line of papers, which
    moves mel-cepstral means where this moves those of mel bands). The statistics of the source
    are those that the voice uses.
    """
    pyworld = import_pyworld()
    spec = voice.spec
    signal = resample(recording, sample_rate, spec.sample_rate)
    signal = normalize_level(signal, spec.sample_rate)
    source = source_statistics(signal, extract_f0(signal, spec), voice)
    speech = analyse_world(signal, spec.sample_rate)
    gain = envelope_gain(source, voice.target_stats, spec, speech.envelope.shape[1])
    f0_hz = transform_f0(speech.f0_hz.astype(np.float32), source, voice.target_stats)
    waveform = pyworld.synthesize(
        f0_hz.astype(np.float64),
        speech.envelope * gain,
        speech.aperiodicity,
        spec.sample_rate,
        frame_period=ANALYSIS_MS,
    ).astype(np.float32)
    waveform = resample(waveform, spec.sample_rate, sample_rate)[: len(recording)]
    waveform = np.pad(waveform, (0, len(recording) - len(waveform)))
    gain_db = active_level_db(recording, sample_rate) - active_level_db(waveform, sample_rate)
    factor = min(10 ** (gain_db / 20), 1 / float(np.abs(waveform).max()))  # full scale at most
    return (waveform * factor).astype(np.float32)


def envelope_gain(
    source: DomainStats, target: DomainStats, spec: MelSpec, n_bins: int
) -> NDArray[np.float64]:
    """Return the factor on each bin of a power envelope (n_bins,) from 0 to half the rate."""
    shift = (target.mel_mean - source.mel_mean).astype(np.float64)  # of ln magnitude
    bins_hz = np.linspace(0, spec.sample_rate / 2, n_bins)
    return np.exp(2 * np.interp(bins_hz, band_centres_hz(spec), shift))
