"""Comparison of two evaluations: differences, and whether they exceed chance.

Paired bootstrap over utterances (Efron and Tibshirani, 1993). A row has up to 14 metrics. At 5 %
each, up to half of the comparisons of equal voices would show a difference. So a verdict holds at
5 % divided by the number of the row's metrics (Bonferroni).
"""

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

from voxcycle.evaluation.run import Evaluation
from voxcycle.evaluation.stats.scores import UtteranceScores
from voxcycle.evaluation.stats.summary import CONFIDENCE, MEASURES, SEED, Ratio, print_value
from voxcycle.evaluation.systems import STANDARD_SYSTEMS

VOICE = "voice"
N_RESAMPLES = 10_000  # about 18 lie beyond either end of a corrected interval
MIN_PAIRS = 10  # fewer agree by chance, with 2^(1 - n), in more than 5 % over 14 metrics
VERDICTS = (
    "better and worse: ten utterances or more, and zero outside the interval at 5 % divided by the "
    "number of metrics (Bonferroni); the printed intervals are single ones"
)

OTHERS = "recordings differ under the same names, or an earlier version did not identify them"
Key = tuple[str, str, str]  # row, speaker and sentence


class Difference(NamedTuple):
    """One metric of one row in two evaluations, over the utterances that both scored.

    Attributes:
        row: a standard row, or "voice" for the voices compared, whatever their names.
        first, second: values over all these utterances.
        interval: 95 % interval of `second - first`, utterances drawn with replacement in pairs;
            None for a single utterance.
        is_clear: whether the corrected interval, of at least ten utterances, excludes zero.
    """

    row: str
    metric: str
    n: int
    first: float
    second: float
    interval: tuple[float, float] | None
    is_clear: bool

    @property
    def verdict(self) -> str:
        """Whether the second voice is "better" or "worse"; "" if unclear, or no voice's row."""
        if not self.is_clear or self.row in STANDARD_SYSTEMS:
            return ""
        is_better = (self.second > self.first) == MEASURES[self.metric].is_better_high
        return "better" if is_better else "worse"


class Pairs(NamedTuple):
    """The utterances of two evaluations: of the same recording, of others, and in one alone."""

    same: dict[Key, tuple[UtteranceScores, UtteranceScores]]
    others: list[Key]
    first_alone: list[Key]
    second_alone: list[Key]


def compare(first: Evaluation, second: Evaluation) -> list[Difference]:
    """Compare two evaluations of the same recordings, utterance by utterance.

    Raises:
        ValueError: they have no recording in common.
    """
    pairs = pair(first, second)
    if not pairs.same:
        reason = f"their {OTHERS}" if pairs.others else "no name is in both"
        raise ValueError(
            f"the two evaluations have no recording in common ({reason}): nothing to compare"
        )
    differences = []
    for row in dict.fromkeys(key[0] for key in pairs.same):
        of_row = [scores for key, scores in pairs.same.items() if key[0] == row]
        known = {name: ratios for name in MEASURES if (ratios := _ratios(name, of_row))}
        found = [_difference(row, name, ratios, len(known)) for name, ratios in known.items()]
        differences += [difference for difference in found if difference is not None]
    return differences


def pair(first: Evaluation, second: Evaluation) -> Pairs:
    """Pair the utterances of the same recordings in two evaluations."""
    left, right = _by_key(first.scores), _by_key(second.scores)
    common = {key: (scores, right[key]) for key, scores in left.items() if key in right}
    same = {
        key: (x, y)
        for key, (x, y) in common.items()
        if x.recording_sha256 is not None and x.recording_sha256 == y.recording_sha256
    }
    return Pairs(
        same,
        [key for key in common if key not in same],
        [key for key in left if key not in right],
        [key for key in right if key not in left],
    )


def describe(first: Evaluation, second: Evaluation) -> list[str]:
    """Return the voices compared and the other differences, one line each."""
    left, right = first.about, second.about
    lines = []
    for which, evaluation in (("first", first), ("second", second)):
        n_failed = sum(bool(s.failures) for s in evaluation.scores)
        voice = evaluation.about.get("voice")
        lines.append(f"{which}: voice {voice}, {n_failed} utterances with failures")
    pairs = pair(first, second)
    if pairs.first_alone or pairs.second_alone:
        lines.append(
            f"skipped: {len(pairs.first_alone)} utterances that only the first has and "
            f"{len(pairs.second_alone)} that only the second has"
        )
    if pairs.others:
        lines.append(
            f"skipped: {len(pairs.others)} utterances ({', '.join(pairs.others[0])} and so on) "
            f"whose {OTHERS}"
        )
    for key in ("voxcycle", "vocoder", "target", "inputs", "languages", "asr", "machine"):
        if left.get(key) != right.get(key):
            lines.append(f"different {key}: {left.get(key)} against {right.get(key)}")
    return [*lines, VERDICTS]


def _by_key(scores: Sequence[UtteranceScores]) -> dict[Key, UtteranceScores]:
    return {
        (s.row if s.row in STANDARD_SYSTEMS else VOICE, s.speaker, s.sentence): s for s in scores
    }


def _ratios(
    name: str, pairs: Sequence[tuple[UtteranceScores, UtteranceScores]]
) -> list[tuple[Ratio, Ratio]]:
    """Return what each utterance that both scored adds to a metric in the two evaluations."""
    ratio = MEASURES[name].ratio
    if name in ("wer", "cer"):  # counted against the same words only
        pairs = [(x, y) for x, y in pairs if x.words_reference == y.words_reference]
    found = [(ratio(x), ratio(y)) for x, y in pairs]
    if name == "nearer_target" and any(x or y for x, y in found):
        # Utterances without a score count as not nearer.
        found = [(x or Ratio(0, 1), y or Ratio(0, 1)) for x, y in found]
    return [(x, y) for x, y in found if x is not None and y is not None]


def _difference(
    row: str, name: str, pairs: list[tuple[Ratio, Ratio]], n_metrics: int
) -> Difference | None:
    measure, n = MEASURES[name], len(pairs)
    ratios = np.array(pairs, np.float64)  # (n, 2 evaluations, part and whole)
    values = measure.evaluate(ratios.sum(0))
    if not np.isfinite(values).all():  # one of them has no data, such as voiced frames
        return None
    interval, is_clear = None, False
    if n > 1:
        rng = np.random.default_rng(SEED)
        drawn = ratios[rng.integers(n, size=(N_RESAMPLES, n))].sum(1)
        first, second = measure.evaluate(drawn).T
        # A resample without data, such as voiced frames, is dropped.
        gains = (second - first)[np.isfinite(second - first)]
        tail = 100 * (1 - CONFIDENCE) / 2
        ends = [tail, 100 - tail, tail / n_metrics, 100 - tail / n_metrics]
        low, high, lowest, highest = np.percentile(gains, ends).tolist()
        interval, is_clear = (low, high), n >= MIN_PAIRS and not lowest <= 0 <= highest
    before, after = values.tolist()
    return Difference(
        row, name, n, first=before, second=after, interval=interval, is_clear=is_clear
    )


def difference_cells(differences: Sequence[Difference]) -> list[list[str]]:
    """Return headings and printed values of a comparison."""
    body = []
    for d in differences:
        heading, form = MEASURES[d.metric].heading, MEASURES[d.metric].form
        ends = " to ".join(print_value(v, form) for v in d.interval) if d.interval else ""
        values = [print_value(v, form) for v in (d.first, d.second, d.second - d.first)]
        body.append([d.row, heading, str(d.n), *values, ends, d.verdict])
    headings = ["row", "metric", "n", "first", "second", "difference", "95 % interval", ""]
    return [headings, *body]
