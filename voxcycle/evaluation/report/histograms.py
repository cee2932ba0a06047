"""Histograms of the scores, one small SVG per metric, one strip per row."""

from collections.abc import Sequence
from html import escape

import numpy as np
from numpy.typing import NDArray

from voxcycle.evaluation.stats.scores import UtteranceScores
from voxcycle.evaluation.stats.summary import MEASURES, print_value
from voxcycle.evaluation.systems import STANDARD_SYSTEMS

METRICS = ("secs_target", "secs_source", "cer", "distillmos", "dnsmos")
N_BINS = 24
# In units of the SVG, which are pixels where it is shown at its own size.
WIDTH, MARGIN, LABEL, STRIP, GAP, AXIS = 320, 14, 15, 26, 5, 18


def draw_histograms(scores: Sequence[UtteranceScores], voice_name: str) -> str:
    """Return one figure per metric that some utterance has, as HTML."""
    figures = []
    for metric in METRICS:
        values: dict[str, NDArray[np.float64]] = {}
        for row in dict.fromkeys(s.row for s in scores):
            found = [MEASURES[metric].value(s) for s in scores if s.row == row]
            known = np.array([value for value in found if value is not None], np.float64)
            if len(known):
                values[row] = known
        if values:
            figures.append(_figure(metric, values, voice_name))
    return "\n".join(('<div class="histograms">', *figures, "</div>"))


def _figure(metric: str, values: dict[str, NDArray[np.float64]], voice_name: str) -> str:
    heading, form = MEASURES[metric].heading, MEASURES[metric].form
    ticks = _ticks(np.concatenate(list(values.values())))
    edges = np.linspace(ticks[0], ticks[-1], N_BINS + 1)
    counts = {row: np.histogram(found, edges)[0] / len(found) for row, found in values.items()}
    tallest = max(share.max() for share in counts.values())
    step = LABEL + STRIP + GAP
    height = step * len(values) + AXIS

    def x(value: float) -> float:
        return MARGIN + (WIDTH - 2 * MARGIN) * (value - ticks[0]) / (ticks[-1] - ticks[0])

    bottom = step * len(values)
    parts = [f'<path class="grid" d="{"".join(f"M{x(t):.1f} 0V{bottom}" for t in ticks)}"/>']
    parts += [
        f'<text class="tick" x="{x(t):.1f}" y="{bottom + 12}">{t:g}</text>' for t in ticks.tolist()
    ]
    told = []
    for i, (row, found) in enumerate(values.items()):
        floor = step * i + LABEL + STRIP
        median = float(np.median(found))
        text = f"{row}: median {print_value(median, form)}"
        told.append(text)
        bars = "".join(
            f"M{x(left):.1f} {floor}V{floor - max(1.5, STRIP * share / tallest):.1f}"
            f"H{x(right):.1f}V{floor}Z"
            for left, right, share in zip(edges, edges[1:], counts[row], strict=False)
            if share
        )
        parts += [
            f'<g class="{_row_class(row, voice_name)}">',
            f'<text x="{MARGIN + 3}" y="{floor - STRIP - 4}">{escape(text)}</text>',
            f'<path class="floor" d="M{MARGIN} {floor}H{WIDTH - MARGIN}"/>',
            f'<path class="bars" d="{bars}"/>',
            f'<path class="median" d="M{x(median):.1f} {floor}V{floor - STRIP}"/></g>',
        ]
    label = escape(f"Histograms of {heading}: {'; '.join(told)}")
    return (
        f'<figure><figcaption>{escape(heading)}</figcaption><svg role="img" aria-label="{label}" '
        f'viewBox="0 0 {WIDTH} {height}">{"".join(parts)}</svg></figure>'
    )


def _ticks(values: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return some five round numbers, the first and last of them around all values."""
    from matplotlib.ticker import MaxNLocator

    low, high = float(values.min()), float(values.max())
    if high - low < 0.02:  # a bar, not a line as wide as the figure
        low, high = low - 0.01 * (low > 0), high + 0.02
    return np.asarray(MaxNLocator(4, steps=[1, 2, 2.5, 5, 10]).tick_values(low, high))


def _row_class(row: str, voice_name: str) -> str:
    if row == voice_name or row not in STANDARD_SYSTEMS:
        return "row-voice"
    return f"row-{STANDARD_SYSTEMS.index(row)}"
