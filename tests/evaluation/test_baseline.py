import numpy as np
import pytest

from voxcycle.audio.f0 import extract_f0
from voxcycle.audio.level import active_level_db
from voxcycle.audio.mel import LogMel, MelSpec
from voxcycle.audio.perturb import band_centres_hz
from voxcycle.audio.stats import DomainStats
from voxcycle.evaluation.baseline import convert_dsp, envelope_gain
from voxcycle.evaluation.metrics.pitch import compare_f0, requested_f0, source_statistics

SPEC = MelSpec()
RATE = 24_000


def test_gain_moves_the_mean_by_the_difference():
    mean = np.zeros(SPEC.n_mels, np.float32)
    shift = np.full(SPEC.n_mels, 0.5, np.float32)
    shift[40:] = 0.0
    source = DomainStats(mean, mean + 1, 5.0, 0.2)
    target = DomainStats(mean + shift, mean + 1, 5.0, 0.2)
    gain = envelope_gain(source, target, SPEC, 513)
    bins_hz = np.linspace(0, SPEC.sample_rate / 2, 513)
    centres = band_centres_hz(SPEC)
    # magnitudes by e^0.5, so power by e
    np.testing.assert_allclose(gain[bins_hz < centres[39]], np.e, rtol=1e-6)
    np.testing.assert_allclose(gain[bins_hz > centres[40]], 1.0, rtol=1e-6)


def test_baseline_obeys_pitch_and_keeps_length_and_loudness(make_speech, voice):
    speech = make_speech(1.5, RATE, 110.0)[:-123]
    converted = convert_dsp(speech, RATE, voice)
    assert converted.shape == speech.shape and converted.dtype == np.float32
    assert active_level_db(converted, RATE) == pytest.approx(active_level_db(speech, RATE), abs=0.1)
    at_spec = [
        np.interp(np.arange(0, len(x), RATE / SPEC.sample_rate), np.arange(len(x)), x).astype(
            np.float32
        )
        for x in (speech, converted)
    ]
    request = requested_f0(at_spec[0], voice)
    assert compare_f0(request, extract_f0(at_spec[1], SPEC)).rmse_semitones < 0.3


def test_band_levels_move_towards_the_target(make_speech, voice):
    import torch

    speech = make_speech(1.5, SPEC.sample_rate, 140.0)
    source = source_statistics(speech, extract_f0(speech, SPEC), voice)
    converted = convert_dsp(speech, SPEC.sample_rate, voice)

    def band_means(waveform: np.ndarray) -> np.ndarray:
        mel = LogMel(SPEC)(torch.from_numpy(waveform)[None])[0].numpy()
        return mel[:, 10:-10].mean(1)

    wanted = voice.target_stats.mel_mean - source.mel_mean
    moved = band_means(converted) - band_means(speech)
    moved, wanted = moved - moved.mean(), wanted - wanted.mean()  # loudness is kept apart
    assert np.corrcoef(moved, wanted)[0, 1] > 0.5
