import numpy as np
import pytest

from voxcycle.audio.activity import find_activity
from voxcycle.audio.f0 import extract_f0
from voxcycle.audio.level import active_level_db
from voxcycle.audio.mel import LogMel, MelSpec
from voxcycle.audio.perturb import band_centres_hz
from voxcycle.audio.stats import DomainStats
from voxcycle.evaluation.metrics.pitch import compare_f0, requested_f0, source_statistics
from voxcycle.evaluation.systems import convert_dsp, copy_synthesis, envelope_gain
from voxcycle.vocoders.griffin_lim import GriffinLim

SPEC = MelSpec()
RATE = 24_000


def test_copy_synthesis_keeps_length_and_speech(make_speech):
    speech = make_speech(1.0, RATE)[:23_456]
    copied = copy_synthesis(speech, RATE, GriffinLim(SPEC))
    assert copied.shape == speech.shape
    speech_envelope, copied_envelope = (
        np.abs(w[: len(w) // 240 * 240]).reshape(-1, 240).mean(1) for w in (speech, copied)
    )
    shifts = range(-5, 6)  # of 10 ms
    correlations = [np.corrcoef(speech_envelope, np.roll(copied_envelope, s))[0, 1] for s in shifts]
    assert shifts[int(np.argmax(correlations))] == 0
    assert max(correlations) > 0.8  # Griffin-Lim's phases beat a little


def test_copy_synthesis_stays_within_full_scale(make_speech):
    """Audio that passes it would count as lost."""

    class Loud(GriffinLim):
        def decode(self, log_mel, f0_hz=None):
            return self.gain * super().decode(log_mel, f0_hz)

    speech, vocoder = make_speech(1.0, RATE), Loud(SPEC)
    vocoder.gain = 1.0
    plain = copy_synthesis(speech, RATE, vocoder)
    vocoder.gain = 3.0 / float(np.abs(plain).max())
    copied = copy_synthesis(speech, RATE, vocoder)
    assert np.abs(copied).max() == pytest.approx(10 ** (-0.1 / 20), rel=1e-4)
    assert np.allclose(copied / np.abs(copied).max(), plain / np.abs(plain).max(), atol=1e-4)


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
    speech = make_speech(1.5, SPEC.sample_rate, 140.0)
    source = source_statistics(speech, find_activity(speech, SPEC), voice)
    converted = convert_dsp(speech, SPEC.sample_rate, voice)

    def band_means(waveform):
        mel = LogMel(SPEC)(waveform).T
        return mel[:, 10:-10].mean(1)

    wanted = voice.target_stats.mel_mean - source.mel_mean
    moved = band_means(converted) - band_means(speech)
    moved, wanted = moved - moved.mean(), wanted - wanted.mean()  # loudness is kept apart
    assert np.corrcoef(moved, wanted)[0, 1] > 0.5
