import json
from pathlib import Path

import pytest

from voxcycle.evaluation.pitch import PitchErrors
from voxcycle.evaluation.report import (
    UtteranceScores,
    markdown_table,
    summarize,
    table_cells,
    write_json,
)
from voxcycle.evaluation.words import ErrorCount

SCORES = [
    UtteranceScores(
        "voice",
        "ann",
        "000",
        secs_target=0.8,
        secs_source=0.6,
        words=ErrorCount(1, 4),
        distillmos=4.0,
        pitch=PitchErrors(10, 4, 1, 2, 3.0),
    ),
    UtteranceScores(
        "voice",
        "ann",
        "001",
        secs_target=0.6,
        secs_source=0.7,
        words=ErrorCount(0, 8),
        distillmos=3.0,
        pitch=PitchErrors(10, 2, 0, 1, 2.0),
    ),
    UtteranceScores("voice", "bob", "000", failures=("rendering: silence",)),
    UtteranceScores("voice", "bob", "001", secs_target=0.9, secs_source=0.5, distillmos=5.0),
    UtteranceScores("copy synthesis", "target", "000", secs_target=0.95, distillmos=4.5),
]


def test_summary_by_hand():
    ann, bob, mean, copy = summarize(SCORES)
    assert (ann.speaker, bob.speaker, mean.speaker) == ("ann", "bob", "mean")
    assert ann.secs_target == pytest.approx(0.7)
    assert ann.nearer_target == 0.5
    assert ann.wer == pytest.approx(1 / 12)  # of all words together, not the mean of the rates
    assert ann.f0_rmse_semitones == pytest.approx(1.0)  # (3 + 2) / (3 + 2) frames
    assert ann.f0_gross_rate == pytest.approx(1 / 6)
    assert ann.f0_voicing_error_rate == pytest.approx(3 / 20)
    # bob: the failure is counted and is not nearer the target
    assert (bob.n_sentences, bob.n_failed, bob.nearer_target) == (2, 1, 0.5)
    assert mean.distillmos == pytest.approx((3.5 + 5.0) / 2)  # of speakers, not of sentences
    assert (mean.n_sentences, mean.n_failed) == (4, 1)
    # one speaker has no mean row, and the target's own speech is compared with nobody else
    assert copy.nearer_target is None and copy.row == "copy synthesis"


def test_columns_without_values_are_left_out():
    headings, *body = table_cells(summarize(SCORES))
    assert "SECS target" in headings and "DNSMOS" not in headings and "CER" not in headings
    assert body[0][headings.index("nearer target")] == "50.0 %"
    assert body[-1][headings.index("WER")] == ""


def test_markdown_has_a_line_per_row():
    lines = markdown_table(summarize(SCORES)).splitlines()
    assert len(lines) == 2 + 4
    assert lines[1].count("---") == lines[0].count("|") - 1


def test_json_holds_every_utterance(tmp_path: Path):
    undefined = UtteranceScores(
        "voice", "cy", "000", words=ErrorCount(2, 0), pitch=PitchErrors(5, 0, 0, 5, 0.0)
    )
    write_json(tmp_path / "out" / "scores.json", [*SCORES, undefined], {"voice": "unit"})
    document = json.loads((tmp_path / "out" / "scores.json").read_text())
    assert document["about"] == {"voice": "unit"}
    assert len(document["utterances"]) == len(SCORES) + 1
    assert document["utterances"][0]["words"] == {"errors": 1, "length": 4, "rate": 0.25}
    assert document["utterances"][0]["pitch"]["gross_rate"] == 0.25
    assert document["utterances"][2]["failures"] == ["rendering: silence"]
    assert document["utterances"][-1]["pitch"]["rmse_semitones"] is None  # JSON has no NaN
    assert document["summary"][0]["distillmos"] == 3.5
