import numpy as np
import pytest

from voxcycle.audio.f0 import (
    F0_MAX_HZ,
    F0_MIN_HZ,
    extract_f0,
    interpolate_f0,
    limit_f0,
    transform_f0,
)
from voxcycle.audio.mel import MelSpec
from voxcycle.audio.stats import DomainStats

SPEC = MelSpec()


def make_stats(f0_hz: float, std: float) -> DomainStats:
    return DomainStats(np.zeros(80, np.float32), np.ones(80, np.float32), float(np.log(f0_hz)), std)


@pytest.mark.parametrize(("start_hz", "end_hz"), [(90.0, 180.0), (320.0, 160.0)])
def test_a_chirp_is_tracked_within_one_per_cent(start_hz, end_hz):
    n_samples = 2 * SPEC.sample_rate
    t = np.arange(n_samples) / SPEC.sample_rate
    rate = np.log(end_hz / start_hz) / 2.0
    phase = 2 * np.pi * start_hz * np.expm1(rate * t) / rate  # the integral of the frequency
    chirp = sum(np.sin(k * phase) / k for k in range(1, 12)).astype(np.float32) * 0.1
    found = extract_f0(chirp, SPEC)
    assert len(found) == n_samples // SPEC.hop_length
    centres = (np.arange(len(found)) + 0.5) * SPEC.hop_length / SPEC.sample_rate
    inner = (centres > 0.1) & (centres < 1.9)  # DIO needs some periods to either side
    expected = start_hz * np.exp(rate * centres[inner])
    # An octave in 2 s moves by 0.4 % in a hop: reading frames a hop off would show as well.
    np.testing.assert_allclose(found[inner], expected, rtol=0.01)
    assert abs(np.mean(found[inner] / expected - 1)) < 0.001


def test_noise_and_silence_are_unvoiced():
    assert not extract_f0(np.zeros(22_050, np.float32), SPEC).any()
    noise = np.random.default_rng(0).standard_normal(22_050).astype(np.float32) * 0.1
    assert np.mean(extract_f0(noise, SPEC) > 0) < 0.3  # DIO hears some pitch in any noise


def test_interpolation_is_logarithmic_and_keeps_the_nearest_voicing():
    times = np.array([0.0, 0.005, 0.010, 0.015])
    f0_hz = np.array([100.0, 400.0, 0.0, 0.0])
    at = np.array([0.0025, 0.005, 0.009, 0.014])
    found = interpolate_f0(f0_hz, times, at + 1e-9)
    np.testing.assert_allclose(found, [200.0, 400.0, 0.0, 0.0], rtol=1e-5)
    assert not interpolate_f0(np.zeros(4), times, at).any()


def test_log_gaussian_transform_by_hand():
    source, target = make_stats(100.0, 0.2), make_stats(200.0, 0.3)
    f0_hz = np.array([100.0, 100 * np.exp(0.2), 0.0], np.float32)
    found = transform_f0(f0_hz, source, target)
    # the mean goes to the mean; one deviation up goes one deviation up
    np.testing.assert_allclose(found, [200.0, 200 * np.exp(0.3), 0.0], rtol=1e-5)
    octave = transform_f0(f0_hz, source, target, shift_semitones=12)
    np.testing.assert_allclose(octave[:2], 2 * found[:2], rtol=1e-5)


def test_the_ratio_of_deviations_is_kept_within_two():
    wide = transform_f0(np.array([110.0], np.float32), make_stats(100, 0.1), make_stats(100, 0.9))
    narrow = transform_f0(np.array([110.0], np.float32), make_stats(100, 0.9), make_stats(100, 0.1))
    np.testing.assert_allclose(wide, 100 * 1.1**2, rtol=1e-5)
    np.testing.assert_allclose(narrow, 100 * 1.1**0.5, rtol=1e-5)


def test_transformed_f0_stays_in_the_range_of_the_excitation():
    stats = make_stats(100.0, 0.2)
    f0_hz = np.array([100.0, 0.0], np.float32)
    assert list(transform_f0(f0_hz, stats, make_stats(900.0, 0.2))) == [F0_MAX_HZ, 0]
    assert list(transform_f0(f0_hz, stats, make_stats(30.0, 0.2))) == [F0_MIN_HZ, 0]


def test_f0_is_kept_within_the_range_of_the_excitation():
    f0_hz = np.array([200.0, 0.0, 1e4, 1.0], np.float32)
    assert list(limit_f0(f0_hz)) == [200.0, 0.0, F0_MAX_HZ, F0_MIN_HZ]
