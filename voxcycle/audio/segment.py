"""Cutting a long recording into clips at its pauses."""

import numpy as np
from numpy.typing import NDArray

from voxcycle.audio.level import ACTIVE_RANGE_DB, LEVEL_HOP_S, frame_power

PAUSE_S = 0.2  # shorter gaps belong to the word
CLICK_S = 0.1  # shorter sounds between pauses are no speech
CUT_S = 0.5  # a pause at which a clip that is long enough ends
LONGEST_PAUSE_S = 1.0  # longer ones are never kept within a clip
GOOD_S = 4.0
LONGEST_S = 12.0
MARGIN_S = 0.1
FLOOR_PERCENTILE, LOUD_PERCENTILE = 5, 95
TOP_PERCENTILE = 99.5  # of a recording: there may be little speech in it
FLOOR_DB = -90.0
PIECE_FRAMES = 6000  # levels are taken minute by minute, which bounds memory


def frame_levels_db(waveform: NDArray[np.float32], sample_rate: int) -> NDArray[np.float64]:
    """Return the level of each 10 ms in dBFS, (F,), not below -90."""
    hop = round(sample_rate * LEVEL_HOP_S)
    starts = range(0, max(len(waveform), 1), PIECE_FRAMES * hop)
    power = np.concatenate(
        [frame_power(waveform[start : start + PIECE_FRAMES * hop], hop) for start in starts]
    )
    return 10 * np.log10(np.maximum(power, 10 ** (FLOOR_DB / 10)))


def dynamic_range_db(levels_db: NDArray[np.float64]) -> float:
    """Return the 95th over the 5th percentile: nearly the SNR of speech with pauses."""
    floor, loud = np.percentile(levels_db, [FLOOR_PERCENTILE, LOUD_PERCENTILE])
    return float(loud - floor)


def find_slices(waveform: NDArray[np.float32], sample_rate: int) -> list[tuple[int, int]]:
    """Return first and last sample (exclusive) of clips that begin and end in pauses.

    A clip ends at the first pause of half a second once it has four seconds, at any pause of a
    second, and before it would pass twelve seconds, margins apart; speech (T,) without a pause for
    that long is cut where it is softest. What lies between clips is silence, or a click.
    """
    hop = round(sample_rate * LEVEL_HOP_S)
    levels = frame_levels_db(waveform, sample_rate)
    clips: list[list[int]] = []
    for first, last in _split_long(_find_speech(levels), levels):
        pause = (first - clips[-1][1]) * LEVEL_HOP_S if clips else np.inf
        own = (clips[-1][1] - clips[-1][0]) * LEVEL_HOP_S if clips else 0.0
        joined = (last - clips[-1][0]) * LEVEL_HOP_S if clips else np.inf
        is_apart = pause >= LONGEST_PAUSE_S or (pause >= CUT_S and own >= GOOD_S)
        if is_apart or joined > LONGEST_S:
            clips.append([first, last])
        else:
            clips[-1][1] = last
    margin = round(MARGIN_S / LEVEL_HOP_S)
    slices = []
    for index, (first, last) in enumerate(clips):
        before = clips[index - 1][1] if index else 0
        after = clips[index + 1][0] if index + 1 < len(clips) else len(levels)
        start = max(first - margin, (before + first + 1) // 2 if index else 0)
        stop = min(last + margin, (last + after) // 2 if index + 1 < len(clips) else len(levels))
        slices.append((start * hop, min(stop * hop, len(waveform))))
    return slices


def _find_speech(levels_db: NDArray[np.float64]) -> list[tuple[int, int]]:
    """Return runs of frames above the floor, gaps of less than `PAUSE_S` closed, clicks dropped."""
    floor, top = np.percentile(levels_db, [FLOOR_PERCENTILE, TOP_PERCENTILE])
    threshold = max(top - ACTIVE_RANGE_DB, floor + 0.25 * (top - floor), FLOOR_DB + 1)
    loud = np.concatenate([[False], levels_db > threshold, [False]])
    edges = np.flatnonzero(loud[1:] != loud[:-1])
    runs: list[tuple[int, int]] = []
    for first, last in edges.reshape(-1, 2).tolist():
        if runs and (first - runs[-1][1]) * LEVEL_HOP_S < PAUSE_S:
            runs[-1] = (runs[-1][0], last)
        else:
            runs.append((first, last))
    return [run for run in runs if (run[1] - run[0]) * LEVEL_HOP_S >= CLICK_S]


def _split_long(
    runs: list[tuple[int, int]], levels_db: NDArray[np.float64]
) -> list[tuple[int, int]]:
    """Cut runs of more than `LONGEST_S` at the softest frame of their second half of that length.

    The two sides then meet without a pause.
    """
    longest = round(LONGEST_S / LEVEL_HOP_S)
    split = []
    for first, last in runs:
        while last - first > longest:
            middle = first + longest // 2
            cut = middle + int(np.argmin(levels_db[middle : first + longest]))
            split.append((first, cut))
            first = cut
        split.append((first, last))
    return split
