import json

import pytest

from voxcycle.evaluation.metrics.asr import ErrorCount
from voxcycle.evaluation.metrics.pitch import PitchErrors
from voxcycle.evaluation.run import Evaluation
from voxcycle.evaluation.stats.scores import UtteranceScores

SCORES = [
    UtteranceScores(
        "voice",
        "ann",
        "000",
        secs_target=0.8,
        secs_source=0.6,
        words=ErrorCount(1, 4),
        characters=ErrorCount(2, 20),
        distillmos=4.0,
        pitch=PitchErrors(10, 4, 1, 2, sum_square=3.0),
    ),
    UtteranceScores("voice", "bob", "000", secs_target=0.9, failures=("words: nothing heard",)),
    UtteranceScores(
        "voice", "cy", "000", words=ErrorCount(2, 0), pitch=PitchErrors(5, 0, 0, 5, sum_square=0.0)
    ),
]


def test_composite_by_hand():
    ann, bob, cy = SCORES
    assert ann.composite == pytest.approx((0.8 + 0.9 + 0.75) / 3)
    assert bob.composite == pytest.approx(0.9 / 2)  # lost words count as 0, no MOS was asked for
    assert cy.composite is None
    everything_wrong = UtteranceScores("v", "a", "0", characters=ErrorCount(50, 20))
    assert everything_wrong.composite == 0.0
    other_failure = UtteranceScores("v", "a", "0", secs_target=0.9, failures=("pitch: none",))
    assert other_failure.composite == 0.9
    assert UtteranceScores("v", "a", "0", failures=("rendering: silence",)).composite == 0.0


def test_json_holds_every_utterance_and_reads_back(tmp_path):
    path = tmp_path / "out" / "metrics.json"
    Evaluation({"voice": "unit"}, SCORES).save(path)
    document = json.loads(path.read_text())
    assert document["about"] == {"voice": "unit"}
    first, second, third = document["utterances"]
    assert first["words"] == {"errors": 1, "length": 4, "rate": 0.25}
    assert first["pitch"]["gross_rate"] == 0.25
    assert second["failures"] == ["words: nothing heard"]
    assert third["pitch"]["rmse_semitones"] is None  # JSON has no NaN
    assert third["duration_s"] is None  # not measured
    assert document["summary"][0]["distillmos"] == 4.0
    assert document["summary"][0]["intervals"] == {}  # of one sentence
    assert Evaluation.load(path).scores == SCORES
    assert [p.name for p in path.parent.iterdir()] == ["metrics.json"]


def test_the_format_before_is_read(tmp_path):
    path = tmp_path / "metrics.json"
    known = {"row": "voice", "speaker": "ann", "sentence": "0", "secs_target": 0.9}
    path.write_text(json.dumps({"format": 2, "about": {}, "utterances": [known]}))
    (scores,) = Evaluation.load(path).scores
    assert scores == UtteranceScores("voice", "ann", "0", secs_target=0.9)


@pytest.mark.parametrize("content", ["{}", "[1]", "not json", '{"format": 99}'])
def test_another_file_is_refused(tmp_path, content):
    path = tmp_path / "metrics.json"
    path.write_text(content)
    with pytest.raises(ValueError, match=r"metrics\.json.*evaluate"):
        Evaluation.load(path)
