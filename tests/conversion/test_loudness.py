import numpy as np
import pytest

from voxcycle.audio.level import active_level_db
from voxcycle.conversion.frames import SpooledFrames
from voxcycle.conversion.loudness import Rendered, find_pause_gain_db, match_level

RATE, HOP = 22_050, 256


def power(level_db):
    return 10 ** (level_db / 10)


def test_pauses_follow_the_input_and_speech_is_left_alone():
    input_db = np.full(400, -20.0)
    input_db[100:150], input_db[200:250] = -90.0, -70.0
    output_db = np.full(400, -14.0)  # a vocoder 6 dB too loud, with noisy pauses
    output_db[100:150], output_db[200:250] = -50.0, -58.0
    gain_db = find_pause_gain_db(power(input_db), power(output_db), level_db=-20.0)
    final_db = output_db + gain_db - 6.0
    assert np.all(gain_db[input_db == -20] == 0)
    # By hand: nothing below -60 dBFS is asked for, with 1.5 dB to spare.
    assert final_db[100:150] == pytest.approx(-61.5, abs=0.05)
    assert final_db[200:250] == pytest.approx(-64.0, abs=0.05)  # was low enough already


def test_a_quiet_recording_keeps_the_distance_of_its_noise():
    input_db = np.where(np.arange(400) % 100 < 70, -12.0, -54.0)
    gain_db = find_pause_gain_db(power(input_db), power(np.full(400, -12.0)), level_db=-12.0)
    # By hand: -54 dBFS + 3 dB - 1.5 dB.
    assert gain_db[input_db < -50] == pytest.approx(-52.5 + 12.0, abs=0.05)


def make_rendered(waveform, level_db, pause_gain_db=0.0):
    file = SpooledFrames(1)
    file.append(waveform.astype(np.float32))
    gains = np.full(len(waveform) // HOP, pause_gain_db)
    return Rendered(file, RATE, HOP, gains, level_db)


def test_the_level_is_matched_at_the_rate_of_the_output():
    noise = 0.05 * np.random.default_rng(0).standard_normal(RATE)
    for rate in (8_000, 22_050, 48_000):
        rendered = make_rendered(noise, level_db=-31.0)
        factor, notes = match_level(rendered, rate, rate)
        output = np.concatenate(list(rendered.blocks(rate, rate))) * factor
        # Independent of `active_level_db`: all frames are active, so it is the plain RMS.
        assert 10 * np.log10(np.mean(output**2)) == pytest.approx(-31.0, abs=0.05)
        assert active_level_db(output, rate) == pytest.approx(-31.0, abs=0.01)
        assert notes == []


def test_the_peak_wins_and_it_is_said():
    waveform = 0.01 * np.random.default_rng(0).standard_normal(RATE)
    waveform[5000] = 1.0
    factor, notes = match_level(make_rendered(waveform, level_db=-20.0), RATE, RATE)
    assert factor == pytest.approx(10 ** (-0.1 / 20), rel=1e-6)
    assert len(notes) == 1 and "quieter than the input" in notes[0]


def test_the_pause_gain_is_applied_to_every_sample():
    waveform = np.random.default_rng(0).uniform(-1, 1, 40 * HOP)
    rendered = make_rendered(waveform, level_db=0.0, pause_gain_db=-20.0)
    output = np.concatenate(list(rendered.blocks(RATE, len(waveform))))
    assert output == pytest.approx(0.1 * waveform, abs=1e-6)
