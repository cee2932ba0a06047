import numpy as np
import pytest

from voxcycle.audio.f0 import (
    F0_MAX_HZ,
    F0_MIN_HZ,
    extract_f0,
    extract_f0_of_blocks,
    is_sung,
    limit_f0,
    transform_f0,
)
from voxcycle.audio.level import frame_power, remove_rumble
from voxcycle.audio.mel import MelSpec
from voxcycle.audio.stats import DomainStats

SPEC = MelSpec()


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
    inner = (centres > 0.1) & (centres < 1.9)
    expected = start_hz * np.exp(rate * centres[inner])
    # An octave in 2 s moves by 0.4 % in a hop: reading frames a hop off would show as well.
    np.testing.assert_allclose(found[inner], expected, rtol=0.01)
    assert abs(np.mean(found[inner] / expected - 1)) < 0.005  # SwiftF0's error on steady tones


@pytest.mark.parametrize("level", [0.1, 0.001])
def test_noise_and_silence_are_unvoiced(level):
    assert not extract_f0(np.zeros(22_050, np.float32), SPEC).any()
    noise = np.random.default_rng(0).standard_normal(44_100).astype(np.float32) * level
    assert not extract_f0(noise, SPEC).any()
    assert not extract_f0(np.diff(noise), SPEC).any()  # a hiss


def test_a_tone_in_pauses_is_voiced_where_it_sounds():
    t = np.arange(3 * SPEC.sample_rate) / SPEC.sample_rate
    buzz = sum(np.sin(2 * np.pi * 120 * k * t) / k for k in range(1, 20))
    sounds = (t > 1) & (t < 2)
    found = extract_f0((0.1 * buzz * sounds).astype(np.float32), SPEC)
    (voiced,) = np.nonzero(found)
    ends_s = (voiced[[0, -1]] + 0.5) * SPEC.hop_length / SPEC.sample_rate
    np.testing.assert_allclose(ends_s, [1, 2], atol=0.03)  # the tracker's frames last 16 ms
    assert len(voiced) == voiced[-1] - voiced[0] + 1
    np.testing.assert_allclose(found[voiced], 120, rtol=0.02)


def test_blocks_give_what_the_whole_gives():
    t = np.arange(70 * SPEC.sample_rate) / SPEC.sample_rate  # more than two pieces
    phase = np.cumsum(150 + 40 * np.sin(2 * np.pi * 0.3 * t)) / SPEC.sample_rate
    speech = (0.1 * sum(np.sin(2 * np.pi * k * phase) / k for k in range(1, 9))).astype(np.float32)
    whole = extract_f0(speech, SPEC)
    blocks = [speech[i : i + 77_777] for i in range(0, len(speech), 77_777)]
    blocks = list(remove_rumble(blocks, SPEC.sample_rate))
    power = frame_power(np.concatenate(blocks), SPEC.hop_length)
    found = extract_f0_of_blocks(blocks, power, SPEC)
    # the high-pass sums in another order: the last bit of float32
    np.testing.assert_allclose(found[: len(whole)], whole, rtol=1e-4)
    start = 100 * SPEC.hop_length
    cut = extract_f0(speech[start:], SPEC)  # another grid of frames
    np.testing.assert_allclose(cut[10:], whole[110:], rtol=0.01)


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


def test_f0_stays_in_the_range_of_the_excitation():
    stats = make_stats(100.0, 0.2)
    f0_hz = np.array([100.0, 0.0], np.float32)
    assert list(transform_f0(f0_hz, stats, make_stats(900.0, 0.2))) == [F0_MAX_HZ, 0]
    assert list(transform_f0(f0_hz, stats, make_stats(30.0, 0.2))) == [F0_MIN_HZ, 0]
    f0_hz = np.array([200.0, 0.0, 1e4, 1.0], np.float32)
    assert list(limit_f0(f0_hz)) == [200.0, 0.0, F0_MAX_HZ, F0_MIN_HZ]


def test_notes_far_apart_are_singing_and_lively_speech_is_not():
    rate = 86.0
    time = np.arange(round(6 * rate)) / rate
    notes = np.repeat([110.0, 220.0, 330.0], len(time) // 3)
    vibrato = notes * 2 ** (0.5 / 12 * np.sin(2 * np.pi * 5.5 * time))
    lively = 150 * 2 ** (12 / 12 * np.sin(2 * np.pi * 1.5 * time))  # two octaves, never still
    narrow = np.repeat([200.0, 220.0, 240.0], len(time) // 3)
    found = [
        is_sung(x.astype(np.float32), rate) for x in (notes, vibrato, lively, narrow, 0 * time)
    ]
    assert found == [True, True, False, False, False]
