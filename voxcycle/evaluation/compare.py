"""Two evaluations side by side: by how much they differ, and whether more than by chance."""

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

from voxcycle.evaluation.evaluate import Evaluation
from voxcycle.evaluation.rows import STANDARD_ROWS
from voxcycle.evaluation.scores import UtteranceScores
from voxcycle.evaluation.summary import (
    CONFIDENCE,
    MEASURES,
    N_RESAMPLES,
    Measure,
    Ratio,
    print_value,
)

VOICE = "voice"
MIN_PAIRS = 6  # fewer resamples alike say nothing


class Difference(NamedTuple):
    """One metric of one row in two evaluations, over the utterances that both scored.

    Attributes:
        row: a standard row, or "voice" for the voices compared, whatever their names.
        metric: of `MEASURES`.
        n: utterances.
        first, second: values over all these utterances.
        low, high: 95 % interval of `second - first`, utterances drawn with replacement in pairs.
    """

    row: str
    metric: str
    n: int
    first: float
    second: float
    low: float
    high: float

    @property
    def is_clear(self) -> bool:
        """Whether the interval, of at least six utterances, leaves zero out."""
        return self.n >= MIN_PAIRS and (self.low > 0 or self.high < 0)


def compare(first: Evaluation, second: Evaluation, seed: int = 0) -> list[Difference]:
    """Compare two evaluations of the same recordings, utterance by utterance.

    Raises:
        ValueError: they have no utterance in common.
    """
    left, right = _by_key(first.scores), _by_key(second.scores)
    common = [key for key in left if key in right]
    if not common:
        raise ValueError("the two evaluations have no utterance in common: nothing to compare")
    differences = []
    for row in dict.fromkeys(key[0] for key in common):
        keys = [key for key in common if key[0] == row]
        for name, measure in MEASURES.items():
            pairs = [(measure.ratio(left[k]), measure.ratio(right[k])) for k in keys]
            if name == "nearer_target" and any(x or y for x, y in pairs):
                # What could not be scored is not nearer.
                pairs = [(x or Ratio(0, 1), y or Ratio(0, 1)) for x, y in pairs]
            known = [(x, y) for x, y in pairs if x is not None and y is not None]
            if known:
                differences.append(_difference(row, name, measure, known, seed))
    return differences


def describe(first: Evaluation, second: Evaluation) -> list[str]:
    """Return who is compared, and what else differs between the two, one line each."""
    left, right = first.about, second.about
    lines = [
        f"{which}: voice {about.get('voice')}, {len(failed)} utterances with failures"
        for which, about, failed in (
            ("first", left, [s for s in first.scores if s.failures]),
            ("second", right, [s for s in second.scores if s.failures]),
        )
    ]
    for key in ("vocoder", "target", "languages", "asr", "machine"):
        if left.get(key) != right.get(key):
            lines.append(f"different {key}: {left.get(key)} against {right.get(key)}")
    return lines


def _by_key(scores: Sequence[UtteranceScores]) -> dict[tuple[str, str, str], UtteranceScores]:
    return {(s.row if s.row in STANDARD_ROWS else VOICE, s.speaker, s.sentence): s for s in scores}


def _difference(
    row: str, name: str, measure: Measure, pairs: list[tuple[Ratio, Ratio]], seed: int
) -> Difference:
    ratios = np.array(pairs, np.float64)  # (n, 2 evaluations, part and whole)
    rng = np.random.default_rng(seed)
    drawn = ratios[rng.integers(len(ratios), size=(N_RESAMPLES, len(ratios)))].sum(1)
    with np.errstate(invalid="ignore", divide="ignore"):
        value, resampled = (sums[..., 0] / sums[..., 1] for sums in (ratios.sum(0), drawn))
    if measure.is_root:
        value, resampled = np.sqrt(value), np.sqrt(resampled)
    tail = 100 * (1 - CONFIDENCE) / 2
    gains = resampled[:, 1] - resampled[:, 0]
    # A resample may lack what a ratio stands on (no voiced frame): it says nothing.
    known = gains[np.isfinite(gains)]
    low, high = np.percentile(known, [tail, 100 - tail]) if len(known) else (np.nan, np.nan)
    return Difference(row, name, len(pairs), *map(float, (*value, low, high)))


def difference_cells(differences: Sequence[Difference]) -> list[list[str]]:
    """Return headings and printed values of a comparison."""
    body = []
    for d in differences:
        heading, form = MEASURES[d.metric].heading, MEASURES[d.metric].form
        ends = " to ".join(print_value(v, form) for v in (d.low, d.high))
        verdict = _verdict(d)
        values = [print_value(v, form) for v in (d.first, d.second, d.second - d.first)]
        body.append([d.row, heading, str(d.n), *values, ends, verdict])
    headings = ["row", "metric", "n", "first", "second", "difference", "95 % interval", ""]
    return [headings, *body]


def _verdict(difference: Difference) -> str:
    if not difference.is_clear:
        return ""
    is_better_high = MEASURES[difference.metric].is_better_high
    return "better" if (difference.low > 0) == is_better_high else "worse"
