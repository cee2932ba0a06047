"""Cases with a known answer, which a cheating or broken metric would fail.

All on a real recording, cut into sentences, and on WORLD resyntheses of it: another body (formants
and pitch moved), a slower reading, another pitch.
"""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import soundfile

from voxcycle.audio.f0 import extract_f0
from voxcycle.audio.mel import MelSpec
from voxcycle.audio.perturb import Perturbation, analyse_world, resynthesize
from voxcycle.audio.resample import resample
from voxcycle.audio.world import ANALYSIS_MS, import_pyworld
from voxcycle.evaluation.metrics.all_metrics import METRICS, Evaluator
from voxcycle.evaluation.metrics.distance import align, extract_cepstra
from voxcycle.evaluation.optional_deps import has_metrics
from voxcycle.evaluation.score import score_systems
from voxcycle.evaluation.systems import Sentence, Speaker, System, copy_synthesis
from voxcycle.vocoders.registry import load_vocoder

pytestmark = pytest.mark.skipif(not has_metrics(), reason="needs the extra [eval]")
DEMO = Path(__file__).parents[2] / "recipes" / "demo.flac"
SPEC = MelSpec()
RATE = SPEC.sample_rate
N_SENTENCES = 3
OTHER_BODY = Perturbation(formant=1.2, pitch=1.7)


@pytest.fixture(scope="module")
def recording():
    samples, sample_rate = soundfile.read(DEMO, dtype="float32")
    return resample(samples, sample_rate, RATE)


@pytest.fixture(scope="module")
def world(recording):
    return analyse_world(recording, RATE)


def make_speaker(folder, name, waveform):
    folder.mkdir(parents=True)
    sentences = []
    for i, part in enumerate(np.array_split(waveform, N_SENTENCES)):
        path = folder / f"{i}.wav"
        soundfile.write(path, part, RATE, subtype="FLOAT")
        sentences.append(Sentence(f"{name} {i}", path))
    return Speaker(name, "en", tuple(sentences), tuple(sentences))


@pytest.fixture(scope="module")
def speakers(tmp_path_factory, recording, world):
    """A source and a target: the real speaker, and the same words from another body."""
    folder = tmp_path_factory.mktemp("speakers")
    other = resynthesize(world, OTHER_BODY, RATE, len(recording))
    source = make_speaker(folder / "a", "source", recording)
    return source, make_speaker(folder / "b", "target", other)


def _read(path):
    return soundfile.read(path, dtype="float32")[0]


@pytest.fixture(scope="module")
def evaluator():
    return Evaluator(METRICS)


def leave(wave, sample_rate):
    return wave


def score(speaker, target, evaluator, render=leave):
    row = System("row", (speaker,), render, lambda wave: extract_f0(wave, SPEC))
    return [s.scores for s in score_systems([row], target, evaluator, SPEC)]


def mean(scores, name):
    return float(np.mean([getattr(s, name) for s in scores]))


def test_similarity_knows_who_speaks(speakers, evaluator):
    source, target = speakers
    unread = replace(evaluator, metrics=("similarity", "distillmos", "dnsmos", "distance"))
    own = score(target, target, unread)
    vocoder = load_vocoder("fast", SPEC)
    copied = score(target, target, evaluator, lambda x, rate: copy_synthesis(x, rate, vocoder))
    unconverted = score(source, target, unread)
    # the target's own speech scores as copy synthesis or better, the source as somebody else
    assert mean(own, "secs_target") >= mean(copied, "secs_target") - 0.01
    assert mean(own, "distillmos") >= mean(copied, "distillmos") - 0.1
    assert mean(own, "dnsmos") >= mean(copied, "dnsmos") - 0.1
    # a vocoder costs few words of what is heard in the target itself
    assert np.mean([s.characters.rate for s in copied]) < 0.1
    assert mean(copied, "secs_target") > mean(unconverted, "secs_target") + 0.1
    assert all(s.secs_source > s.secs_target for s in unconverted)
    # and a perfect conversion, the target's sentence in place of the source's, as the target
    pairs = zip(source.sentences, target.sentences, strict=True)
    read = {len(_read(a.path)): _read(b.path) for a, b in pairs}
    swapped = score(source, target, unread, lambda x, rate: read[len(x)][: len(x)])
    assert all(s.secs_target > s.secs_source for s in swapped)
    assert mean(swapped, "modulation_db") < mean(unconverted, "modulation_db")


def test_distortion_does_not_mind_the_tempo(recording, world):
    pyworld = import_pyworld()

    def speak(frame_ms):
        return pyworld.synthesize(*world, RATE, frame_ms).astype(np.float32)

    original = extract_cepstra(recording, RATE)
    plain = align(extract_cepstra(speak(ANALYSIS_MS), RATE), original)
    slower = align(extract_cepstra(speak(1.2 * ANALYSIS_MS), RATE), original)
    other = extract_cepstra(resynthesize(world, OTHER_BODY, RATE, len(recording)), RATE)
    # resynthesis alone costs what it costs; a fifth slower costs 0.5 dB more at most (transients
    # are longer), another body several dB
    assert slower.mcd_db == pytest.approx(plain.mcd_db, abs=0.5)
    assert align(other, original).mcd_db > slower.mcd_db + 2
    # the same against a shuffled recording: the order of the words matters
    halves = np.roll(recording, len(recording) // 2)
    assert align(extract_cepstra(halves, RATE), original).mcd_db > plain.mcd_db + 2


@pytest.mark.parametrize("semitones", [-3.0, 1.0, 4.0])
def test_a_pitch_shift_is_the_f0_error(speakers, evaluator, semitones):
    source, target = speakers
    factor = 2 ** (semitones / 12)

    def shift(wave, sample_rate):
        speech = analyse_world(wave, sample_rate)
        return 0.5 * resynthesize(speech, Perturbation(1.0, factor), sample_rate, len(wave))

    quick = replace(evaluator, metrics=("pitch",))
    for scores in score(source, target, quick, shift):
        assert scores.pitch.rmse_semitones == pytest.approx(abs(semitones), abs=0.4)
        assert scores.pitch.gross_rate < 0.05


def test_other_words_cost_words(speakers, evaluator):
    source, target = speakers
    quick = replace(evaluator, metrics=("words",))
    kept = score(source, target, quick, lambda wave, rate: wave * 0.9)
    swapped = score(source, target, quick, lambda wave, rate: wave[::-1].copy())
    assert np.mean([s.characters.rate for s in kept]) < 0.1
    assert np.mean([s.characters.rate for s in swapped]) > 0.5


def test_noise_and_silence_are_failures(speakers, evaluator):
    source, target = speakers
    rng = np.random.default_rng(0)
    silent = score(source, target, evaluator, lambda wave, rate: np.zeros_like(wave))
    assert all(s.failures and s.secs_target is None for s in silent)

    def hiss(wave, sample_rate):
        return (0.05 * rng.standard_normal(len(wave))).astype(np.float32)

    for scores in score(source, target, evaluator, hiss):
        assert any(f.startswith(("words:", "pitch:")) for f in scores.failures)
        assert scores.secs_target is None or scores.secs_target < 0.7
        assert scores.distillmos < 2.5
