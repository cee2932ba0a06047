from dataclasses import replace

import numpy as np
import pytest
import soundfile

from voxcycle.audio.f0 import extract_f0
from voxcycle.audio.mel import MelSpec
from voxcycle.audio.mixdown import load_mono
from voxcycle.conversion.pipeline import convert
from voxcycle.evaluation import run as evaluate
from voxcycle.evaluation.metrics.all_metrics import Evaluator
from voxcycle.evaluation.metrics.asr import ErrorCount
from voxcycle.evaluation.metrics.pitch import compare_f0, requested_f0
from voxcycle.evaluation.run import drop_unheard, evaluate_voice, find_notes
from voxcycle.evaluation.stats.scores import UtteranceScores
from voxcycle.evaluation.systems import Sentence, Speaker, System, copy_synthesis, count_utterances
from voxcycle.vocoders.hifigan import HiFiGAN

RATE = 22_050
TEXT = UtteranceScores("unconverted", "ann", "0", words_reference="text", words=ErrorCount(0, 5))
VOICE = replace(TEXT, row="ben")
COPY = replace(TEXT, row="copy synthesis", words_reference="source", mcd_db=3.0)


def write_speaker(path, name, speech):
    """Return a speaker with one sentence, the given speech."""
    soundfile.write(path, speech, RATE, subtype="FLOAT")
    return Speaker(name, "en", (Sentence("000", path),), ())


@pytest.fixture
def source(tmp_path, make_speech):
    return write_speaker(tmp_path / "s.wav", "ann", make_speech(1.2, RATE))


def test_evaluate_voice_with_pitch_alone(tmp_path, make_speech, voice, source, monkeypatch):
    """Pitch needs no extra package: systems, requests and the record, end to end."""
    speech = load_mono(tmp_path / "s.wav", RATE)
    target = write_speaker(tmp_path / "t.wav", "unit", make_speech(1.2, RATE, 210.0))
    seen = []
    monkeypatch.setattr(evaluate, "is_metric_imported", lambda: False)
    evaluation = evaluate_voice(
        voice,
        (source,),
        target,
        vocoder="griffin-lim",
        metrics=("pitch",),
        cache_dir=tmp_path / "cache",
        keep_audio=True,
        inputs={"source": "ann"},
        on_scored=lambda done, total: seen.append((done, total)),
    )
    assert seen == [(i, 5) for i in range(1, 6)]
    unconverted, target_own, copied, baseline, converted = evaluation.scores
    rows = ["unconverted", "target", "copy synthesis", "DSP baseline", "unit"]
    assert [s.row for s in evaluation.scores] == rows
    request = requested_f0(speech, voice)
    assert unconverted.pitch == compare_f0(request, extract_f0(speech, MelSpec()))
    assert target_own.pitch.rmse_semitones == 0  # the request is its own contour
    assert copied.pitch.rmse_semitones < 0.5  # HiFi-GAN keeps the pitch of clean harmonics
    assert baseline.pitch.rmse_semitones < 0.5  # and WORLD follows the request
    assert converted.failures == () and converted.duration_s == pytest.approx(1.2, abs=1e-3)
    conversion = convert(speech, voice, sample_rate=RATE, vocoder="griffin-lim")
    np.testing.assert_array_equal(evaluation.audio[4].requested_f0, conversion.f0_hz)
    rendered = extract_f0(conversion.waveform, MelSpec())
    assert converted.pitch == compare_f0(conversion.f0_hz, rendered)
    assert evaluation.about["metrics"] == ["pitch"]
    cost = evaluation.about["cost"]
    assert cost["audio_s"] == pytest.approx(1.2, abs=0.01) and cost["peak_memory_mb"] > 50
    stages = cost["real_time_factor"]
    parts = sum(value for stage, value in stages.items() if stage != "whole")
    assert stages["whole"] == pytest.approx(parts, abs=1e-4)  # each is rounded to 1e-5
    # through HiFi-GAN universal, whatever the voice is rendered by
    spoken = load_mono(tmp_path / "t.wav", RATE)
    expected = copy_synthesis(spoken, RATE, HiFiGAN.load_universal())
    np.testing.assert_allclose(evaluation.audio[2].audio, expected, atol=1e-6)
    assert evaluation.about["inputs"] == {"source": "ann"}
    assert evaluation.about["vocoder"] == "griffin-lim"
    assert count_utterances([System("voice", (source,), lambda w, r: w, lambda w: w)]) == 1
    assert len(list((tmp_path / "cache").iterdir())) == 2  # copy synthesis and baseline


def test_without_a_target_the_voice_is_still_measured(source, voice, monkeypatch):
    monkeypatch.setattr(evaluate, "is_metric_imported", lambda: True)
    evaluation = evaluate_voice(
        voice, (source,), vocoder="griffin-lim", metrics=("pitch",), keep_audio=True
    )
    assert [s.row for s in evaluation.scores] == ["unconverted", "DSP baseline", "unit"]
    assert [s.scores for s in evaluation.audio] == evaluation.scores
    assert all(len(s.audio) == round(1.2 * RATE) for s in evaluation.audio)
    assert evaluation.about["cost"]["peak_memory_mb"] is None  # metrics are in it


def test_foreign_sentences_that_are_not_followed_are_left_out(
    tmp_path, make_speech, voice, monkeypatch
):
    pytest.importorskip("jiwer")
    monkeypatch.setattr(Evaluator, "transcribe", lambda self, speech, language: "goede dag")
    for i in range(2):
        soundfile.write(tmp_path / f"{i}.wav", make_speech(0.5, RATE, seed=i), RATE)
    texts = ("Goede dag.", "Iets heel anders.")
    sentences = tuple(Sentence(f"{i}", tmp_path / f"{i}.wav", texts[i]) for i in range(2))
    for language, n_words in (("nl", 1), ("en", 2)):
        source = Speaker("anna", language, sentences, ())
        evaluation = evaluate_voice(voice, (source,), vocoder="griffin-lim", metrics=("words",))
        assert evaluation.audio == []  # not asked for
        assert [line.n_words for line in evaluation.summary()] == [n_words] * 3


def test_sentences_that_the_recogniser_does_not_follow_are_left_out_of_every_row():
    def scores(row, sentence, errors):
        count = ErrorCount(errors, 10)
        return UtteranceScores(row, "ann", sentence, words=count, characters=count)

    given = [
        scores("unconverted", "clear", 2),
        scores("unconverted", "mumbled", 3),
        scores("voice", "clear", 9),
        scores("voice", "mumbled", 1),
    ]
    assert drop_unheard(given, {"bob"}) == given
    kept = drop_unheard(given, {"ann"})
    assert [s.words is not None for s in kept] == [True, False, True, False]
    assert kept[2] == given[2] and kept[3].characters is None


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
