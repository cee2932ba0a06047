import numpy as np
import pytest

from voxcycle.audio.f0 import extract_f0
from voxcycle.audio.mel import MelSpec
from voxcycle.conversion import pitch_correction as correction
from voxcycle.conversion.frames import SpooledFrames
from voxcycle.conversion.pitch_correction import correct_pitch, playback_rates, warp_time

SPEC = MelSpec()
N_FRAMES = 300
T = np.arange(N_FRAMES * SPEC.hop_length) / SPEC.sample_rate


def make_voice(f0_hz):
    """Return 30 harmonics of an F0 contour (T,), falling by 6 dB an octave, over a faint hiss."""
    phase = 2 * np.pi * np.cumsum(f0_hz) / SPEC.sample_rate
    voice = sum(np.sin(k * phase) / k for k in range(1, 31))
    noise = np.random.default_rng(0).standard_normal(len(f0_hz))
    return (0.1 * voice + 1e-4 * noise).astype(np.float32)


def correct(waveform, wanted_hz):
    with SpooledFrames(1) as rendered, SpooledFrames(1) as corrected:
        rendered.append(waveform)
        wanted_hz = wanted_hz.astype(np.float32)
        correct_pitch(
            rendered, wanted_hz, spec=SPEC, corrected=corrected, advance=lambda share: None
        )
        assert len(corrected) == len(waveform)
        return corrected.read(0, len(waveform))[:, 0]


def rms_error_semitones(waveform, wanted_hz):
    measured = extract_f0(waveform, SPEC)
    voiced = (measured > 0) & (wanted_hz > 0)
    assert voiced.sum() > 0.9 * (wanted_hz > 0).sum()
    return float(np.sqrt(np.mean((12 * np.log2(measured[voiced] / wanted_hz[voiced])) ** 2)))


def test_a_voice_that_wobbles_is_brought_to_the_wanted_pitch(monkeypatch):
    wobbling = make_voice(110 * 2 ** (np.sin(2 * np.pi * 5 * T) / 12))  # 0.71 semitones RMS
    wanted = np.full(N_FRAMES, 110.0)
    assert rms_error_semitones(wobbling, wanted) == pytest.approx(0.71, abs=0.1)
    whole = correct(wobbling, wanted)
    assert rms_error_semitones(whole, wanted) < 0.2
    monkeypatch.setattr(correction, "BLOCK_STEPS", 50)
    assert np.abs(whole - correct(wobbling, wanted)).max() < 1e-4 * np.abs(whole).max()  # -80 dB


def test_a_voice_with_the_wanted_pitch_hardly_moves():
    voice = make_voice(np.full(len(T), 150.0))
    speed = playback_rates(extract_f0(voice, SPEC), np.full(N_FRAMES, 150.0))
    lead = warp_time(speed, len(voice), SPEC)
    lead -= correction.STEP * np.arange(len(lead))
    # SwiftF0 reads a steady 150 Hz 0.45 % low, which moves time by 0.0045 * 0.1 s.
    assert np.abs(lead).max() < 6e-4 * SPEC.sample_rate


def test_what_is_unvoiced_stays_to_the_last_bit():
    noise = 0.1 * np.random.default_rng(1).standard_normal(len(T)).astype(np.float32)
    corrected = correct(noise, np.zeros(N_FRAMES))
    assert np.abs(corrected - noise).max() < 1e-6  # a spline passes through its points


def test_speeds_leave_octave_errors_and_pauses_alone():
    measured = np.array([100, 100, 100, 0, 100], np.float32)
    wanted = np.array([100, 105, 200, 100, 0], np.float32)
    assert playback_rates(measured, wanted) == pytest.approx([1, 1.05, 1, 1, 1])


def test_time_comes_back_to_the_true_one():
    """At a speed of 1.05 the lead settles at 0.05 of the time constant; after it, it decays."""
    speed = np.ones(N_FRAMES)
    speed[50:200] = 1.05
    n_samples = N_FRAMES * SPEC.hop_length
    lead_s = warp_time(speed, n_samples, SPEC) - correction.STEP * np.arange(n_samples // 64 + 1)
    lead_s = lead_s / SPEC.sample_rate
    assert lead_s.max() == pytest.approx(0.05 * correction.RETURN_S, rel=0.02)
    assert abs(lead_s[-1]) < 1e-6
