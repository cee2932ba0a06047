"""Conversion of what microphones bring: noise, dynamics, long pauses, events."""

import numpy as np
import pytest

from voxcycle.conversion.pipeline import convert


@pytest.fixture(scope="module")
def heart():
    """A shipped voice, and the quick vocoder."""
    return {"to": "heart", "vocoder": "fast", "sample_rate": 22_050}


def test_noise_is_removed_where_there_is_some(heart, demo, measure_active_db):
    noise = np.random.default_rng(0).standard_normal(len(demo)).astype(np.float32)
    noisy = demo + noise * 10 ** ((measure_active_db(demo, 22_050) - 12) / 20)
    results = {mode: convert(noisy, denoise=mode, **heart) for mode in ("auto", "on", "off")}
    assert any("noise 1" in note and "removed" in note for note in results["auto"].notes)
    assert np.array_equal(results["auto"].waveform, results["on"].waveform)
    assert not any("noise" in note for note in results["off"].notes)
    clean = convert(demo, **heart)
    assert not any("noise" in note for note in clean.notes)
    assert np.array_equal(clean.waveform, convert(demo, denoise="off", **heart).waveform)
    # what is asked for is nearer to that of the clean recording
    both = [(x.f0_hz > 0) != (clean.f0_hz > 0) for x in (results["auto"], results["off"])]
    assert both[0].mean() < both[1].mean()


def test_the_dynamics_are_the_inputs(heart, demo, measure_active_db):
    half = len(demo) // 2
    uneven = demo.copy()
    uneven[half:] *= 10 ** (-20 / 20)
    output = convert(uneven, **heart).waveform
    steps = [
        measure_active_db(x[:half], 22_050) - measure_active_db(x[half:], 22_050)
        for x in (uneven, output)
    ]
    assert abs(steps[1] - steps[0]) < 1.5


def test_little_speech_in_a_long_recording(heart, demo, frame_level_db, measure_active_db):
    speech, n_silent = demo[: 2 * 22_050], 20 * 22_050
    noise = 10 ** (-55 / 20) * np.random.default_rng(0).standard_normal(2 * n_silent + len(speech))
    recording = noise.astype(np.float32)
    recording[n_silent : n_silent + len(speech)] += speech
    output = convert(recording, **heart).waveform
    spoken = output[n_silent : n_silent + len(speech)]
    assert abs(measure_active_db(spoken, 22_050) - measure_active_db(speech, 22_050)) < 1.0
    pause_db = frame_level_db(output[: n_silent - 22_050], 22_050, 0.02)
    assert np.percentile(pause_db, 99) < -52  # the floor and 3 dB
    kept = convert(recording, background="keep", **heart).waveform
    kept_db = frame_level_db(kept[: n_silent - 22_050], 22_050, 0.02)
    assert np.median(kept_db) == pytest.approx(-55, abs=1)


@pytest.mark.parametrize("event", ["thump", "clap", "offset"])
def test_one_event_does_not_set_the_level(heart, demo, event, measure_active_db):
    t = np.arange(len(demo)) / 22_050
    noise = np.random.default_rng(0).standard_normal(len(demo))
    since = t - 2.0
    after = np.where(since >= 0, np.exp(-np.maximum(since, 0) / 0.08), 0.0)
    added = {
        "thump": 0.9 * np.sin(2 * np.pi * 35 * t) * after,
        "clap": 0.3 * noise * after**10,
        "offset": np.where(since >= 0, 0.5, -0.2),
    }[event]
    soft = demo * 10 ** (-20 / 20)
    rest = np.r_[0 : int(1.9 * 22_050), int(2.5 * 22_050) : len(demo)]
    levels = [
        measure_active_db(convert(x.astype(np.float32), **heart).waveform[rest], 22_050)
        for x in (soft, soft + added)
    ]
    assert abs(levels[1] - levels[0]) < 1.0
