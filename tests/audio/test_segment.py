import numpy as np
import pytest

from voxcycle.audio.segment import dynamic_range_db, find_slices, frame_levels_db

RATE = 16_000


def make_recording(*parts, floor=1e-4):
    """Return stretches of loud noise ("speech") and of faint noise ("pause") of so many seconds."""
    random = np.random.default_rng(0)
    level = {"speech": 0.1, "pause": floor}
    pieces = [level[kind] * random.standard_normal(int(s * RATE)) for kind, s in parts]
    return np.concatenate(pieces).astype(np.float32)


def seconds(slices):
    return [s / RATE for pair in slices for s in pair]


@pytest.mark.parametrize("floor", [0.0, 1e-4, 1e-2])  # silent, clean, 20 dB of noise
def test_clips_end_in_long_pauses_with_a_margin(floor):
    recording = make_recording(
        ("pause", 1), ("speech", 2), ("pause", 1.5), ("speech", 3), ("pause", 1), floor=floor
    )
    slices = find_slices(recording, RATE)
    assert seconds(slices) == pytest.approx([0.9, 3.1, 4.4, 7.6], abs=0.02)


def test_short_pauses_stay_within_a_clip_until_it_is_long_enough():
    word, pause = ("speech", 2.5), ("pause", 0.6)
    slices = find_slices(make_recording(word, pause, word, pause, word), RATE)
    assert seconds(slices) == pytest.approx([0, 5.7, 6.1, 8.7], abs=0.02)
    word, pause = ("speech", 5), ("pause", 0.5)
    slices = find_slices(make_recording(word, pause, word, pause, word), RATE)
    assert len(slices) == 3
    assert all(a[1] <= b[0] for a, b in zip(slices, slices[1:], strict=False))  # margins apart


def test_speech_without_pauses_is_cut_where_it_is_softest():
    recording = make_recording(("speech", 30), ("pause", 1))
    recording[9 * RATE : 9 * RATE + 800] *= 0.3
    slices = find_slices(recording, RATE)
    assert slices[0][1] == pytest.approx(9.025 * RATE, abs=0.03 * RATE)
    assert slices[0][1] == slices[1][0]
    assert slices[-1][1] == pytest.approx(30.1 * RATE, abs=0.02 * RATE)
    assert max(stop - start for start, stop in slices) <= 12.3 * RATE


def test_clicks_and_silence_are_no_clips():
    recording = make_recording(("pause", 2), ("speech", 0.05), ("pause", 2), ("speech", 2))
    assert len(find_slices(recording, RATE)) == 1
    assert find_slices(np.zeros(2 * RATE, np.float32), RATE) == []


def test_dynamic_range_is_the_ratio_of_speech_to_noise():
    recording = make_recording(("pause", 1), ("speech", 2), floor=1e-3)
    assert dynamic_range_db(frame_levels_db(recording, RATE)) == pytest.approx(40, abs=1.5)
