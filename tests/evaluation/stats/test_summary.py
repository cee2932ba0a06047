from dataclasses import replace

import numpy as np
import pytest

from voxcycle.evaluation.metrics.asr import ErrorCount
from voxcycle.evaluation.metrics.pitch import PitchErrors
from voxcycle.evaluation.stats.scores import UtteranceScores
from voxcycle.evaluation.stats.summary import markdown_table, summarize, table_cells

ANN = UtteranceScores(
    "voice",
    "ann",
    "000",
    secs_target=0.8,
    secs_source=0.6,
    words=ErrorCount(1, 4),
    distillmos=4.0,
    pitch=PitchErrors(10, 4, 1, 2, sum_square=3.0),
)
SCORES = [
    ANN,
    replace(
        ANN,
        sentence="001",
        secs_target=0.6,
        secs_source=0.7,
        words=ErrorCount(0, 8),
        distillmos=3.0,
        pitch=PitchErrors(10, 2, 0, 1, sum_square=2.0),
    ),
    UtteranceScores("voice", "bob", "000", failures=("rendering: silence",)),
    UtteranceScores("voice", "bob", "001", secs_target=0.9, secs_source=0.5, distillmos=5.0),
    UtteranceScores("copy synthesis", "target", "000", secs_target=0.95, distillmos=4.5),
]


def test_summary_by_hand():
    ann, bob, mean, copy = summarize(SCORES)
    assert (ann.speaker, bob.speaker, mean.speaker) == ("ann", "bob", "mean")
    assert ann.values["secs_target"] == pytest.approx(0.7)
    assert ann.values["nearer_target"] == 0.5
    assert ann.values["wer"] == pytest.approx(1 / 12)  # of all words, not the mean of the rates
    assert ann.values["f0_rmse_semitones"] == pytest.approx(1.0)  # (3 + 2) / (3 + 2) frames
    assert ann.values["f0_gross_rate"] == pytest.approx(1 / 6)
    assert ann.values["f0_voicing_error_rate"] == pytest.approx(3 / 20)
    assert ann.n_words == 2
    # bob: the failure is counted and is not nearer the target
    assert (bob.n_sentences, bob.n_failed, bob.values["nearer_target"]) == (2, 1, 0.5)
    assert mean.values["distillmos"] == pytest.approx((3.5 + 5.0) / 2)  # of speakers
    assert (mean.n_sentences, mean.n_failed) == (4, 1)
    # one speaker has no mean row, and the target's own speech is compared with nobody else
    assert "nearer_target" not in copy.values and copy.row == "copy synthesis"


def test_intervals_enclose_the_mean_and_know_their_ends():
    ann, bob, mean, copy = summarize(SCORES)
    # two sentences at 0.8 and 0.6: a quarter of the resamples each has both low or both high
    assert ann.intervals["secs_target"] == (pytest.approx(0.6), pytest.approx(0.8))
    # bob has one sentence, which cannot vary: no interval, neither in the mean over speakers
    assert "distillmos" not in bob.intervals and "distillmos" not in mean.intervals
    assert copy.intervals == {}
    # of nearer_target bob has two: as many resamples of each speaker have none, one or two
    assert mean.intervals["nearer_target"] == (pytest.approx(0.0), pytest.approx(1.0))


def test_interval_of_many_sentences_is_that_of_a_normal_mean():
    values = np.random.default_rng(1).normal(4, 0.5, 400)
    scores = [
        UtteranceScores("v", "ann", str(i), distillmos=float(v)) for i, v in enumerate(values)
    ]
    (line,) = summarize(scores)
    low, high = line.intervals["distillmos"]
    half_width = 1.96 * values.std() / 20
    assert low == pytest.approx(values.mean() - half_width, abs=0.15 * half_width)
    assert high == pytest.approx(values.mean() + half_width, abs=0.15 * half_width)


def test_error_rate_against_the_target_s_recordings():
    genuine = [0.95, 0.94, 0.75]
    ann, _, _, copy = summarize(SCORES, genuine)
    # Between 0.8, which refuses a recording of three and accepts a conversion of two, and the next
    # score above, which accepts none: the line from (0, 1/3) to (1/2, 1/3) is crossed at 1/3.
    assert ann.values["equal_error_rate"] == pytest.approx(1 / 3)
    assert "equal_error_rate" not in copy.values  # the target's own speech is no impostor


def test_interval_of_the_error_rate():
    rng = np.random.default_rng(0)

    def rates(n):
        genuine = rng.normal(1, 1, n)
        scores = [
            UtteranceScores("v", "ann", str(i), secs_target=float(x))
            for i, x in enumerate(rng.normal(0, 1, n))
        ]
        (line,) = summarize(scores, genuine.tolist())
        return (line.values["equal_error_rate"], *line.intervals["equal_error_rate"])

    value, low, high = rates(400)
    # two normal distributions a deviation apart cross at 0.309; its own deviation is about
    # sqrt(0.309 * 0.691 / 400 / 2) = 0.016
    assert low < value < high and low < 0.309 < high
    assert 2 * 1.96 * 0.012 < high - low < 2 * 1.96 * 0.025
    assert "equal_error_rate" not in summarize(SCORES[:2], [0.9])[0].intervals  # one recording


def test_tables_omit_columns_without_values():
    headings, *body = table_cells(summarize(SCORES))
    assert "SECS target" in headings and "DNSMOS" not in headings and "CER" not in headings
    assert headings[:5] == ["row", "speaker", "n", "failed", "n words"]
    assert body[0][headings.index("nearer target")] == "50.0 %"
    assert body[-1][headings.index("WER")] == ""
    lines = markdown_table([headings, *body]).splitlines()
    assert len(lines) == 2 + 4
    assert lines[1].count("---") == lines[0].count("|") - 1
    assert markdown_table([["a|b"], ["c"]]) == "| a\\|b |\n| --- |\n| c |"


def test_a_speaker_who_failed_entirely_counts_in_the_mean():
    good = UtteranceScores("voice", "ann", "0", secs_target=0.9, secs_source=0.1)
    lost = UtteranceScores("voice", "bob", "0", failures=("rendering: silence",))
    *_, mean = summarize([good, lost])
    assert mean.values["nearer_target"] == 0.5
