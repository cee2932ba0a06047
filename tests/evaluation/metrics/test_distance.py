import numpy as np
import pytest

from voxcycle.evaluation.metrics.distance import (
    Cepstra,
    align,
    extract_cepstra,
    mel_cepstra,
    modulation_distance,
    modulation_spectrum,
)

pytest.importorskip("pysptk")
RATE = 22_050


def random_cepstra(n_frames, seed=0):
    rng = np.random.default_rng(seed)
    return Cepstra(rng.normal(size=(n_frames, 25)), rng.uniform(100, 200, n_frames))


def test_distortion_by_hand():
    x = random_cepstra(80)
    moved = x.frames.copy()
    moved[:, 3] += 0.1
    moved[:, 0] += 5.0  # loudness plays no part
    result = align(x, Cepstra(moved, x.f0_hz * 2 ** (1 / 12)))
    # the path stays on the diagonal: every pair is 0.1 apart
    assert result.mcd_db == pytest.approx(10 / np.log(10) * np.sqrt(2) * 0.1)
    assert result.f0_rmse_semitones == pytest.approx(1.0)
    assert result.f0_correlation == pytest.approx(1.0)


def test_a_slower_copy_is_no_distance():
    x = random_cepstra(60)
    twice = Cepstra(np.repeat(x.frames, 2, axis=0), np.repeat(x.f0_hz, 2))
    result = align(x, twice)
    assert result.mcd_db == pytest.approx(0, abs=1e-9)
    assert result.f0_rmse_semitones == pytest.approx(0, abs=1e-9)


def test_without_voiced_pairs_pitch_is_undefined():
    x = random_cepstra(40)
    result = align(x, Cepstra(x.frames, np.zeros(40)))
    assert result.mcd_db == 0
    assert np.isnan(result.f0_rmse_semitones) and np.isnan(result.f0_correlation)


def test_cepstra_are_those_of_the_warped_log_spectrum(make_speech):
    speech = make_speech(1.0, RATE)
    cepstra = extract_cepstra(speech, RATE)
    louder = extract_cepstra(speech * 2, RATE)
    # a gain of 2 is ln 4 of power: half of it in c0, whose basis function is 1
    # (float32 samples: 1e-5)
    np.testing.assert_allclose(louder.frames[:, 0] - cepstra.frames[:, 0], np.log(2), atol=1e-5)
    np.testing.assert_allclose(louder.frames[:, 1:], cepstra.frames[:, 1:], atol=1e-5)
    resampled = extract_cepstra(make_speech(1.0, 24_000), 24_000)
    assert align(cepstra, resampled).mcd_db < 2.0  # the same sound at another rate


def test_mel_cepstra_of_a_spectrum_made_of_them():
    """Definitions as documented: order 24, all-pass constant 0.42, written out here."""
    cepstra = np.random.default_rng(0).normal(size=(3, 25)) / (1 + np.arange(25)) ** 2
    w = np.linspace(0, np.pi, 513)  # as WORLD's analysis at 16 kHz
    warped = w + 2 * np.arctan(0.42 * np.sin(w) / (1 - 0.42 * np.cos(w)))
    log_magnitude = cepstra @ np.cos(np.arange(25)[:, None] * warped)
    found = mel_cepstra(np.exp(2 * log_magnitude))
    # the inverse warping is cut at the order and aliased a little
    np.testing.assert_allclose(found, cepstra, atol=1e-3)


def test_silence_is_cut_and_alone_refused(make_speech):
    speech = make_speech(1.0, RATE)
    padded = np.concatenate([np.zeros(RATE, np.float32), speech, np.zeros(RATE, np.float32)])
    n_frames, n_padded = (len(extract_cepstra(x, RATE).frames) for x in (speech, padded))
    assert abs(n_padded - n_frames) <= 8  # window edges, 20 ms a side
    for waveform in (np.zeros(RATE, np.float32), speech[:3000]):
        with pytest.raises(ValueError, match=r"0\.32 s"):
            extract_cepstra(waveform, RATE)


def test_modulation_of_a_sine_is_at_its_frequency():
    frames = np.zeros((640, 25))
    times = np.arange(640) * 0.005
    frames[:, 5] = np.sin(2 * np.pi * 12.5 * times)  # bin 12.5 / (200 / 64) = 4
    spectrum = modulation_spectrum(Cepstra(frames, np.zeros(640)))
    assert spectrum.shape == (24, 33)
    assert spectrum[4].argmax() == 4  # c5 is row 4
    # a Hann window of 64 passes a unit sine with (sum of window / 2)^2
    assert spectrum[4, 4] == pytest.approx(20 * np.log10(np.hanning(64).sum() / 2), abs=0.1)


def test_modulation_distance_by_hand():
    x = np.zeros((24, 33))
    y = x.copy()
    y[:, 0] = 100.0  # a mean says nothing about movement
    assert modulation_distance(x, y) == 0
    y[:, 1:] = 3.0
    assert modulation_distance(x, y) == pytest.approx(3.0)


def test_smoothed_speech_lacks_fast_modulation():
    x = random_cepstra(640)
    smoothed = np.stack([np.convolve(c, np.ones(8) / 8, "same") for c in x.frames.T], 1)
    loss = modulation_spectrum(Cepstra(smoothed, x.f0_hz)) - modulation_spectrum(x)
    assert loss[:, 16:].mean() < -10 < loss[:, 1:3].mean()
