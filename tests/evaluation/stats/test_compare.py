from dataclasses import replace

import numpy as np
import pytest

from voxcycle.evaluation.metrics.asr import ErrorCount
from voxcycle.evaluation.run import Evaluation
from voxcycle.evaluation.stats.compare import VERDICTS, compare, describe, difference_cells
from voxcycle.evaluation.stats.scores import UtteranceScores


def evaluation(voice, mos, errors=None, **others):
    """Utterances of one speaker; every second one has word errors, of ten words."""
    return Evaluation(
        {"voice": voice, "vocoder": voice},
        [
            UtteranceScores(
                voice,
                "ann",
                f"{i}",
                "digest",
                distillmos=float(m),
                words=None if errors is None else ErrorCount(errors * (i % 2), 10),
                **others,
            )
            for i, m in enumerate(mos)
        ],
    )


def by_metric(first, second):
    return {d.metric: d for d in compare(first, second)}


def test_differences_by_hand():
    mos = np.linspace(3, 4, 20)
    found = by_metric(evaluation("old", mos, 1), evaluation("new", mos + 0.2, 1))
    gain = found["distillmos"]
    assert (gain.row, gain.n) == ("voice", 20)  # voices of any name are the voice
    assert (gain.first, gain.second) == (pytest.approx(3.5), pytest.approx(3.7))
    # utterance by utterance the gain is always 0.2, however much the utterances differ
    assert gain.interval == (pytest.approx(0.2), pytest.approx(0.2))
    assert gain.is_clear and gain.verdict == "better"
    words = found["wer"]
    assert (words.first, words.second) == (0.05, 0.05) and not words.is_clear


def test_noise_is_no_clear_difference_and_fewer_errors_are_better():
    rng = np.random.default_rng(0)
    first = evaluation("old", rng.normal(4, 0.3, 30), 4)
    second = evaluation("new", rng.normal(4, 0.3, 30), 0)
    assert not by_metric(first, second)["distillmos"].is_clear
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
    skipped = "skipped: 3 utterances that only the first has and 3 that only the second has"
    assert skipped in describe(first, partly)
    with pytest.raises(ValueError, match="name"):
        compare(first, Evaluation({}, renamed))


def test_a_few_utterances_decide_nothing_and_failures_are_not_nearer():
    first, second = (
        evaluation(name, [4.0] * 3, duration_s=1.0, secs_target=0.9, secs_source=0.5)
        for name in ("old", "new")
    )
    for i in range(2):
        lost = UtteranceScores("new", "ann", f"{i}", "digest", failures=("rendering: silence",))
        second.scores[i] = lost
    found = by_metric(first, second)
    nearer = found["nearer_target"]
    assert (nearer.n, nearer.first) == (3, 1.0) and nearer.second == pytest.approx(1 / 3)
    assert not any(d.is_clear for d in found.values())
    assert describe(first, second) == [
        "first: voice old, 0 utterances with failures",
        "second: voice new, 2 utterances with failures",
        "different vocoder: old against new",
        VERDICTS,
    ]


def test_other_recordings_of_the_same_names_are_skipped():
    mos = np.linspace(3, 4, 12)

    def recorded(mos, digests):
        pairs = zip(evaluation("any", mos, 0).scores, digests, strict=True)
        return Evaluation({}, [replace(s, recording_sha256=digest) for s, digest in pairs])

    first = recorded(mos, ["a"] * 12)
    partly = recorded(mos + 1, ["a"] * 10 + ["b"] * 2)
    assert {d.n for d in compare(first, partly)} == {10}
    (skipped,) = (line for line in describe(first, partly) if line.startswith("skipped"))
    assert skipped.startswith("skipped: 2 utterances (voice, ann, 10 and so on)")
    with pytest.raises(ValueError, match="recordings"):
        compare(first, recorded(mos + 1, ["b"] * 12))
    with pytest.raises(ValueError, match="version"):
        compare(recorded(mos, [None] * 12), recorded(mos + 1, [None] * 12))


def test_words_are_compared_against_the_same_reference_only():
    mos = np.linspace(3, 4, 12)
    first = evaluation("old", mos, 4, words_reference="text")
    assert "wer" in by_metric(first, evaluation("new", mos, 0, words_reference="text"))
    assert "wer" not in by_metric(first, evaluation("new", mos, 0, words_reference="source"))


def test_the_rows_that_no_voice_made_have_no_verdict():
    mos = np.linspace(3, 4, 20)
    before, after = (evaluation("unconverted", mos + gain, 0) for gain in (0.0, 0.2))
    gain = by_metric(before, after)["distillmos"]
    assert gain.row == "unconverted" and gain.is_clear and gain.verdict == ""


def test_verdicts_allow_for_the_number_of_metrics():
    """A difference at 5 % is one by itself, and none beside others."""
    noise = np.random.default_rng(3).normal(0, 1, 30)
    gains = noise - noise.mean() + 2.3 * noise.std() / 30**0.5  # beyond 1.96, within 2.5
    for n_metrics, expected in ((1, "better"), (5, "")):
        names = ("dnsmos", "secs_target", "secs_source", "mcd_db")[: n_metrics - 1]
        others = dict.fromkeys(names, 1.0)
        first, second = (
            evaluation("voice", mos, **others) for mos in (np.full(30, 3.0), 3.0 + gains)
        )
        gain = by_metric(first, second)["distillmos"]
        assert gain.interval[0] > 0 and gain.verdict == expected
