"""Scores of utterances, their summary per speaker and row, as a table and as JSON."""

import json
import platform
from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from voxcycle.evaluation.pitch import PitchErrors
from voxcycle.evaluation.words import ErrorCount

MEAN = "mean"


@dataclass(frozen=True)
class UtteranceScores:
    """What the judges say about one utterance; None where a metric was not asked for or failed.

    Attributes:
        row: what made the audio: "unconverted", "copy synthesis" or a voice.
        speaker: who is heard in the input.
        sentence: the utterance's name.
        duration_s: of the audio.
        secs_target: cosine to the centroid of the target speaker.
        secs_source: cosine to the centroid of the source speaker.
        words: word errors against the text, or where there is none, against what the recogniser
            hears in the source.
        characters: character errors, likewise.
        transcript: what the recogniser hears.
        distillmos: predicted overall quality, 1-5.
        dnsmos: predicted P.835 overall score, 1-5.
        pitch: F0 errors against the requested contour.
        failures: what a judge could not score, and why.
    """

    row: str
    speaker: str
    sentence: str
    duration_s: float = 0.0
    secs_target: float | None = None
    secs_source: float | None = None
    words: ErrorCount | None = None
    characters: ErrorCount | None = None
    transcript: str | None = None
    distillmos: float | None = None
    dnsmos: float | None = None
    pitch: PitchErrors | None = None
    failures: tuple[str, ...] = ()

    def to_dict(self) -> dict[str, Any]:
        """Return plain values, counts by name and with their rates."""
        values = asdict(self) | {"failures": list(self.failures)}
        for name, count in (("words", self.words), ("characters", self.characters)):
            values[name] = count and {**count._asdict(), "rate": _plain(count.rate)}
        values["pitch"] = self.pitch and {
            **self.pitch._asdict(),
            "rmse_semitones": _plain(self.pitch.rmse_semitones),
            "gross_rate": _plain(self.pitch.gross_rate),
            "voicing_error_rate": _plain(self.pitch.voicing_error_rate),
        }
        return values


class Summary(NamedTuple):
    """One line of the table: the mean over a speaker's sentences, or over speakers.

    Error rates are those of all sentences together (errors summed, lengths summed). `nearer_target`
    is the share of sentences with a higher cosine to the target than to the source; a sentence
    that could not be scored counts as not nearer.
    """

    row: str
    speaker: str
    n_sentences: int
    secs_target: float | None
    secs_source: float | None
    nearer_target: float | None
    wer: float | None
    cer: float | None
    distillmos: float | None
    dnsmos: float | None
    f0_rmse_semitones: float | None
    f0_gross_rate: float | None
    f0_voicing_error_rate: float | None
    n_failed: int


# Heading, how it is printed (share: as per cent).
COLUMNS: dict[str, tuple[str, str]] = {
    "row": ("row", "text"),
    "speaker": ("speaker", "text"),
    "n_sentences": ("n", "count"),
    "secs_target": ("SECS target", "3"),
    "secs_source": ("SECS source", "3"),
    "nearer_target": ("nearer target", "share"),
    "wer": ("WER", "3"),
    "cer": ("CER", "3"),
    "distillmos": ("DistillMOS", "2"),
    "dnsmos": ("DNSMOS", "2"),
    "f0_rmse_semitones": ("F0 RMSE st", "2"),
    "f0_gross_rate": ("F0 gross", "share"),
    "f0_voicing_error_rate": ("voicing", "share"),
    "n_failed": ("failed", "count"),
}


def summarize(scores: Sequence[UtteranceScores]) -> list[Summary]:
    """Return one line per row and speaker, and after each row of several speakers their mean."""
    lines: list[Summary] = []
    for row in dict.fromkeys(s.row for s in scores):
        of_row = [s for s in scores if s.row == row]
        speakers = dict.fromkeys(s.speaker for s in of_row)
        of_speakers = [_summarize_speaker([s for s in of_row if s.speaker == n]) for n in speakers]
        lines += of_speakers
        if len(of_speakers) > 1:
            lines.append(_average(of_speakers))
    return lines


def _summarize_speaker(scores: Sequence[UtteranceScores]) -> Summary:
    words = _total(ErrorCount, (s.words for s in scores))
    characters = _total(ErrorCount, (s.characters for s in scores))
    pitch = _total(PitchErrors, (s.pitch for s in scores))
    compared = any(s.secs_source is not None for s in scores)
    nearer = [(s.secs_target or -1.0) > (s.secs_source or -1.0) for s in scores]
    return Summary(
        row=scores[0].row,
        speaker=scores[0].speaker,
        n_sentences=len(scores),
        secs_target=_mean(s.secs_target for s in scores),
        secs_source=_mean(s.secs_source for s in scores),
        nearer_target=float(np.mean(nearer)) if compared else None,
        wer=words and _plain(words.rate),
        cer=characters and _plain(characters.rate),
        distillmos=_mean(s.distillmos for s in scores),
        dnsmos=_mean(s.dnsmos for s in scores),
        f0_rmse_semitones=pitch and _plain(pitch.rmse_semitones),
        f0_gross_rate=pitch and _plain(pitch.gross_rate),
        f0_voicing_error_rate=pitch and _plain(pitch.voicing_error_rate),
        n_failed=sum(bool(s.failures) for s in scores),
    )


def _average(lines: Sequence[Summary]) -> Summary:
    means = {k: _mean(getattr(line, k) for line in lines) for k in Summary._fields[3:-1]}
    return Summary(
        row=lines[0].row,
        speaker=MEAN,
        n_sentences=sum(line.n_sentences for line in lines),
        n_failed=sum(line.n_failed for line in lines),
        **means,
    )


def _mean(values: Iterable[float | None]) -> float | None:
    known = [v for v in values if v is not None]
    return float(np.mean(known)) if known else None


def _total(kind: Any, counts: Iterable[Any]) -> Any:
    known = [c for c in counts if c is not None]
    return kind(*(sum(column) for column in zip(*known, strict=True))) if known else None


def _plain(value: float) -> float | None:
    return value if np.isfinite(value) else None  # JSON has no NaN


def table_cells(lines: Sequence[Summary]) -> list[list[str]]:
    """Return headings and printed values; columns that nobody filled are left out."""
    used = [k for k in COLUMNS if any(getattr(line, k) is not None for line in lines)]
    body = [[_print(getattr(line, k), COLUMNS[k][1]) for k in used] for line in lines]
    return [[COLUMNS[k][0] for k in used], *body]


def markdown_table(lines: Sequence[Summary]) -> str:
    """Return the summary as a Markdown table."""
    headings, *body = table_cells(lines)
    rows = [headings, ["---"] * len(headings), *body]
    return "\n".join("| " + " | ".join(cells) + " |" for cells in rows)


def _print(value: Any, kind: str) -> str:
    if value is None:
        return ""
    if kind in ("text", "count"):
        return str(value)
    return f"{100 * value:.1f} %" if kind == "share" else f"{value:.{kind}f}"


def describe_machine() -> dict[str, Any]:
    """Return what speed depends on: processor, threads, versions."""
    import torch

    cpu = platform.processor() or platform.machine()
    info = Path("/proc/cpuinfo")
    if info.exists():
        names = [x for x in info.read_text().splitlines() if x.startswith("model name")]
        cpu = names[0].split(":", 1)[1].strip() if names else cpu
    return {
        "cpu": cpu,
        "threads": torch.get_num_threads(),
        "python": platform.python_version(),
        "torch": torch.__version__,
    }


def write_json(path: Path, scores: Sequence[UtteranceScores], about: dict[str, Any]) -> None:
    """Write what was evaluated, the summary and every utterance."""
    document = {
        "about": about,
        "summary": [line._asdict() for line in summarize(scores)],
        "utterances": [s.to_dict() for s in scores],
    }
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(document, indent=1, allow_nan=False) + "\n", encoding="utf-8")
