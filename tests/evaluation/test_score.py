import hashlib
import re
import time
from dataclasses import replace

import numpy as np
import pytest
import soundfile
import torch

from voxcycle.audio.f0 import extract_f0
from voxcycle.audio.mel import MelSpec
from voxcycle.audio.mixdown import load_mono
from voxcycle.evaluation import score as scoring
from voxcycle.evaluation.metrics.all_metrics import Evaluator
from voxcycle.evaluation.metrics.distance import Alignment
from voxcycle.evaluation.score import score_systems
from voxcycle.evaluation.stats.summary import summarize
from voxcycle.evaluation.systems import Sentence, Speaker, System

RATE = 22_050


class AmplitudeEvaluator(Evaluator):
    """Reads scores from the amplitude of a sine; no networks."""

    def knows(self, language):
        return True

    def embed(self, speech):
        angle = amplitude(speech) * 10
        return np.array([np.cos(angle), np.sin(angle)], np.float32)

    def transcribe(self, speech, language):
        if amplitude(speech) > 0.5:
            raise ValueError("the recogniser heard no words")
        return f"{language} words"

    def modulation_spectrum(self, audio, sample_rate):
        return np.full((24, 33), 100 * amplitude(audio))

    def extract_cepstra(self, audio, sample_rate):
        return amplitude(audio)


def amplitude(speech):
    return float(np.sqrt(2 * np.mean(speech**2)))


def write_sine(folder, name, value, text=None):
    path = folder / f"{name}.wav"
    samples = value * np.sin(2 * np.pi * 440 * np.arange(16_000) / 16_000)
    soundfile.write(path, samples, 16_000, subtype="FLOAT")
    return Sentence(name, path, text)


def leave(wave, rate):
    return wave


def halve(wave, rate):
    return wave * 0.5


def score(speaker, target, *metrics, render=leave, by=AmplitudeEvaluator, **options):
    row = System("v", (speaker,), render, lambda wave: extract_f0(wave, MelSpec()), **options)
    return [s.scores for s in score_systems([row], target, by(metrics), MelSpec())]


@pytest.fixture
def target(tmp_path):
    references = (write_sine(tmp_path, "t0", 0.10), write_sine(tmp_path, "t1", 0.12))
    return Speaker("target", "en", references, references)


@pytest.fixture
def source(tmp_path):
    sentences = (write_sine(tmp_path, "s0", 0.01, "en words"), write_sine(tmp_path, "s1", 0.05))
    return Speaker("source", "en", sentences, sentences)


def without_texts(speaker):
    plain = tuple(replace(sentence, text=None) for sentence in speaker.sentences)
    return replace(speaker, sentences=plain)


def test_cosines_leave_the_scored_sentence_out(source, target):
    # angles: 0.1 for s0, 0.5 for s1; the target's centroid of 1.0 and 1.2 is at 1.1
    for name in ("source", target.name):  # speakers of one name stay apart
        first, second = score(replace(source, name=name), target, "similarity", "words")
        assert first.secs_target == pytest.approx(np.cos(1.0), abs=1e-3)
        assert first.secs_source == pytest.approx(np.cos(0.4), abs=1e-3)  # against s1 alone
        assert second.secs_source == pytest.approx(np.cos(0.4), abs=1e-3)
    first, _ = score(target, target, "similarity")  # the target is compared with itself alone
    assert first.secs_target == pytest.approx(np.cos(0.2), abs=1e-3)
    assert first.secs_source is None


def test_words_count_against_texts_where_there_are_some(source, target):
    """In every row on the same sentences, those that have a text."""
    pytest.importorskip("jiwer")
    for render in (leave, halve):
        first, second = score(source, target, "words", render=render)
        assert (first.words, first.words_reference) == ((0, 2), "text")
        assert (second.words, second.words_reference) == (None, None)
        assert second.transcript == "en words"


def test_words_count_against_the_source_where_there_is_no_text(source, target):
    pytest.importorskip("jiwer")
    for scores in score(without_texts(source), target, "words", render=halve):
        assert (scores.words, scores.words_reference) == ((0, 2), "source")
    for scores in score(without_texts(source), target, "words"):
        assert scores.words is None and scores.transcript == "en words"


def test_languages_that_the_recogniser_does_not_know_are_heard_for_texts_alone(source, target):
    pytest.importorskip("jiwer")
    heard = []

    class English(AmplitudeEvaluator):
        def knows(self, language):
            return language == "en"

        def transcribe(self, speech, language):
            heard.append(language)
            return super().transcribe(speech, language)

    dutch = replace(source, language="nl")
    for speaker, n_heard in ((dutch, 1), (without_texts(dutch), 0)):
        scores = score(speaker, target, "words", render=halve, by=English)
        assert [s.words is not None for s in scores] == [bool(n_heard), False]
        assert len(heard) == n_heard and not any(s.failures for s in scores)
        heard.clear()


def test_nothing_heard_is_a_failure_and_costs_every_word(source, target):
    pytest.importorskip("jiwer")
    first, _ = score(source, target, "words", render=lambda wave, _: np.full_like(wave, 0.9))
    assert first.failures == ("words: the recogniser heard no words",)
    assert first.words == (2, 2)


@pytest.mark.parametrize(
    ("factor", "message"), [(np.nan, "NaN"), (0.0, r"peak is 0\.000"), (200.0, r"peak is 2\.0")]
)
def test_unusable_output_is_listed(source, target, factor, message):
    first, _ = score(source, target, "similarity", "words", render=lambda wave, _: wave * factor)
    # nothing is said in it, against the text
    assert first.words == (2, 2) and first.characters == (8, 8)
    assert first.secs_target is None and first.duration_s is None
    (failure,) = first.failures
    assert failure.startswith("rendering: ")
    assert re.search(message, failure)


def test_a_conversion_that_raises_is_listed(source, target):
    def refuse(wave, rate):
        raise ValueError("too short")

    for scores in score(source, target, "similarity", render=refuse):
        assert scores.failures == ("rendering: too short",)


def test_half_of_the_outputs_lost_is_half_of_the_words(tmp_path, target):
    """Ten good and ten silent outputs, against what is heard in the sources."""
    pytest.importorskip("jiwer")
    sentences = tuple(write_sine(tmp_path, f"s{i:02}", 0.1 + 0.02 * i) for i in range(20))
    speaker = Speaker("source", "en", sentences, sentences)
    scores = score(speaker, target, "words", render=lambda wave, _: wave * (amplitude(wave) > 0.29))
    (line,) = summarize(scores)
    assert (line.values["wer"], line.values["cer"]) == (0.5, 0.5)
    assert (line.n_sentences, line.n_words, line.n_failed) == (20, 20, 10)


def test_an_unvoiced_output_has_voicing_errors(tmp_path, make_speech, target):
    """Whether it whispers or could not be made; both are failures."""
    soundfile.write(tmp_path / "s.wav", make_speech(1.2, RATE), RATE, subtype="FLOAT")
    n_voiced = int((extract_f0(load_mono(tmp_path / "s.wav", RATE), MelSpec()) > 0).sum())
    speaker = Speaker("ann", "en", (Sentence("s", tmp_path / "s.wav"),), ())
    noise = (0.05 * np.random.default_rng(0).standard_normal(round(1.2 * RATE))).astype(np.float32)
    for output, failure in ((noise, "pitch: no frame is voiced in both"), (noise * 0, "rendering")):
        (scores,) = score(speaker, target, "pitch", render=lambda wave, _, output=output: output)
        assert scores.pitch.n_both == 0 and scores.pitch.n_voicing == n_voiced > 20
        assert scores.failures[0].startswith(failure)
        (line,) = summarize([scores])
        assert line.values["f0_voicing_error_rate"] == n_voiced / scores.pitch.n_frames
        assert "f0_rmse_semitones" not in line.values


def test_a_network_that_fails_is_listed(source, target):
    class Broken(AmplitudeEvaluator):
        error: Exception = RuntimeError("out of memory")

        def embed(self, speech):
            raise self.error

    for scores in score(source, target, "similarity", by=Broken):
        assert scores.failures == ("similarity: out of memory",)
    Broken.error = AttributeError("no such thing")
    with pytest.raises(AttributeError):  # a mistake in the program is no failure of an utterance
        score(source, target, "similarity", by=Broken)


def test_modulation_leaves_the_scored_sentence_out(source, target):
    first, second = score(target, target, "distance")
    # 10 against the other one, 12, and the other way round; against both it would be 1
    assert first.modulation_db == pytest.approx(2, abs=1e-3)
    assert second.modulation_db == pytest.approx(2, abs=1e-3)
    first, _ = score(source, target, "distance")
    assert first.modulation_db == pytest.approx(11 - 1, abs=1e-3)  # the mean of both


def test_copy_synthesis_is_paired_with_its_recording(target, monkeypatch):
    monkeypatch.setattr(
        scoring, "align", lambda own, other: Alignment(own / other, float("nan"), float("nan"))
    )
    for pairs_itself, expected in ((True, 0.5), (False, None)):
        for s in score(target, target, "distance", render=halve, pairs_itself=pairs_itself):
            assert s.mcd_db == (expected and pytest.approx(expected, rel=1e-3))


def test_recordings_are_known_by_their_content(source, target):
    first, second = score(source, target)
    content = source.sentences[0].path.read_bytes()
    assert first.recording_sha256 == hashlib.sha256(content).hexdigest()[:16]
    assert second.recording_sha256 != first.recording_sha256


@pytest.fixture
def four_threads():
    torch.set_num_threads(4)
    yield
    assert torch.get_num_threads() == 4
    torch.set_num_threads(1)


def test_alignments_take_turns(tmp_path, monkeypatch, four_threads):
    """Two of a minute each would take 6 GB side by side."""
    running, at_once = [], []

    def align(own, target):
        running.append(1)
        time.sleep(0.02)
        at_once.append(len(running))
        running.pop()
        return Alignment(float(own), float("nan"), float("nan"))

    monkeypatch.setattr(scoring, "align", align)
    plain = [write_sine(tmp_path, f"s{i}", 0.1 + 0.1 * i) for i in range(6)]
    sentences = tuple(replace(sentence, parallel=sentence.path) for sentence in plain)
    speaker = Speaker("source", "en", sentences, sentences)
    found = [s.mcd_db for s in score(speaker, speaker, "distance")]
    assert at_once == [1] * 6
    assert found == pytest.approx([0.1, 0.2, 0.3, 0.4, 0.5, 0.6], rel=1e-3)


def test_any_number_of_threads_gives_the_same_scores_in_the_same_order(tmp_path, four_threads):
    sentences = tuple(write_sine(tmp_path, f"s{i:02}", 0.01 + 0.01 * i) for i in range(20))
    speaker = Speaker("source", "en", sentences, sentences)
    together = score(speaker, speaker, "similarity")
    assert torch.get_num_threads() == 4
    torch.set_num_threads(1)
    alone = score(speaker, speaker, "similarity")
    torch.set_num_threads(4)
    assert together == alone
    assert [s.sentence for s in together] == [s.name for s in sentences]


def test_unusable_recordings_are_listed_and_stop_nothing(tmp_path, source, target):
    (tmp_path / "broken.wav").write_text("no sound")
    broken = Sentence("broken", tmp_path / "broken.wav")
    alone = Speaker("alone", "en", (broken, *source.sentences), (broken, source.sentences[0]))
    first, second, third = score(alone, target, "similarity")
    assert first.failures[0].startswith("rendering: broken.wav: ")  # and not where it is
    # its own recording is the only usable reference: similar to nobody, but nearness to the target
    assert second.failures == ("similarity: no other usable recording of alone to compare with",)
    assert second.secs_target is not None and second.secs_source is None
    assert third.failures == () and third.secs_source is not None


def test_a_recording_above_full_scale_is_no_failure(tmp_path, target):
    loud = write_sine(tmp_path, "loud", 1.3)
    speaker = Speaker("loud", "en", (loud,), (write_sine(tmp_path, "other", 0.9),))
    (own,) = score(speaker, target, "similarity")
    (converted,) = score(speaker, target, "similarity", render=lambda wave, rate: wave.copy())
    assert own.failures == () and own.secs_target is not None
    assert "peak is 1.3" in converted.failures[0]
