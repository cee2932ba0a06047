import numpy as np
import pytest

from voxcycle.audio.activity import find_speech, speech_level_db

FRAME_RATE = 86.0


def test_speech_reaches_a_quarter_of_a_second_beyond_the_voice():
    f0_hz = np.zeros(300, np.float32)
    f0_hz[100:150] = 120
    speech = find_speech(np.full(300, -20.0), f0_hz, FRAME_RATE)
    # By hand: 0.25 s are 22 frames to either side.
    assert np.flatnonzero(speech).tolist() == list(range(78, 172))


def test_quiet_frames_near_the_voice_are_no_speech():
    f0_hz = np.full(300, 120, np.float32)
    level_db = np.full(300, -20.0)
    level_db[50:60], level_db[60:70] = -49.0, -51.5
    speech = find_speech(level_db, f0_hz, FRAME_RATE)
    # By hand: of the 87 to 173 voiced frames within a second, 20 are about 30 dB softer, so their
    # mean is between -24 and -26 dB, and the limit 30 dB below: neither is under it.
    assert speech[50:70].all()
    level_db[60:70] = -80.0
    assert not find_speech(level_db, f0_hz, FRAME_RATE)[60:70].any()


def test_a_soft_half_is_speech_too():
    f0_hz = np.full(800, 120, np.float32)
    level_db = np.where(np.arange(800) < 400, -10.0, -45.0)
    assert find_speech(level_db, f0_hz, FRAME_RATE)[500:].all()


def test_loud_sounds_without_voice_are_no_speech():
    f0_hz = np.zeros(1000, np.float32)
    f0_hz[:300] = 120
    level_db = np.full(1000, -30.0)
    level_db[600] = 0.0  # a clap
    assert not find_speech(level_db, f0_hz, FRAME_RATE)[400:].any()


def test_a_whisper_is_found_by_its_level():
    level_db = np.full(500, -70.0)
    level_db[100:300] = -25.0
    f0_hz = np.zeros(500, np.float32)
    f0_hz[150:450:20] = 120  # a tracker's errors
    speech = find_speech(level_db, f0_hz, FRAME_RATE)
    assert np.flatnonzero(speech).tolist() == list(range(100, 300))


def test_the_level_is_that_of_speech_without_its_claps():
    power = np.full(1000, 1e-4)  # -40 dBFS
    power[500:] = 1e-2
    speech = np.arange(1000) >= 500
    power[700:705] = 1.0
    assert speech_level_db(power, speech) == pytest.approx(-20.0, abs=1e-6)
    assert speech_level_db(power, ~speech) == pytest.approx(-40.0, abs=1e-6)
