"""Clipping of a recording, measured per channel, before mixing and resampling hide it.

In speech, larger magnitudes are rarer. In a clipped recording they pile up at the limit, also after
a codec has spread them around it.
"""

from collections.abc import Iterable, Iterator, Sequence

import numpy as np
from numpy.typing import NDArray

CLIPPED_RANGE = 0.999  # of the largest magnitude
MIN_CLIPPED_PEAK = 0.01  # softer recordings count as unclipped
MIN_CLIPPED_STEPS = 32  # of the samples' own grid: below, the steps of 8 bits look like clipping
N_LIMITS = 60  # candidates for the limit, between the loudest fifth of the samples and the peak


def clipped_share(samples: NDArray[np.float32]) -> float:
    """Return the share of clipped samples (T, C) in the channel with most of them.

    The larger of two counts: samples at the very peak, and the excess of a band around a limit over
    the band below it, which is always fuller in speech.
    """
    return max((_channel_share(channel) for channel in samples.T), default=0.0)


def _channel_share(samples: NDArray[np.float32]) -> float:
    ordered = np.sort(np.abs(samples))
    if not len(ordered) or ordered[-1] < MIN_CLIPPED_PEAK:
        return 0.0

    def share_below(levels: NDArray[np.float64]) -> NDArray[np.float64]:
        return np.searchsorted(ordered, levels) / len(ordered)

    peak = float(ordered[-1])
    at_peak = 1 - float(share_below(np.array([CLIPPED_RANGE * peak]))[0])
    step = float(np.diff(np.unique(samples)).min(initial=1.0))
    lowest = max(float(np.percentile(ordered, 80)), MIN_CLIPPED_PEAK, MIN_CLIPPED_STEPS * step)
    if lowest > peak:
        return at_peak
    limits = np.geomspace(lowest, peak, N_LIMITS)
    at_limit = share_below(1.1 * limits) - share_below(0.9 * limits)
    below = share_below(0.9 * limits) - share_below(0.7 * limits)
    return max(at_peak, float((at_limit - below).max()))


def clipped_shares(
    blocks: Iterable[NDArray[np.float32]], spans: Sequence[tuple[int, int]]
) -> Iterator[float]:
    """Yield `clipped_share` of spans of samples, in order and disjoint, of blocks (T, C)."""
    waiting = iter(spans)
    span, position, parts = next(waiting, None), 0, []
    for block in blocks:
        while span is not None and span[0] < position + len(block):
            parts.append(block[max(span[0] - position, 0) : span[1] - position])
            if span[1] > position + len(block):
                break
            yield clipped_share(np.concatenate(parts))
            span, parts = next(waiting, None), []
        position += len(block)
    if span is not None:  # the last one may end a little after the blocks
        yield clipped_share(np.concatenate(parts))
