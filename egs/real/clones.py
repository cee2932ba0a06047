"""Measure clones of real speakers: likeness, words, naturalness, beside their copy synthesis.

    python egs/real/clones.py --real FOLDER --role valid --work OUT --scores FILE.jsonl

Every speaker with 38 s of clips is cloned from the first 20 s; the rest, which no clone has heard,
are the reference of its likeness. Sources are clips of other speakers, in English.
Copy synthesis of the rest is what the vocoder alone leaves of the likeness. Resumes where it was.
"""

import argparse
import csv
import json
import shutil
import time
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import torch
from record import record
from yardstick import JUDGE_RATE, RATE, SPEC, Row, Yardstick, read_clean

from voxcycle.audio.mixdown import load_mono
from voxcycle.audio.resample import resample
from voxcycle.console import late_progress
from voxcycle.conversion.pipeline import convert
from voxcycle.evaluation.metrics.similarity import cosine
from voxcycle.evaluation.report.results import Value
from voxcycle.evaluation.systems import copy_synthesis
from voxcycle.runtime.session import use_threads
from voxcycle.speech.clone import clone_voice
from voxcycle.vocoders.registry import load_vocoder
from voxcycle.voices.pretrained import PRETRAINED_FILE, Pretrained
from voxcycle.voices.voice import Voice, VoiceCard

MIN_S, REFERENCE_S = 38.0, 20.0


class Clip(NamedTuple):
    """A clip of the manifest."""

    path: Path
    speaker: str
    language: str
    seconds: float
    text: str


class Target(NamedTuple):
    """A speaker to be cloned: the clips that the clone hears, and the others."""

    name: str
    reference: list[Clip]
    rest: list[Clip]


def read_clips(real: Path, role: str) -> dict[str, list[Clip]]:
    """Return the clips of each speaker of a role."""
    speakers: dict[str, list[Clip]] = {}
    with (real / "manifest.csv").open(encoding="utf-8") as file:
        for row in csv.DictReader(file):
            if row["split"] == role and "mp3" not in row["corpus"]:
                name = f"{row['corpus']}_{row['speaker']}"
                clip = Clip(
                    path=real / row["path"],
                    speaker=name,
                    language=row["lang"],
                    seconds=float(row["seconds"]),
                    text=row["text"],
                )
                speakers.setdefault(name, []).append(clip)
    return speakers


def choose_targets(speakers: dict[str, list[Clip]]) -> list[Target]:
    """Split the clips of every speaker who has enough of them."""
    targets = []
    for name, clips in speakers.items():
        ends = np.cumsum([clip.seconds for clip in clips])
        n_heard = int(np.searchsorted(ends, REFERENCE_S)) + 1
        if ends[-1] >= MIN_S and n_heard < len(clips):
            targets.append(Target(name, clips[:n_heard], clips[n_heard:]))
    return targets


def choose_sources(speakers: dict[str, list[Clip]], target: str, n: int) -> list[Clip]:
    """Return the longest English clip of n other speakers, spread over all of them."""
    longest = [
        max(clips, key=lambda clip: clip.seconds)
        for name, clips in speakers.items()
        if name != target and clips[0].language.startswith("en")
    ]
    places = np.linspace(0, len(longest) - 1, min(n, len(longest))).round().astype(int)
    return [longest[place] for place in places]


def summarise(scores: list[dict[str, Any]]) -> dict[str, Any]:
    """Return the figures of some conversions."""
    words = sum(s["words"] for s in scores)
    row = {"n_clips": len(scores), "wer": sum(s["word_errors"] for s in scores) / max(words, 1)}
    for name in ("wer_source", "secs", "nearer", "secs_copy", "distillmos", "f0_rmse"):
        row[name] = float(np.nanmean([s[name] for s in scores]))
    row["secs_of_copy"] = row["secs"] / row["secs_copy"]
    return {name: round(float(value), 4) for name, value in row.items()}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--real", type=Path, required=True)
    parser.add_argument("--role", default="valid", choices=("valid", "eval"))
    parser.add_argument("--work", type=Path, required=True, help="folder for the clones")
    parser.add_argument("--scores", type=Path, required=True, help="JSON lines: a clip each")
    parser.add_argument("--pretrained", type=Path, default=PRETRAINED_FILE)
    parser.add_argument("--sources", type=int, default=4, help="conversions to each clone")
    parser.add_argument("--vocoder", default="fast")
    parser.add_argument("--asr", default="base", help="base, or a folder of faster-whisper")
    parser.add_argument("--result", help="ID of the result file to write under results/")
    args = parser.parse_args()
    torch.set_num_threads(1)  # of the metrics
    use_threads(1)
    started = time.monotonic()
    speakers = read_clips(args.real, args.role)
    targets, vocoder = choose_targets(speakers), load_vocoder(args.vocoder, SPEC)
    yardstick = Yardstick(args.asr, [])
    args.scores.parent.mkdir(parents=True, exist_ok=True)
    done: list[dict[str, Any]] = []
    of = f"{args.role} {args.vocoder} {args.asr} {Pretrained.sha256(args.pretrained)}"
    if args.scores.exists():
        done = list(map(json.loads, args.scores.read_text("utf-8").splitlines()))
        if {s["of"] for s in done} - {of}:
            parser.error(f"{args.scores}: scores of other networks or another role are in it")
    known = {(s["target"], s["source"]) for s in done}
    with (
        args.scores.open("a", encoding="utf-8") as file,
        late_progress("conversions", len(targets) * args.sources) as advance,
    ):
        for target in targets:
            voice = None
            for clip in choose_sources(speakers, target.name, args.sources):
                if (target.name, str(clip.path.name)) not in known:
                    if voice is None:
                        voice = make_clone(target, args.work, args.pretrained)
                        yardstick.target = yardstick.centroid([c.path for c in target.rest])
                        copies = [copy_likeness(c, yardstick, vocoder) for c in target.rest]
                    scores = score(clip, voice, vocoder, yardstick)
                    scores |= {"of": of, "target": target.name, "source": clip.path.name}
                    done.append(scores | {"secs_copy": float(np.mean(copies))})
                    file.write(json.dumps(done[-1]) + "\n")
                    file.flush()
                advance()
    summary: list[dict[str, Value]] = [{"row": "all", **summarise(done)}]
    for target in targets:
        own = [s for s in done if s["target"] == target.name]
        summary.append({"row": target.name, **summarise(own)})
    for row in summary:
        print(json.dumps(row), flush=True)
    if args.result:
        record(
            args.result,
            f"Clones of real speakers ({args.role}) from 20 s, {args.vocoder}",
            rows=summary,
            recordings=[clip.path for own in speakers.values() for clip in own],
            started=started,
        )


def make_clone(target: Target, work: Path, pretrained: Path) -> Voice:
    """Clone a speaker as `voxcycle clone` does."""
    folder = work / target.name
    folder.mkdir(parents=True, exist_ok=True)
    for clip in target.reference:
        shutil.copy(clip.path, folder)
    path = work / f"{target.name}.safetensors"
    clone_voice(folder, VoiceCard(target.name), path, pretrained)
    return Voice.load(path)


def copy_likeness(clip: Clip, yardstick: Yardstick, vocoder: Any) -> float:
    """Return how like the target the copy synthesis of one of its clips is."""
    copied = copy_synthesis(load_mono(clip.path, RATE), RATE, vocoder)
    return cosine(yardstick.embedder.embed(resample(copied, RATE, JUDGE_RATE)), yardstick.target)


def score(clip: Clip, voice: Voice, vocoder: Any, yardstick: Yardstick) -> dict[str, Any]:
    """Convert a clip and measure it."""
    row = Row(
        condition="clean",
        path=clip.path,
        clean=clip.path,
        speaker=clip.speaker,
        language=clip.language,
        start_s=0.0,
        text=clip.text,
    )
    clean = read_clean(
        row, yardstick, lambda x: convert(x, voice, sample_rate=RATE, vocoder=vocoder).f0_hz
    )
    output = convert(clean.waveform, voice, sample_rate=RATE, vocoder=vocoder).waveform
    scores = yardstick.score(output, clean.waveform, clean, row)
    heard = yardstick.hear(clean.waveform, clean, clip.text)
    return scores | {"wer_source": heard["word_errors"] / max(heard["words"], 1)}


if __name__ == "__main__":
    main()
