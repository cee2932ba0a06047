"""Sums, extremes and medians over the frames around each frame."""

import numpy as np
from numpy.typing import NDArray


def moving_sum(values: NDArray[np.float64], reach: int) -> NDArray[np.float64]:
    """Return the sum over each frame and `reach` frames to either side, (F,)."""
    total = np.concatenate([[0.0], np.cumsum(values, dtype=np.float64)])
    index = np.arange(len(values))
    return total[np.minimum(index + reach + 1, len(values))] - total[np.maximum(index - reach, 0)]


def moving_mean(values: NDArray[np.float64], reach: int) -> NDArray[np.float64]:
    """Return `moving_sum` over the number of frames, which is smaller at the ends, (F,)."""
    return moving_sum(values, reach) / moving_sum(np.ones(len(values)), reach)


def moving_max(values: NDArray, n_before: int, n_after: int) -> NDArray:
    """Return the largest of each frame and those before and after, (F,)."""
    padded = np.pad(values, (n_before, n_after), "edge")
    windows = np.lib.stride_tricks.sliding_window_view(padded, n_before + n_after + 1)
    return windows.max(axis=1)


def moving_median(values: NDArray[np.float64], reach: int) -> NDArray[np.float64]:
    """Return the median over each frame and `reach` frames to either side, mirrored at the ends."""
    padded = np.pad(values, reach, "symmetric")
    windows = np.lib.stride_tricks.sliding_window_view(padded, 2 * reach + 1)
    return np.median(windows, axis=1)


def keep_long_runs(marks: NDArray[np.bool_], n_least: int) -> NDArray[np.bool_]:
    """Keep the runs of marked frames that have at least `n_least`, (F,)."""
    edges = np.flatnonzero(np.diff(np.concatenate([[False], marks, [False]])))
    kept = np.zeros(len(marks), bool)
    for first, last in edges.reshape(-1, 2).tolist():
        kept[first:last] = last - first >= n_least
    return kept
