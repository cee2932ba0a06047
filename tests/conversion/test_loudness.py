import numpy as np
import pytest

from voxcycle.conversion.frames import SpooledFrames
from voxcycle.conversion.loudness import Rendered, find_pause_gain_db, follow_level, limit_peak

RATE, HOP = 22_050, 256
FRAME_RATE = RATE / HOP


def power(level_db):
    return 10 ** (level_db / 10)


def find_gain_db(input_db, output_db, speech):
    return find_pause_gain_db(power(input_db), power(output_db), speech, FRAME_RATE)


def test_pauses_follow_the_input_and_speech_is_left_alone():
    input_db = np.full(400, -20.0)
    input_db[100:150], input_db[200:250] = -90.0, -70.0
    output_db = np.full(400, -20.0)
    output_db[100:150], output_db[200:250] = -56.0, -64.0
    gain_db = find_gain_db(input_db, output_db, input_db == -20)
    final_db = output_db + gain_db
    assert np.all(gain_db[input_db == -20] == 0)
    # By hand: nothing below -60 dBFS is asked for, with 1.5 dB to spare.
    assert final_db[100:150] == pytest.approx(-61.5, abs=0.05)
    assert final_db[200:250] == pytest.approx(-64.0, abs=0.05)  # was low enough already


def test_quiet_frames_within_speech_are_pauses_too():
    input_db = np.where(np.arange(400) % 100 < 70, -12.0, -58.0)
    gain_db = find_gain_db(input_db, np.full(400, -12.0), np.ones(400, bool))
    # By hand: -58 dBFS + 3 dB - 1.5 dB.
    assert gain_db[input_db < -50] == pytest.approx(-56.5 + 12.0, abs=0.05)
    assert not gain_db[input_db > -50].any()


def test_noise_without_speech_ends_20_db_below_the_speech():
    speech = np.arange(800) % 400 < 200
    input_db = np.where(speech, -20.0, -30.0)  # 10 dB of noise
    gain_db = find_gain_db(input_db, np.where(speech, -20.0, -32.0), speech)
    # By hand: -20 dBFS - 20 dB - 1.5 dB, from -32 dBFS.
    assert gain_db[~speech] == pytest.approx(-9.5, abs=0.05)
    assert not gain_db[speech].any()


def test_the_level_follows_the_inputs():
    speech = np.ones(800, bool)
    speech[300:500] = False
    input_db = np.where(np.arange(800) < 400, -15.0, -35.0)
    output_db = np.full(800, -23.0)
    gain_db = follow_level(power(input_db), power(output_db), speech, FRAME_RATE)
    assert gain_db[:250] == pytest.approx(8.0, abs=1e-6)
    assert gain_db[550:] == pytest.approx(-12.0, abs=1e-6)
    assert np.all(np.diff(gain_db[250:550]) <= 1e-9)  # in the pause it goes from one to the other
    assert not follow_level(power(input_db), power(output_db), ~np.ones(800, bool), 86.0).any()


def test_a_clap_does_not_move_the_level():
    input_db, output_db = np.full(400, -30.0), np.full(400, -20.0)
    input_db[200:202] = 0.0
    gain_db = follow_level(power(input_db), power(output_db), np.ones(400, bool), FRAME_RATE)
    # By hand: two frames of 35 count as 6 dB louder: 10 log10((33 + 2 * 4) / 35) = 0.7 dB.
    assert np.abs(gain_db + 10).max() < 0.75


def make_rendered(waveform, gain_db=0.0, **background):
    gains = np.full(len(waveform) // HOP, gain_db)
    return Rendered(spool(waveform), RATE, HOP, gains, **background)


def spool(waveform):
    file = SpooledFrames(1)
    file.append(waveform.astype(np.float32))
    return file


def test_the_peak_is_limited_and_it_is_said():
    waveform = 0.01 * np.random.default_rng(0).standard_normal(RATE)
    waveform[5000] = 2.0
    gain, notes = limit_peak(make_rendered(waveform), RATE, RATE)
    assert gain == pytest.approx(10 ** (-0.1 / 20) / 2, rel=1e-6)
    assert len(notes) == 1 and "6.1 dB quieter than the input" in notes[0]
    assert limit_peak(make_rendered(waveform, gain_db=-12.0), RATE, RATE) == (1.0, [])


def test_the_gain_is_applied_to_every_sample():
    waveform = np.random.default_rng(0).uniform(-1, 1, 40 * HOP)
    output = list(make_rendered(waveform, gain_db=-20.0).blocks(RATE, len(waveform)))
    assert np.concatenate(output) == pytest.approx(0.1 * waveform, abs=1e-6)


def test_the_background_is_added_with_its_own_gain():
    waveform, other = np.random.default_rng(0).uniform(-1, 1, (2, 40 * HOP))
    rendered = make_rendered(
        waveform, gain_db=-20.0, background=spool(other), background_gain_db=np.full(40, -6.0206)
    )
    output = np.concatenate(list(rendered.blocks(RATE, len(waveform))))
    assert output == pytest.approx(0.1 * waveform + 0.5 * other, abs=1e-5)
