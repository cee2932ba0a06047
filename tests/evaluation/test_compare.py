from dataclasses import replace

import numpy as np
import pytest

from voxcycle.evaluation.compare import compare, describe, difference_cells
from voxcycle.evaluation.evaluate import Evaluation
from voxcycle.evaluation.scores import UtteranceScores
from voxcycle.evaluation.words import ErrorCount


def evaluation(voice: str, mos: np.ndarray, errors: int) -> Evaluation:
    return Evaluation(
        {},
        [
            UtteranceScores(
                voice, "ann", f"{i}", distillmos=float(m), words=ErrorCount(errors * (i % 2), 10)
            )
            for i, m in enumerate(mos)
        ],
    )


def test_differences_by_hand():
    mos = np.linspace(3, 4, 20)
    first = evaluation("old", mos, 1)
    second = evaluation("new", mos + 0.2, 1)
    by_metric = {d.metric: d for d in compare(first, second)}
    gain = by_metric["distillmos"]
    assert (gain.row, gain.n) == ("voice", 20)  # voices of any name are the voice
    assert (gain.first, gain.second) == (pytest.approx(3.5), pytest.approx(3.7))
    # utterance by utterance the gain is always 0.2, however much the utterances differ
    assert (gain.low, gain.high) == (pytest.approx(0.2), pytest.approx(0.2))
    assert gain.is_clear
    words = by_metric["wer"]
    assert (words.first, words.second) == (0.05, 0.05) and not words.is_clear


def test_noise_is_no_clear_difference_and_fewer_errors_are_better():
    rng = np.random.default_rng(0)
    first = evaluation("old", rng.normal(4, 0.3, 30), 4)
    second = evaluation("new", rng.normal(4, 0.3, 30), 0)
    by_metric = {d.metric: d for d in compare(first, second)}
    assert not by_metric["distillmos"].is_clear
    cells = {row[1]: row for row in difference_cells(compare(first, second))[1:]}
    assert cells["WER"][-1] == "better" and cells["DistillMOS"][-1] == ""
    worse = {row[1]: row for row in difference_cells(compare(second, first))[1:]}
    assert worse["WER"][-1] == "worse"


def test_only_common_utterances_count():
    mos = np.linspace(3, 4, 4)
    first, second = evaluation("old", mos, 0), evaluation("new", mos, 0)
    renamed = [replace(s, sentence=f"other {s.sentence}") for s in second.scores[1:]]
    partly = Evaluation({}, [second.scores[0], *renamed])
    assert {d.n for d in compare(first, partly)} == {1}
    with pytest.raises(ValueError, match="no utterance in common"):
        compare(first, Evaluation({}, renamed))


def test_a_few_utterances_decide_nothing_and_failures_are_not_nearer():
    def one(name: str, n_lost: int) -> Evaluation:
        scores = [
            UtteranceScores(name, "ann", str(i), secs_target=0.9, secs_source=0.5, distillmos=4.0)
            for i in range(3)
        ]
        lost = UtteranceScores(name, "ann", "0", failures=("rendering: silence",))
        return Evaluation(
            {"voice": name, "vocoder": name},
            [replace(lost, sentence=str(i)) if i < n_lost else s for i, s in enumerate(scores)],
        )

    first, second = one("old", 0), one("new", 2)
    by_metric = {d.metric: d for d in compare(first, second)}
    nearer = by_metric["nearer_target"]
    assert (nearer.n, nearer.first) == (3, 1.0) and nearer.second == pytest.approx(1 / 3)
    assert not any(d.is_clear for d in by_metric.values())
    assert describe(first, second) == [
        "first: voice old, 0 utterances with failures",
        "second: voice new, 2 utterances with failures",
        "different vocoder: old against new",
    ]
