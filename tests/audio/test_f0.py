import numpy as np
import pytest

from voxcycle.audio.f0 import (
    F0_MAX_HZ,
    F0_MIN_HZ,
    drop_short_runs,
    extract_f0,
    import_pyworld,
    interpolate_f0,
    limit_f0,
    love_train,
    track_f0,
    transform_f0,
)
from voxcycle.audio.mel import MelSpec
from voxcycle.audio.stats import DomainStats

SPEC = MelSpec()
TIMES = np.arange(40) * 0.005 + 0.2


def make_stats(f0_hz, std):
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


def test_hiss_noise_and_silence_are_unvoiced():
    hiss = np.diff(np.random.default_rng(0).normal(size=2 * SPEC.sample_rate + 1))
    f0_hz, _ = track_f0(0.1 * hiss, SPEC.sample_rate)
    assert (f0_hz > 0).mean() < 0.02
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
    for source_std, target_std, ratio in ((0.1, 0.9, 2.0), (0.9, 0.1, 0.5)):
        source, target = make_stats(100, source_std), make_stats(100, target_std)
        found = transform_f0(np.array([110.0], np.float32), source, target)
        np.testing.assert_allclose(found, 100 * 1.1**ratio, rtol=1e-5)


def test_f0_stays_in_the_range_of_the_excitation():
    f0_hz = np.array([200.0, 0.0, 1e4, 1.0], np.float32)
    assert list(limit_f0(f0_hz)) == [200.0, 0.0, F0_MAX_HZ, F0_MIN_HZ]
    for mean_hz, limit in ((900.0, F0_MAX_HZ), (30.0, F0_MIN_HZ)):
        f0_hz, target = np.array([100.0, 0.0], np.float32), make_stats(mean_hz, 0.2)
        assert list(transform_f0(f0_hz, make_stats(100.0, 0.2), target)) == [limit, 0]


def sines(*frequencies):
    t = np.arange(SPEC.sample_rate // 2) / SPEC.sample_rate
    return sum(np.sin(2 * np.pi * f * t) for f in frequencies)


@pytest.mark.parametrize("f0_hz", [80.0, 150.0, 400.0])
def test_the_share_is_that_of_the_power_below_4_khz(f0_hz):
    # equal sines at 1 and 6 kHz: half of the power; at 1 and 2 kHz: all of it
    track = np.full(len(TIMES), f0_hz)
    half = love_train(sines(1000, 6000), track, TIMES, SPEC.sample_rate)
    assert np.abs(half - 0.5).max() < 0.02
    assert love_train(sines(1000, 2000), track, TIMES, SPEC.sample_rate).min() > 0.999
    assert love_train(sines(5000, 6000), track, TIMES, SPEC.sample_rate).max() < 0.001


def test_frames_without_f0_have_no_share():
    track = np.where(np.arange(len(TIMES)) % 2, 150.0, 0.0)
    share = love_train(sines(1000), track, TIMES, SPEC.sample_rate)
    assert np.array_equal(share > 0, track > 0)


def test_the_decisions_agree_with_worlds_own_love_train():
    """D4C with a threshold sets the aperiodicity of a frame that it calls unvoiced to 1."""
    pyworld = import_pyworld()
    rng = np.random.default_rng(0)
    t = np.arange(SPEC.sample_rate) / SPEC.sample_rate
    buzz = sum(np.sin(2 * np.pi * 140 * k * t) / k for k in range(1, 40))
    hiss = np.diff(rng.normal(size=SPEC.sample_rate + 1))
    signal = np.where(t % 0.25 < 0.125, buzz, hiss)
    times = np.arange(0, 1, 0.005)
    track = np.full(len(times), 140.0)
    aperiodicity = pyworld.d4c(signal, track, times, SPEC.sample_rate, threshold=0.85)
    theirs = aperiodicity[:, 0] < 0.5
    ours = love_train(signal, track, times, SPEC.sample_rate) > 0.85
    assert (theirs != ours).mean() < 0.02  # frames across a border of buzz and hiss
    assert 0.4 < ours.mean() < 0.6


def test_short_runs_and_jumps_are_dropped():
    track = np.zeros(40)
    track[2:7] = 100.0  # five frames, 25 ms: dropped
    track[10:16] = 100.0  # 30 ms: kept
    track[20:30] = 100.0
    track[30:34] = 150.0  # after a jump, 20 ms: dropped
    kept = np.flatnonzero(drop_short_runs(track))
    assert kept.tolist() == [*range(10, 16), *range(20, 30)]
