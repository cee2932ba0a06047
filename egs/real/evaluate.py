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
import csv
import json
import time
from collections import defaultdict
from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray
from record import record

from voxcycle.audio.activity import find_speech
from voxcycle.audio.f0 import extract_f0
from voxcycle.audio.level import frame_power, moving_sum, remove_rumble, to_db
from voxcycle.audio.mel import MelSpec
from voxcycle.audio.mixdown import load_mono
from voxcycle.audio.resample import resample
from voxcycle.console import late_progress
from voxcycle.conversion.pipeline import convert
from voxcycle.evaluation.metrics.asr import WhisperTranscriber, find_model, word_errors
from voxcycle.evaluation.metrics.naturalness import DistillMOS
from voxcycle.evaluation.metrics.phones import PhoneRecogniser, phone_errors
from voxcycle.evaluation.metrics.pitch import compare_f0
from voxcycle.evaluation.metrics.similarity import ResemblyzerEmbedder, centroid, cosine
from voxcycle.evaluation.report.results import Value
from voxcycle.evaluation.systems import copy_synthesis
from voxcycle.vocoders.registry import load_vocoder
from voxcycle.voices.library import load_voice

SPEC = MelSpec()
RATE, JUDGE_RATE = SPEC.sample_rate, 16_000
SEGMENT_S = 0.5  # over which the levels of speech are compared
EDGE_S = 0.1  # around speech, which counts neither as speech nor as pause
PAUSE_FLOOR_DB, PAUSE_EXCESS_DB = -60.0, 3.0
ADDED = ("pink20", "pink10", "babble15", "hum", "events")  # the speech is in them as it is in clean
UNCONVERTED, COPY = "unconverted", "copy"
MEANS = (
    *("secs", "nearer", "distillmos", "f0_rmse"),
    *("level_rms_db", "pause_excess_db", "pause_below_speech_db"),
)

Wave = NDArray[np.float32]


class Row(NamedTuple):
    """A recording to convert, of conditions.csv."""

    condition: str
    path: Path
    clean: Path
    speaker: str
    language: str
    start_s: float
    text: str


class Clean(NamedTuple):
    """The clean clip of a recording: its samples, speech frames, and what is heard in it."""

    waveform: Wave
    speech: NDArray[np.bool_]
    words: str
    phones: list[str]
    requested_f0: Wave


def read_rows(folder: Path, real: Path, every: int, conditions: list[str]) -> list[Row]:
    """Return every n-th recording of each condition in English, `clean` first."""
    with (folder / "conditions.csv").open(encoding="utf-8") as file:
        rows = [
            Row(
                condition=row["condition"],
                path=folder / row["path"],
                clean=real / row["clean"],
                speaker=row["speaker"],
                language=row["language"],
                start_s=float(row["start_s"]),
                text=row["text"],
            )
            for row in csv.DictReader(file)
            if row["language"].startswith("en")
        ]
    by_condition: dict[str, list[Row]] = defaultdict(list)
    for row in rows:
        if not conditions or row.condition in conditions:
            by_condition[row.condition].append(row)
    return [row for own in by_condition.values() for row in own[::every]]


def remove_rumble_of_each(*waveforms: Wave) -> list[Wave]:
    """Return waveforms as levels are measured in them."""
    return [steady for x in waveforms for steady in remove_rumble([x], RATE)]


def measure_levels(source: Wave, output: Wave, speech: NDArray[np.bool_]) -> dict[str, float]:
    """Return the level error of speech and the level of pauses.

    Args:
        source: the recording, or its clean clip where something was added to it, (T,).
        output: its conversion, (T,).
        speech: of the clean clip, (F,).
    """
    hop, frames = SPEC.hop_length, len(speech)
    into, out = (
        frame_power(steady, hop)[:frames] for steady in remove_rumble_of_each(source, output)
    )
    segment = np.arange(frames) // round(SEGMENT_S * SPEC.frame_rate)
    sums = [np.bincount(segment, power * speech) for power in (into, out)]
    full = np.bincount(segment, speech) > 0.5 * round(SEGMENT_S * SPEC.frame_rate)
    errors = to_db(sums[1][full]) - to_db(sums[0][full])
    pause = moving_sum(speech.astype(np.float64), round(EDGE_S * SPEC.frame_rate)) < 0.5
    scores = {"level_rms_db": float(np.sqrt(np.mean(errors**2))) if full.any() else np.nan}
    if pause.any():
        own_db = to_db(out[pause])
        allowed_db = np.maximum(to_db(into[pause]) + PAUSE_EXCESS_DB, PAUSE_FLOOR_DB)
        scores["pause_excess_db"] = float(np.percentile(own_db - allowed_db, 95))
        scores["pause_below_speech_db"] = float(
            to_db(out[speech].mean()) - to_db(out[pause].mean())
        )
    return scores


class Yardstick:
    """The metrics, and what they find in the clean clips."""

    def __init__(self, asr: str, references: list[Path]) -> None:
        self.asr, self.phones = WhisperTranscriber(find_model(asr)), PhoneRecogniser()
        self.embedder, self.naturalness = ResemblyzerEmbedder(), DistillMOS()
        self.target = self.centroid(references) if references else np.zeros(0, np.float32)
        self._sources: dict[str, Wave] = {}

    def centroid(self, paths: list[Path]) -> Wave:
        """Return the speaker of some recordings."""
        return centroid([self.embedder.embed(load_mono(path, JUDGE_RATE)) for path in paths])

    def source(self, row: Row) -> Wave:
        """Return the centroid of a speaker's clean clips."""
        if row.speaker not in self._sources:
            own = sorted(row.clean.parent.glob("*.flac"))
            self._sources[row.speaker] = self.centroid(own)
        return self._sources[row.speaker]

    def hear(self, waveform: Wave, clean: Clean, text: str) -> dict[str, Any]:
        """Return errors and lengths of words and phones in a waveform (T,) at `RATE`."""
        speech = resample(waveform, RATE, JUDGE_RATE)
        heard = self.asr.transcribe(speech, "en")
        words = word_errors(text or clean.words, heard)
        phones = phone_errors(clean.phones, self.phones.recognise(speech))
        return {
            "heard": heard,
            "word_errors": words.errors,
            "words": words.length,
            "phone_errors": phones.errors,
            "phones": phones.length,
        }

    def score(self, output: Wave, recording: Wave, clean: Clean, row: Row) -> dict[str, Any]:
        """Return all scores of a conversion (T,) of a recording (T,), both from where it speaks."""
        speech = resample(output, RATE, JUDGE_RATE)
        embedding = self.embedder.embed(speech)
        to_target, to_source = cosine(embedding, self.target), cosine(embedding, self.source(row))
        f0_hz = extract_f0(output, SPEC)
        pitch = compare_f0(clean.requested_f0, f0_hz)
        compared = clean.waveform if row.condition in ADDED else recording
        return {
            **self.hear(output, clean, row.text),
            "secs": to_target,
            "nearer": float(to_target > to_source),
            "distillmos": self.naturalness.score(speech),
            "f0_rmse": pitch.rmse_semitones,
            "voiced_both": pitch.n_both,
            "voiced_one": pitch.n_voicing,
            **measure_levels(compared, output, clean.speech),
        }


def read_clean(row: Row, yardstick: Yardstick, request: Callable[[Wave], Wave]) -> Clean:
    """Analyse the clean clip of a recording."""
    waveform = load_mono(row.clean, RATE)
    waveform = waveform[: len(waveform) // SPEC.hop_length * SPEC.hop_length]
    power = frame_power(*remove_rumble_of_each(waveform), SPEC.hop_length)
    heard = resample(waveform, RATE, JUDGE_RATE)
    return Clean(
        waveform=waveform,
        speech=find_speech(to_db(power), extract_f0(waveform, SPEC), SPEC.frame_rate),
        words=row.text or yardstick.asr.transcribe(heard, "en"),
        phones=yardstick.phones.recognise(heard),
        requested_f0=request(waveform),
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


def references_of(args: argparse.Namespace) -> list[Path]:
    """Return the recordings of the target."""
    return sorted(args.references.glob("*.flac"))[:20] if args.references else []


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--conditions", type=Path, required=True, help="made by conditions.py")
    parser.add_argument("--real", type=Path, required=True)
    parser.add_argument("--voice", required=True, help=f"name or file, or {UNCONVERTED}, or {COPY}")
    parser.add_argument("--references", type=Path, help="folder of clips of the target")
    parser.add_argument("--asr", default="base", help="base, or a folder of faster-whisper")
    parser.add_argument("--vocoder", default="fast")
    parser.add_argument("--only", default="", help="conditions, with commas")
    parser.add_argument("--every", type=int, default=1, help="take each n-th recording")
    parser.add_argument("--result", help="ID of the result file to write under results/")
    parser.add_argument("--scores", type=Path, required=True, help="JSON lines: a clip each")
    args = parser.parse_args()
    torch.set_num_threads(1)
    started = time.monotonic()
    if args.voice != UNCONVERTED and not references_of(args):
        parser.error("--references: name a folder of FLAC clips of the target")
    only, is_left = [name for name in args.only.split(",") if name], args.voice == UNCONVERTED
    rows = read_rows(args.conditions, args.real, args.every, only)
    yardstick = Yardstick(args.asr, references_of(args))
    vocoder = load_vocoder(args.vocoder, SPEC)
    voice = None if args.voice in (UNCONVERTED, COPY) else load_voice(args.voice)

    def make(waveform: Wave) -> tuple[Wave, Wave]:
        if voice is None:
            return copy_synthesis(waveform, RATE, vocoder), extract_f0(waveform, SPEC)
        made = convert(waveform, voice, sample_rate=RATE, vocoder=vocoder)
        return made.waveform, made.f0_hz

    args.scores.parent.mkdir(parents=True, exist_ok=True)
    done: dict[str, dict[str, Any]] = {}
    of = f"{args.voice} {args.vocoder} {args.asr} {args.references}"
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
                        row,
                        yardstick,
                        (lambda x: np.zeros(0, np.float32)) if is_left else (lambda x: make(x)[1]),
                    )
                own = clean[row.clean]
                recording = load_mono(row.path, RATE)
                start = round(row.start_s * RATE)
                span = slice(start, start + len(own.waveform))
                if is_left:
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
