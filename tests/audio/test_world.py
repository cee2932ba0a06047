"""WORLD's F0 track: the voicing decisions on top of DIO, love train and the length of runs."""

import numpy as np
import pytest

from voxcycle.audio.world import drop_short_runs, import_pyworld, love_train, track_f0

SAMPLE_RATE = 22_050
TIMES = np.arange(40) * 0.005 + 0.2


def sines(*frequencies):
    t = np.arange(SAMPLE_RATE // 2) / SAMPLE_RATE
    return sum(np.sin(2 * np.pi * f * t) for f in frequencies)


@pytest.mark.parametrize("f0_hz", [80.0, 150.0, 400.0])
def test_the_share_is_that_of_the_power_below_4_khz(f0_hz):
    # equal sines at 1 and 6 kHz: half of the power; at 1 and 2 kHz: all of it
    track = np.full(len(TIMES), f0_hz)
    half = love_train(sines(1000, 6000), track, TIMES, SAMPLE_RATE)
    assert np.abs(half - 0.5).max() < 0.02
    assert love_train(sines(1000, 2000), track, TIMES, SAMPLE_RATE).min() > 0.999
    assert love_train(sines(5000, 6000), track, TIMES, SAMPLE_RATE).max() < 0.001


def test_frames_without_f0_have_no_share():
    track = np.where(np.arange(len(TIMES)) % 2, 150.0, 0.0)
    share = love_train(sines(1000), track, TIMES, SAMPLE_RATE)
    assert np.array_equal(share > 0, track > 0)


def test_the_decisions_agree_with_worlds_own_love_train():
    """D4C with a threshold sets the aperiodicity of a frame that it calls unvoiced to 1."""
    pyworld = import_pyworld()
    rng = np.random.default_rng(0)
    t = np.arange(SAMPLE_RATE) / SAMPLE_RATE
    buzz = sum(np.sin(2 * np.pi * 140 * k * t) / k for k in range(1, 40))
    hiss = np.diff(rng.normal(size=SAMPLE_RATE + 1))
    signal = np.where(t % 0.25 < 0.125, buzz, hiss)
    times = np.arange(0, 1, 0.005)
    track = np.full(len(times), 140.0)
    aperiodicity = pyworld.d4c(signal, track, times, SAMPLE_RATE, threshold=0.85)
    theirs = aperiodicity[:, 0] < 0.5
    ours = love_train(signal, track, times, SAMPLE_RATE) > 0.85
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


def test_hiss_is_unvoiced():
    hiss = np.diff(np.random.default_rng(0).normal(size=2 * SAMPLE_RATE + 1))
    f0_hz, _ = track_f0(0.1 * hiss, SAMPLE_RATE)
    assert (f0_hz > 0).mean() < 0.02
