"""Mel pictures with F0 contours, players, and histograms of scores, as HTML."""

import base64
import io
from collections.abc import Mapping, Sequence
from html import escape

import numpy as np
from numpy.typing import NDArray

from voxcycle.audio.f0 import F0_MAX_HZ, F0_MIN_HZ
from voxcycle.audio.mel import LogMel
from voxcycle.evaluation.stats.scores import UtteranceScores
from voxcycle.evaluation.stats.summary import MEASURES, print_value
from voxcycle.evaluation.systems import STANDARD_SYSTEMS

RANGE_DB = 70.0  # from black to white, below the loudest band
GREY_LEVELS = 64  # a quarter smaller than with 256, and no visible difference
MAX_WIDTH = 1600  # pixels; frames of longer recordings are skipped
F0_TICKS_HZ = (60, 100, 200, 400, 700)
TIME_STEPS_S = (1, 2, 5, 10, 30, 60, 120, 300, 600)
MAX_TIME_TICKS = 8
DRAWN_METRICS = ("secs_target", "secs_source", "cer", "distillmos", "dnsmos")
N_BINS = 24
# Of a histogram, in units of the SVG, which are pixels where it is shown at its own size.
WIDTH, MARGIN, LABEL, STRIP, GAP, AXIS = 320, 14, 15, 26, 5, 18
MP3_COMPRESSION = 0.5  # 0 best to 1 smallest: about 45 kbit/s for speech at 22,050 Hz


def draw_player(waveform: NDArray[np.float32], sample_rate: int, label: str) -> str:
    """Return a player that holds its audio (T,), at a rate that MP3 has."""
    import soundfile

    stream = io.BytesIO()
    soundfile.write(
        stream,
        np.clip(waveform, -1, 1),
        sample_rate,
        format="MP3",
        subtype="MPEG_LAYER_III",
        compression_level=MP3_COMPRESSION,
        bitrate_mode="VARIABLE",
    )
    return (
        f"<div><span>{escape(label)}</span>"
        f'<audio controls preload="none" aria-label="{escape(label)}" '
        f'src="{_embed(stream, "audio/mpeg")}"></audio></div>'
    )


def draw_mel(
    waveform: NDArray[np.float32],
    contours: Mapping[str, NDArray[np.float32]],
    log_mel: LogMel,
    label: str,
    share: float = 1.0,
) -> str:
    """Return the mel spectrogram of a recording (T,) with F0 contours over it, as HTML.

    Args:
        waveform: at the rate of `log_mel`, of at least one frame.
        contours: CSS class to F0 in Hz (F,), 0 = unvoiced.
        log_mel: the analysis.
        label: what the picture shows.
        share: of the available width, so that a second has the same length in all pictures.
    """
    mel = log_mel(waveform).T  # (n_mels, F)
    duration_s = len(waveform) / log_mel.spec.sample_rate
    seconds = [s for s in _time_ticks(duration_s) if s < duration_s]
    times = {s: 100 * s * log_mel.spec.frame_rate / mel.shape[1] for s in seconds}  # per cent
    lines = "".join(f"M0 {_height(f):.1f}H100" for f in F0_TICKS_HZ[1:-1])
    lines += "".join(f"M{x:.2f} 0V100" for s, x in times.items() if s)
    paths = "".join(
        f'<path class="{kind}" d="{_path(f0_hz)}"/>' for kind, f0_hz in contours.items()
    )
    f0_labels = "".join(f'<i style="top:{_height(f):.1f}%">{f}</i>' for f in F0_TICKS_HZ)
    time_labels = "".join(f'<i style="left:{x:.2f}%">{s}</i>' for s, x in times.items())
    step = -(-mel.shape[1] // MAX_WIDTH)
    alt = escape(f"Mel spectrogram: {label}, {duration_s:.1f} s")
    return (
        f'<figure class="mel"><figcaption>{escape(label)}</figcaption>'
        f'<div class="picture" style="width:{100 * share:.2f}%">'
        f'<img loading="lazy" alt="{alt}" src="{_embed(_grey_png(mel[:, ::step]), "image/png")}">'
        '<svg viewBox="0 0 100 100" preserveAspectRatio="none" aria-hidden="true">'
        f'<path class="grid" d="{lines}"/>{paths}</svg>'
        f'<div class="hertz" aria-hidden="true">{f0_labels}</div>'
        f'<div class="seconds" aria-hidden="true">{time_labels}</div></div></figure>'
    )


def _grey_png(mel: NDArray[np.float32]) -> io.BytesIO:
    """Return a picture, one pixel per frame and band, low bands below, loud ones dark."""
    from PIL import Image  # matplotlib needs it too

    depth = (float(mel.max()) - mel) * 20 / np.log(10) / RANGE_DB  # 0 loudest
    levels = np.round(np.clip(depth, 0, 1) * (GREY_LEVELS - 1)) * (255 / (GREY_LEVELS - 1))
    stream = io.BytesIO()
    Image.fromarray(levels[::-1].astype(np.uint8)).save(stream, "PNG")
    return stream


def _height(f0_hz: float) -> float:
    """Return the position of an F0 on the logarithmic axis, 0 = top to 100 = bottom."""
    return float(100 * np.log(F0_MAX_HZ / f0_hz) / np.log(F0_MAX_HZ / F0_MIN_HZ))


def _path(f0_hz: NDArray[np.float32]) -> str:
    """Return a contour as an SVG path across a square of 100, broken where it is unvoiced."""
    step = -(-len(f0_hz) // MAX_WIDTH)
    pieces, was_voiced = [], False
    for i in range(0, len(f0_hz), step):
        if f0_hz[i] > 0:
            x, y = 100 * (i + 0.5) / len(f0_hz), _height(f0_hz[i])
            pieces.append(f"{'L' if was_voiced else 'M'}{x:.2f} {y:.1f}")
            if not was_voiced:
                pieces.append("h0")  # a dot if no other frame follows
        was_voiced = bool(f0_hz[i] > 0)
    return "".join(pieces)


def _time_ticks(duration_s: float) -> range:
    step = next((s for s in TIME_STEPS_S if duration_s / s <= MAX_TIME_TICKS), TIME_STEPS_S[-1])
    return range(0, int(duration_s) + 1, step)


def _embed(stream: io.BytesIO, kind: str) -> str:
    return f"data:{kind};base64,{base64.b64encode(stream.getvalue()).decode('ascii')}"


def draw_histograms(scores: Sequence[UtteranceScores], voice_name: str) -> str:
    """Return a small figure per metric that some utterance has, with one strip per row."""
    figures = []
    for metric in DRAWN_METRICS:
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
    medians = []
    for i, (row, found) in enumerate(values.items()):
        floor = step * i + LABEL + STRIP
        median = float(np.median(found))
        text = f"{row}: median {print_value(median, form)}"
        medians.append(text)
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
    label = escape(f"Histograms of {heading}: {'; '.join(medians)}")
    return (
        f'<figure><figcaption>{escape(heading)}</figcaption><svg role="img" aria-label="{label}" '
        f'viewBox="0 0 {WIDTH} {height}">{"".join(parts)}</svg></figure>'
    )


def _ticks(values: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return about five round numbers that enclose all values."""
    from matplotlib.ticker import MaxNLocator

    low, high = float(values.min()), float(values.max())
    if high - low < 0.02:  # a bar, not a line as wide as the figure
        low, high = low - 0.01 * (low > 0), high + 0.02
    return np.asarray(MaxNLocator(4, steps=[1, 2, 2.5, 5, 10]).tick_values(low, high))


def _row_class(row: str, voice_name: str) -> str:
    if row == voice_name or row not in STANDARD_SYSTEMS:
        return "row-voice"
    return f"row-{STANDARD_SYSTEMS.index(row)}"
