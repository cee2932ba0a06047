"""Held against scipy's filters of the same names."""

import numpy as np
import pytest
import scipy.ndimage

from voxcycle.audio.moving import keep_long_runs, moving_max, moving_mean, moving_median, moving_sum

VALUES = np.random.default_rng(0).normal(size=57)


@pytest.mark.parametrize("reach", [0, 1, 5, 80])
def test_sums_and_means_are_over_what_is_there(reach):
    parts = [VALUES[max(0, i - reach) : i + reach + 1] for i in range(len(VALUES))]
    np.testing.assert_allclose(moving_sum(VALUES, reach), [x.sum() for x in parts], atol=1e-12)
    np.testing.assert_allclose(moving_mean(VALUES, reach), [x.mean() for x in parts], atol=1e-12)


@pytest.mark.parametrize(("before", "after"), [(0, 0), (3, 3), (4, 3), (0, 9)])
def test_the_largest_around_each_frame(before, after):
    parts = [VALUES[max(0, i - before) : i + after + 1] for i in range(len(VALUES))]
    np.testing.assert_array_equal(moving_max(VALUES, before, after), [x.max() for x in parts])


@pytest.mark.parametrize("reach", [1, 5])
def test_medians_are_scipys(reach):
    expected = scipy.ndimage.median_filter(VALUES, 2 * reach + 1)  # mirrors its ends
    np.testing.assert_array_equal(moving_median(VALUES, reach), expected)


@pytest.mark.parametrize("n_least", [1, 2, 3, 9])
def test_long_runs_are_what_an_opening_keeps(n_least):
    marks = VALUES > -0.5
    expected = scipy.ndimage.binary_opening(marks, np.ones(n_least))
    np.testing.assert_array_equal(keep_long_runs(marks, n_least), expected)
    assert not keep_long_runs(np.zeros(4, bool), n_least).any()
