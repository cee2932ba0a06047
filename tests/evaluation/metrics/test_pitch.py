import math
from dataclasses import replace

import numpy as np
import pytest

from voxcycle.audio.stats import F0_MEAN_PRIOR, F0_STD_PRIOR, DomainStats
from voxcycle.evaluation.metrics.pitch import PitchErrors, compare_f0, requested_f0

REQUESTED = np.array([100, 100, 100, 0, 200, 0], np.float32)
# exact; a semitone up; a fifth up (7.02 semitones, gross); voiced only here; only there; neither
MEASURED = np.array([100, 100 * 2 ** (1 / 12), 150, 120, 0, 0], np.float32)


def test_compare_f0_by_hand():
    errors = compare_f0(REQUESTED, MEASURED)
    assert errors[:4] == (6, 3, 1, 2)
    assert errors.rmse_semitones == pytest.approx(0.5**0.5, abs=1e-5)  # errors 0 and 1
    assert errors.gross_rate == pytest.approx(1 / 3)
    assert errors.voicing_error_rate == pytest.approx(2 / 6)


def test_five_semitones_are_gross():
    just_under = np.array([100 * 2 ** (4.99 / 12)], np.float32)
    just_over = np.array([100 * 2 ** (-5.01 / 12)], np.float32)
    assert compare_f0(REQUESTED[:1], just_under).n_gross == 0
    assert compare_f0(REQUESTED[:1], just_over).n_gross == 1


def test_the_shorter_contour_decides():
    assert compare_f0(REQUESTED, MEASURED[:2]).n_frames == 2


def test_errors_add():
    halves = [compare_f0(REQUESTED[s], MEASURED[s]) for s in (slice(0, 2), slice(2, 6))]
    total = PitchErrors(*map(sum, zip(*halves, strict=True)))
    assert total == pytest.approx(compare_f0(REQUESTED, MEASURED))


def test_nothing_in_common_has_no_error():
    errors = compare_f0(REQUESTED[:3], np.zeros(3, np.float32))
    assert math.isnan(errors.rmse_semitones) and math.isnan(errors.gross_rate)
    assert errors.voicing_error_rate == 1


def _tone(f0_hz):
    t = np.arange(22_050) / 22_050
    return (0.1 * sum(np.sin(2 * np.pi * k * f0_hz * t) for k in range(1, 9))).astype(np.float32)


def _stats(f0_hz, std):
    return DomainStats(
        np.full(80, -5, np.float32), np.ones(80, np.float32), float(np.log(f0_hz)), std
    )


def _request(make_voice, is_any_to_one):
    """Return what a voice from 100 to 200 Hz requests for a tone of 120 Hz."""
    stats = {"source_stats": _stats(100, 0.2), "target_stats": _stats(200, 0.1)}
    return requested_f0(_tone(120), replace(make_voice(is_any_to_one), **stats))


def test_request_of_a_pair_voice(make_voice):
    # (ln 120 - ln 100) * 0.1 / 0.2 + ln 200: 200 * sqrt(1.2)
    found = _request(make_voice, False)
    assert np.median(found[found > 0]) == pytest.approx(200 * 1.2**0.5, rel=0.002)


def test_request_of_an_any_to_one_voice(make_voice):
    found = _request(make_voice, True)
    n = np.count_nonzero(found)
    # A constant tone: its own deviation is 0, so only the prior's share remains.
    mean = (n * np.log(120) + F0_MEAN_PRIOR * np.log(100)) / (n + F0_MEAN_PRIOR)
    ratio = min(2.0, 0.1 / (0.2 * F0_STD_PRIOR / (n + F0_STD_PRIOR)))
    expected = np.exp((np.log(120) - mean) * ratio) * 200
    assert np.median(found[found > 0]) == pytest.approx(expected, rel=0.002)
