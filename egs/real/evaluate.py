"""Measure a voice on real recordings under all conditions: words, likeness, pitch, levels.

    python egs/real/evaluate.py --conditions OUT --real FOLDER --voice heart --references CLIPS \
        --scores FILE.jsonl

OUT is made by conditions.py, CLIPS are recordings of the target that no training heard. Words are
compared with the text where there is one, else with what the recogniser hears in the clean source.
`--voice unconverted` gives the recogniser's own errors, `--voice copy` those of the vocoder alone.
F0 is compared with what the clean recording asks for. Every clip's scores are kept, so a stopped
call continues where it was.
"""

import argparse
import functools
import json
import time
from collections import defaultdict
from pathlib import Path
from typing import Any

import numpy as np
import torch
from record import record
from systems import COPY, System, load_system
from yardstick import RATE, SPEC, Clean, Wave, Yardstick, read_clean, read_rows

from voxcycle.audio.mixdown import load_mono
from voxcycle.console import late_progress
from voxcycle.evaluation.report.results import Value
from voxcycle.runtime.session import use_threads
from voxcycle.vocoders.registry import load_vocoder

UNCONVERTED = "unconverted"
MEANS = (
    *("secs", "nearer", "distillmos", "f0_rmse"),
    *("level_rms_db", "pause_excess_db", "pause_below_speech_db"),
)


def summarise(scores: list[dict[str, Any]]) -> dict[str, Any]:
    """Return the figures of a condition: rates over all its clips, means of the rest."""

    def total(name: str) -> float:
        return sum(s[name] for s in scores)

    by_speaker: dict[str, list[dict[str, Any]]] = defaultdict(list)
    for score in scores:
        by_speaker[score["speaker"]].append(score)
    worst = max(
        sum(s["word_errors"] for s in own) / max(1, sum(s["words"] for s in own))
        for own in by_speaker.values()
    )
    row = {
        "n_clips": len(scores),
        "wer": total("word_errors") / max(1, total("words")),
        "wer_worst_speaker": worst,
        "phone_error_rate": total("phone_errors") / max(1, total("phones")),
    }
    if "secs" in scores[0]:
        both, one = total("voiced_both"), total("voiced_one")
        row["voicing_f1"] = 2 * both / max(1, 2 * both + one)
        for name in MEANS:
            row[name] = float(np.nanmean([s.get(name, np.nan) for s in scores]))
    return {name: round(float(value), 4) for name, value in row.items()}


def request_f0(make: System | None, waveform: Wave) -> Wave:
    """Return the F0 that a conversion of a clean clip asks for; nothing where none is made."""
    return np.zeros(0, np.float32) if make is None else make(waveform)[1]


def references_of(args: argparse.Namespace) -> list[Path]:
    """Return the recordings of the target."""
    return sorted(args.references.glob("*.flac"))[:20] if args.references else []


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--conditions", type=Path, required=True, help="made by conditions.py")
    parser.add_argument("--real", type=Path, required=True)
    parser.add_argument(
        "--voice",
        required=True,
        help=f"name or file of a voice, {UNCONVERTED}, {COPY}, or the file of pretrained networks, "
        "which speak like --target",
    )
    parser.add_argument("--target", type=Path, help="folder of recordings for such networks")
    parser.add_argument("--references", type=Path, help="folder of clips of the target")
    parser.add_argument("--asr", default="base", help="base, or a folder of faster-whisper")
    parser.add_argument("--vocoder", default="fast")
    parser.add_argument("--only", default="", help="conditions, with commas")
    parser.add_argument("--every", type=int, default=1, help="take each n-th recording")
    parser.add_argument("--result", help="ID of the result file to write under results/")
    parser.add_argument("--scores", type=Path, required=True, help="JSON lines: a clip each")
    args = parser.parse_args()
    torch.set_num_threads(1)  # of the metrics
    use_threads(1)
    started = time.monotonic()
    if args.voice != UNCONVERTED and not references_of(args):
        parser.error("--references: name a folder of FLAC clips of the target")
    only, is_left = [name for name in args.only.split(",") if name], args.voice == UNCONVERTED
    rows = read_rows(args.conditions, args.real, args.every, only)
    yardstick = Yardstick(args.asr, references_of(args))
    vocoder = load_vocoder(args.vocoder, SPEC)
    make = None if is_left else load_system(args.voice, args.target, vocoder)

    args.scores.parent.mkdir(parents=True, exist_ok=True)
    done: dict[str, dict[str, Any]] = {}
    of = f"{args.voice} {args.target} {args.vocoder} {args.asr} {args.references}"
    if args.scores.exists():
        scored = list(map(json.loads, args.scores.read_text("utf-8").splitlines()))
        if {s["of"] for s in scored} - {of}:
            parser.error(f"{args.scores}: scores of another voice, vocoder or recogniser are in it")
        done = {s["path"]: s for s in scored}
    clean: dict[Path, Clean] = {}
    with (
        args.scores.open("a", encoding="utf-8") as file,
        late_progress("clips", len(rows)) as advance,
    ):
        for row in rows:
            name = str(row.path.relative_to(args.conditions))
            if name not in done:
                if row.clean not in clean:
                    clean[row.clean] = read_clean(
                        row, yardstick, functools.partial(request_f0, make)
                    )
                own = clean[row.clean]
                recording = load_mono(row.path, RATE)
                start = round(row.start_s * RATE)
                span = slice(start, start + len(own.waveform))
                if make is None:
                    scores = yardstick.hear(recording[span], own, row.text)
                else:
                    output = make(recording)[0]
                    scores = yardstick.score(output[span], recording[span], own, row)
                done[name] = {
                    "path": name,
                    "of": of,
                    "condition": row.condition,
                    "speaker": row.speaker,
                    **scores,
                }
                file.write(json.dumps(done[name]) + "\n")
                file.flush()
            advance()
    summary: list[dict[str, Value]] = []
    for condition in dict.fromkeys(row.condition for row in rows):
        names = [
            str(row.path.relative_to(args.conditions)) for row in rows if row.condition == condition
        ]
        summary.append({"row": condition, **summarise([done[name] for name in names])})
        print(json.dumps(summary[-1]), flush=True)
    if args.result:
        record(
            args.result,
            f"{args.voice} by condition, {args.conditions.name} speakers, {args.vocoder}",
            rows=summary,
            recordings=[row.clean for row in rows],
            started=started,
            notes=["wall_s is of the last call: clips scored before were not scored again"],
        )


if __name__ == "__main__":
    main()
