from dataclasses import replace

from voxcycle.evaluation.metrics.asr import ErrorCount
from voxcycle.evaluation.report.notes import find_notes
from voxcycle.evaluation.stats.scores import UtteranceScores

TEXT = UtteranceScores("unconverted", "ann", "0", words_reference="text", words=ErrorCount(0, 5))
VOICE = replace(TEXT, row="ben")
COPY = replace(TEXT, row="copy synthesis", words_reference="source", mcd_db=3.0)


def test_the_reference_of_words_is_named_by_row():
    assert find_notes([TEXT, COPY, VOICE], ("words",)) == [
        "words are compared with the text: unconverted, ben",
        "words are compared with the recogniser's transcript of the recording: copy synthesis",
    ]


def test_missing_words_are_noted_if_they_were_requested():
    silent = replace(VOICE, words_reference=None, words=None)
    (note,) = find_notes([silent], ("words", "pitch"))
    assert note.startswith("no words are counted: ")
    assert find_notes([silent], ("pitch",)) == []


def test_partly_parallel_recordings_are_noted():
    parallel = [replace(VOICE, sentence=str(i), mcd_db=5.0 if i < 2 else None) for i in range(7)]
    others = [replace(s, row="DSP baseline") for s in parallel]
    assert find_notes([*others, COPY, *parallel], ())[-1] == (
        "MCD of 2 of 7 sentences: DSP baseline, ben"
    )
    assert not any("MCD" in note for note in find_notes([*parallel[:2], COPY], ()))
