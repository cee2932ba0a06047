"""The picture of what `voxcycle prepare` kept and dropped."""

from pathlib import Path

import numpy as np

from voxcycle.files import replacing
from voxcycle.speech.prepare import Prepared

PICTURE = "report.png"
KEPT, DROPPED = "#1f77b4", "#d62728"


def draw_report(prepared: Prepared, out: Path) -> None:
    """Write `report.png`: minutes kept and dropped, durations, noise against loudness, F0."""
    from matplotlib.figure import Figure

    figure = Figure(figsize=(10, 7), layout="constrained")
    ((fate, length), (noise, pitch)) = figure.subplots(2, 2)
    kept = [piece for piece in prepared.pieces if not piece.problem]
    dropped = [piece for piece in prepared.pieces if piece.problem]

    minutes = {"kept": prepared.minutes_kept()} | prepared.minutes_dropped()
    pauses = prepared.minutes - sum(minutes.values())
    minutes["pauses"] = max(pauses, 0.0)
    colours = [KEPT, *[DROPPED] * (len(minutes) - 2), "#999999"]
    bars = fate.barh(list(minutes), list(minutes.values()), color=colours)
    fate.bar_label(bars, fmt="%.1f", padding=3)
    fate.margins(x=0.15)
    fate.invert_yaxis()
    fate.set(title="recordings", xlabel="minutes")

    seconds = [[c.quality.duration_s for c in clips] for clips in (kept, dropped)]
    length.hist(
        seconds,
        bins=np.arange(0, 13.5, 1),
        stacked=True,
        color=[KEPT, DROPPED],
        label=["kept", "dropped"],
    )
    length.legend()
    length.set(title="lengths", xlabel="seconds", ylabel="clips")

    for clips, colour in ((kept, KEPT), (dropped, DROPPED)):
        noise.scatter(
            [c.quality.level_db for c in clips],
            [c.quality.range_db for c in clips],
            s=14,
            color=colour,
            alpha=0.7,
        )
    noise.set(title="noise", xlabel="loudness, dBFS", ylabel="loud over soft, dB")

    voiced = [piece.quality for piece in kept if piece.quality.f0_hz[1] > 0]
    order = sorted(voiced, key=lambda quality: quality.f0_hz[1])
    index = np.arange(len(order))
    low, middle, high = np.array([quality.f0_hz for quality in order]).reshape(-1, 3).T
    pitch.vlines(index, low, high, color=KEPT, alpha=0.4)
    pitch.plot(index, middle, ".", color=KEPT)
    pitch.set_yscale("log")
    pitch.set_yticks([75, 100, 150, 200, 300, 400, 600], labels=[75, 100, 150, 200, 300, 400, 600])
    pitch.minorticks_off()
    pitch.set(title="F0 of each clip: median, 5 to 95 %", xlabel="clips by pitch", ylabel="Hz")

    with replacing(out / PICTURE) as partial:
        figure.savefig(partial, dpi=110, format="png")
