"""egs/real/trackers.py: the consensus and the counts, by hand."""

import numpy as np
import pytest


@pytest.fixture
def trackers(load_script):
    return load_script("trackers")


def test_the_consensus_is_where_two_agree(trackers):
    one = np.array([100.0, 100.0, 0.0, 100.0, 100.0])
    two = np.array([102.0, 200.0, 0.0, 0.0, 150.0])
    three = np.array([0.0, 202.0, 0.0, 0.0, 250.0])
    pitch, is_judged = trackers.agree([one, two, three])
    assert is_judged.tolist() == [True, True, True, False, False]
    assert pitch[:3] == pytest.approx([np.sqrt(100 * 102), np.sqrt(200 * 202), 0.0])


def test_errors_by_hand(trackers):
    right = np.array([100.0, 100.0, 100.0, 0.0, 0.0, 0.0])
    found = np.array([100.0 * 2 ** (0.5 / 12), 200.0, 0.0, 80.0, 0.0, 90.0, 70.0])
    is_judged = np.array([True] * 5 + [False])
    both, n_found, n_right, gross, fine = trackers.compare(found, right, is_judged)
    assert (both, n_found, n_right, gross) == (2, 3, 3, 1)
    assert fine == pytest.approx(0.5)


def test_contours_are_read_at_the_frames_centres(trackers):
    n_samples = 10 * 256
    times = np.arange(0, 0.12, 0.005)
    f0_hz = np.where(times < 0.06, 100.0, 0.0)
    read = trackers.at_frames(f0_hz, times, n_samples)
    centres = (np.arange(10) + 0.5) * 256 / 22_050
    assert (read > 0).tolist() == (centres < 0.0575).tolist()  # half-way to the last voiced one
    assert read[0] == pytest.approx(100.0)


@pytest.mark.parametrize("name", ["swift-f0", "swift-f0 plain", "dio", "harvest"])
def test_every_tracker_hears_a_voice(trackers, make_speech, name):
    speech = make_speech(2.0, 22_050, 140.0)
    f0_hz = trackers.TRACKERS[name](speech)
    assert len(f0_hz) == len(speech) // 256
    assert 0.4 < (f0_hz > 0).mean() < 0.9
    assert np.median(f0_hz[f0_hz > 0]) == pytest.approx(140, rel=0.1)
