from dataclasses import replace

import numpy as np
import pytest

from voxcycle.evaluation.metrics.asr import ErrorCount
from voxcycle.evaluation.run import Evaluation
from voxcycle.evaluation.stats.compare import VERDICTS, compare, describe, difference_cells
from voxcycle.evaluation.stats.scores import UtteranceScores


def evaluation(voice: str, mos: np.ndarray, errors: int) -> Evaluation:
    return Evaluation(
        {},
        [
            UtteranceScores(
                voice,
                "ann",
                f"{i}",
                "digest",
                distillmos=float(m),
                words=ErrorCount(errors * (i % 2), 10),
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
    assert gain.interval == (pytest.approx(0.2), pytest.approx(0.2))
    assert gain.is_clear and gain.verdict == "better"
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
    words, mos = compare(first, partly)
    assert (mos.metric, mos.n, mos.interval, mos.verdict) == ("distillmos", 1, None, "")
    assert (words.metric, words.n) == ("wer", 1)
    assert difference_cells([mos])[1][-2:] == ["", ""]
    left_out = "left out: 3 utterances of the first and 3 of the second that the other one lacks"
    assert left_out in describe(first, partly)
    with pytest.raises(ValueError, match="name"):
        compare(first, Evaluation({}, renamed))


def test_a_few_utterances_decide_nothing_and_failures_are_not_nearer():
    def one(name: str, n_lost: int) -> Evaluation:
        scores = [
            UtteranceScores(
                name,
                "ann",
                str(i),
                "digest",
                duration_s=1.0,
                secs_target=0.9,
                secs_source=0.5,
                distillmos=4.0,
            )
            for i in range(3)
        ]
        lost = UtteranceScores(name, "ann", "0", "digest", failures=("rendering: silence",))
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
        VERDICTS,
    ]


def test_other_recordings_of_the_same_names_are_left_out():
    mos = np.linspace(3, 4, 12)
    first, second = evaluation("old", mos, 0), evaluation("new", mos + 1, 0)

    def recorded(given: Evaluation, digests: list[str | None]) -> Evaluation:
        pairs = zip(given.scores, digests, strict=True)
        return Evaluation({}, [replace(s, recording_sha256=digest) for s, digest in pairs])

    first = recorded(first, ["a"] * 12)
    partly = recorded(second, ["a"] * 10 + ["b"] * 2)
    assert {d.n for d in compare(first, partly)} == {10}
    told = [line for line in describe(first, partly) if line.startswith("left out")]
    assert len(told) == 1 and told[0].startswith(
        "left out: 2 utterances (voice, ann, 10 and so on)"
    )
    with pytest.raises(ValueError, match="recordings"):
        compare(first, recorded(second, ["b"] * 12))
    untold = [recorded(given, [None] * 12) for given in (first, second)]
    with pytest.raises(ValueError, match="version"):
        compare(*untold)


def test_words_are_compared_against_the_same_reference_only():
    mos = np.linspace(3, 4, 12)

    def against(kind: str, voice: str, errors: int) -> Evaluation:
        given = evaluation(voice, mos, errors)
        return Evaluation({}, [replace(s, words_reference=kind) for s in given.scores])

    first = against("text", "old", 4)
    assert "wer" in {d.metric for d in compare(first, against("text", "new", 0))}
    assert "wer" not in {d.metric for d in compare(first, against("source", "new", 0))}


def test_the_rows_that_no_voice_made_have_no_verdict():
    mos = np.linspace(3, 4, 20)
    before, after = (evaluation("unconverted", mos + gain, 0) for gain in (0.0, 0.2))
    (gain,) = (d for d in compare(before, after) if d.metric == "distillmos")
    assert gain.row == "unconverted" and gain.is_clear and gain.verdict == ""


def test_verdicts_allow_for_the_number_of_metrics():
    """A difference at 5 % is one by itself, and none beside others."""
    rng = np.random.default_rng(3)
    mos = np.full(30, 3.0)
    noise = rng.normal(0, 1, 30)
    gains = noise - noise.mean() + 2.3 * noise.std() / 30**0.5  # beyond 1.96, within 2.5

    def evaluated(voice: str, values: np.ndarray, n_metrics: int) -> Evaluation:
        others = ("dnsmos", "secs_target", "secs_source", "mcd_db")[: n_metrics - 1]
        return Evaluation(
            {},
            [
                UtteranceScores(
                    voice, "ann", f"{i}", "a", distillmos=float(m), **dict.fromkeys(others, 1.0)
                )
                for i, m in enumerate(values)
            ],
        )

    for n_metrics, expected in ((1, "better"), (5, "")):
        first, second = evaluated("old", mos, n_metrics), evaluated("new", mos + gains, n_metrics)
        (gain,) = (d for d in compare(first, second) if d.metric == "distillmos")
        assert gain.interval[0] > 0 and gain.verdict == expected
