"""Means over sentences, per speaker and system, with bootstrap intervals; printed as tables.

Every metric is a ratio of sums over sentences (a mean: the sum of scores over their number; a word
error rate: errors over words), so one bootstrap serves all: sentences are drawn with replacement
within each speaker (Efron and Tibshirani, 1993, percentile intervals).
"""

from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from voxcycle.evaluation.metrics.similarity import equal_error_rate
from voxcycle.evaluation.stats.scores import UtteranceScores
from voxcycle.evaluation.systems import COPY_SYNTHESIS, TARGET

MEAN = "mean"
N_RESAMPLES = 1000
SEED = 0
CONFIDENCE = 0.95


class Ratio(NamedTuple):
    """A sentence's contribution to a metric, which is the sum of `part` over the sum of `whole`."""

    part: float
    whole: float


class Measure(NamedTuple):
    """A column of the summary.

    Attributes:
        heading: as printed.
        form: how a value is printed: number of decimals, or share for per cent.
        attribute: of `UtteranceScores`: a score, or counts.
        counts: part and whole of the ratio among the counts; without them it is the score's mean.
        is_better_high: whether more is better.
        is_root: whether the metric is the square root of the ratio.
    """

    heading: str
    form: str
    attribute: str
    counts: tuple[str, str] | None = None
    is_better_high: bool = True
    is_root: bool = False

    def ratio(self, scores: UtteranceScores) -> Ratio | None:
        """Return an utterance's contribution; None without such a score."""
        score = getattr(scores, self.attribute)
        if score is None or self.counts is None:
            return score if score is None else Ratio(score, 1)
        part, whole = self.counts
        return Ratio(getattr(score, part), getattr(score, whole))

    def value(self, scores: UtteranceScores) -> float | None:
        """Return the metric of one utterance; None where it has none."""
        ratio = self.ratio(scores)
        if ratio is None or not ratio.whole:
            return None
        return float(self.evaluate(np.array(ratio, np.float64)))

    def evaluate(self, sums: NDArray[np.float64]) -> NDArray[np.float64]:
        """Return the metric from sums (..., part and whole); not finite where the whole is 0."""
        with np.errstate(invalid="ignore", divide="ignore"):
            ratios = sums[..., 0] / sums[..., 1]
        return np.sqrt(ratios) if self.is_root else ratios


_RATE = ("errors", "length")
MEASURES: dict[str, Measure] = {
    "secs_target": Measure("SECS target", "3", "secs_target"),
    "secs_source": Measure("SECS source", "3", "secs_source", is_better_high=False),
    "nearer_target": Measure("nearer target", "share", "nearer_target"),
    "wer": Measure("WER", "3", "words", _RATE, is_better_high=False),
    "cer": Measure("CER", "3", "characters", _RATE, is_better_high=False),
    "distillmos": Measure("DistillMOS", "2", "distillmos"),
    "dnsmos": Measure("DNSMOS", "2", "dnsmos"),
    "f0_rmse_semitones": Measure(
        "F0 RMSE st", "2", "pitch", ("sum_square", "n_fine"), is_better_high=False, is_root=True
    ),
    "f0_gross_rate": Measure(
        "F0 gross", "share", "pitch", ("n_gross", "n_both"), is_better_high=False
    ),
    "f0_voicing_error_rate": Measure(
        "voicing", "share", "pitch", ("n_voicing", "n_frames"), is_better_high=False
    ),
    "mcd_db": Measure("MCD dB", "2", "mcd_db", is_better_high=False),
    "modulation_db": Measure("MSD dB", "2", "modulation_db", is_better_high=False),
    "parallel_f0_rmse_semitones": Measure(
        "parallel F0 st", "2", "parallel_f0_rmse_semitones", is_better_high=False
    ),
    "parallel_f0_correlation": Measure("F0 corr", "2", "parallel_f0_correlation"),
}
EER = "equal_error_rate"
# Headings and forms of all columns, in print order; the first five are no metrics.
COLUMNS: dict[str, tuple[str, str]] = {
    "row": ("row", "text"),
    "speaker": ("speaker", "text"),
    "n_sentences": ("n", "text"),
    "n_failed": ("failed", "text"),
    "n_words": ("n words", "text"),
    **{name: (measure.heading, measure.form) for name, measure in MEASURES.items()},
    EER: ("EER", "share"),
}


class Summary(NamedTuple):
    """One line of the table: a speaker's sentences, or the mean over speakers.

    Attributes:
        speaker: whose sentences, or "mean".
        n_failed: sentences that some metric could not score.
        n_words: sentences whose words count.
        values: metric to value; metrics without any score are absent. Error rates are those of all
            sentences together. `nearer_target` counts a sentence without a score as not nearer.
        intervals: metric to the ends of its 95 % interval over sentences; absent where a speaker
            has fewer than two.
    """

    row: str
    speaker: str
    n_sentences: int
    n_failed: int
    n_words: int | None
    values: dict[str, float]
    intervals: dict[str, tuple[float, float]]

    def get(self, column: str) -> Any:
        """Return the value of a column; None if it is empty."""
        return self.values.get(column, getattr(self, column, None))

    def to_dict(self) -> dict[str, Any]:
        """Return plain values: every column, and `intervals`."""
        return {k: self.get(k) for k in COLUMNS} | {
            "intervals": {k: list(v) for k, v in self.intervals.items()}
        }


def summarize(
    scores: Sequence[UtteranceScores], genuine: Sequence[float] | None = None
) -> list[Summary]:
    """Return one line per system and speaker, and after each system of several speakers their mean.

    `genuine`: cosines of the target's own recordings to the target, for the equal error rate.
    """
    lines: list[Summary] = []
    for row in dict.fromkeys(s.row for s in scores):
        of_row = [s for s in scores if s.row == row]
        by_speaker = [
            [s for s in of_row if s.speaker == name]
            for name in dict.fromkeys(s.speaker for s in of_row)
        ]
        lines += [_summarize([group], genuine) for group in by_speaker]
        if len(by_speaker) > 1:
            lines.append(_summarize(by_speaker, genuine))
    return lines


def _summarize(groups: list[list[UtteranceScores]], genuine: Sequence[float] | None) -> Summary:
    """Summarise one speaker, or average several."""
    everything = [s for group in groups for s in group]
    values, intervals = {}, {}
    for name, measure in MEASURES.items():
        ratios = [[measure.ratio(s) for s in group] for group in groups]
        if name == "nearer_target" and any(r for of in ratios for r in of):
            # Without a score: not nearer.
            ratios = [[r or Ratio(0, 1) for r in of] for of in ratios]
        known = [[r for r in of if r is not None] for of in ratios]
        found = [np.array(of, np.float64) for of in known if of]  # (n, 2) each
        if not found:
            continue
        value = _average(measure, [sums.sum(0)[None] for sums in found])[0]
        if not np.isfinite(value):
            continue
        values[name] = float(value)
        # A single sentence cannot vary.
        if min(map(len, found)) > 1:
            intervals[name] = _interval(measure, found)
    cosines = [[s.secs_target for s in of if s.secs_target is not None] for of in groups]
    impostors = [own for own in cosines if own]
    if genuine and impostors and everything[0].row not in (TARGET, COPY_SYNTHESIS):
        values[EER] = float(np.mean([equal_error_rate(genuine, own) for own in impostors]))
        if min(len(genuine), *map(len, impostors)) > 1:
            intervals[EER] = _error_rate_interval(genuine, impostors)
    n_words = sum(s.words is not None for s in everything)
    return Summary(
        row=everything[0].row,
        speaker=everything[0].speaker if len(groups) == 1 else MEAN,
        n_sentences=len(everything),
        n_failed=sum(bool(s.failures) for s in everything),
        n_words=n_words or None,
        values=values,
        intervals=intervals,
    )


def _average(measure: Measure, sums: list[NDArray[np.float64]]) -> NDArray[np.float64]:
    """Return the mean over speakers of a metric, from sums (k, 2) each."""
    values = np.stack([measure.evaluate(s) for s in sums])
    known = np.isfinite(values)
    return np.where(known, values, 0).sum(0) / np.where(known.any(0), known.sum(0), np.nan)


def _interval(measure: Measure, found: list[NDArray[np.float64]]) -> tuple[float, float]:
    """Return the ends of a percentile bootstrap interval; sentences are drawn within speakers."""
    rng = np.random.default_rng(SEED)
    drawn = [
        ratios[rng.integers(len(ratios), size=(N_RESAMPLES, len(ratios)))].sum(1)
        for ratios in found
    ]
    values = _average(measure, drawn)
    # A resample without data, such as voiced frames, is dropped.
    return _ends(values[np.isfinite(values)])


def _ends(resampled: NDArray[np.float64]) -> tuple[float, float]:
    tail = 100 * (1 - CONFIDENCE) / 2
    low, high = np.percentile(resampled, [tail, 100 - tail])
    return float(low), float(high)


def _error_rate_interval(
    genuine: Sequence[float], impostors: list[list[float]]
) -> tuple[float, float]:
    """Return the ends of the equal error rate's interval; the target is resampled too."""
    rng = np.random.default_rng(SEED)
    rates = [
        np.mean([equal_error_rate(own, rng.choice(others, len(others))) for others in impostors])
        for own in (rng.choice(genuine, len(genuine)) for _ in range(N_RESAMPLES))
    ]
    return _ends(np.array(rates))


def used_columns(lines: Sequence[Summary]) -> list[str]:
    """Return the columns that some line fills; `n_words` only where it differs from all."""
    used = [k for k in COLUMNS if any(line.get(k) is not None for line in lines)]
    if all(line.n_words in (None, line.n_sentences) for line in lines):
        used = [k for k in used if k != "n_words"]
    return used


def table_cells(lines: Sequence[Summary]) -> list[list[str]]:
    """Return headings and printed values; empty columns are omitted."""
    used = used_columns(lines)
    body = [[print_value(line.get(k), COLUMNS[k][1]) for k in used] for line in lines]
    return [[COLUMNS[k][0] for k in used], *body]


def markdown_table(cells: Sequence[Sequence[str]]) -> str:
    """Return headings and rows as a Markdown table."""
    headings, *body = cells
    rows = [headings, ["---"] * len(headings), *body]
    escaped = [[cell.replace("|", "\\|") for cell in row] for row in rows]
    return "\n".join("| " + " | ".join(row) + " |" for row in escaped)


def print_value(value: Any, form: str) -> str:
    """Return a value as the tables print it; empty for None."""
    if value is None:
        return ""
    if form == "text":
        return str(value)
    return f"{100 * value:.1f} %" if form == "share" else f"{value:.{form}f}"
