"""The cache of results, languages of the recogniser, and networks that fail."""

import os
import time
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest

from voxcycle.evaluation.cache import ContentCache
from voxcycle.evaluation.metrics.all_metrics import Evaluator
from voxcycle.evaluation.optional_deps import has_metrics

SPEECH = np.ones(8, np.float32)


class Transcriber:
    """Returns its name and the requested language."""

    def __init__(self, name="base", is_multilingual=True):
        self.name = name
        self.is_multilingual = is_multilingual

    def transcribe(self, speech, language):
        return f"{self.name} {language}"


def with_transcriber(evaluator, transcriber):
    evaluator._loaded["transcriber"] = transcriber
    return evaluator


def make_model(folder, weights):
    folder.mkdir(exist_ok=True)
    (folder / "model.bin").write_bytes(weights)
    (folder / "tokenizer.json").write_text("{}")
    return str(folder)


@pytest.mark.skipif(not has_metrics(), reason="needs the extra [eval]")
def test_transcripts_are_remembered_by_language(tmp_path):
    for _ in range(2):
        evaluator = with_transcriber(Evaluator(cache=ContentCache(tmp_path)), Transcriber())
        heard = [evaluator.transcribe(SPEECH, code) for code in ("en", "nl")]
        assert heard == ["base en", "base nl"]
    assert len(list(tmp_path.iterdir())) == 2


@pytest.mark.skipif(not has_metrics(), reason="needs the extra [eval]")
def test_transcripts_are_remembered_by_the_weights(tmp_path, monkeypatch):
    cache = ContentCache(tmp_path / "cache")

    def hear(asr, name):
        evaluator = Evaluator(cache=cache, asr=asr)
        return with_transcriber(evaluator, Transcriber(name)).transcribe(SPEECH, "en")

    assert hear("base", "base") == "base en"
    first = make_model(tmp_path / "model", b"weights")
    assert hear(first, "first") == "first en"
    assert hear(first, "unasked") == "first en"
    monkeypatch.chdir(tmp_path)
    assert hear("model", "unasked") == "first en"  # the same folder by another name
    (tmp_path / "elsewhere").mkdir()
    make_model(tmp_path / "elsewhere" / "model", b"weights")
    monkeypatch.chdir(tmp_path / "elsewhere")
    assert hear("model", "second") == "second en"  # another folder by the same name
    make_model(tmp_path / "model", b"other weights")
    assert hear(first, "replaced") == "replaced en"
    os.utime(tmp_path / "model" / "model.bin", (1, 1))
    assert hear(first, "same size") == "same size en"


def test_the_model_tells_what_it_knows(tmp_path):
    assert Evaluator().knows("en") and not Evaluator().knows("und")
    asr = make_model(tmp_path, b"weights")
    for is_multilingual in (True, False):
        evaluator = with_transcriber(Evaluator(asr=asr), Transcriber("own", is_multilingual))
        assert [evaluator.knows(code) for code in ("en", "nl")] == [True, is_multilingual]


def test_a_network_is_loaded_once_by_all_threads():
    evaluator, loads = Evaluator(("dnsmos",)), []

    def load():
        loads.append(1)
        time.sleep(0.05)
        return "network"

    with ThreadPoolExecutor(4) as pool:
        assert set(pool.map(lambda _: evaluator._load("DNSMOS", load), range(8))) == {"network"}
    assert len(loads) == 1


def test_a_network_that_cannot_be_loaded_is_no_failure_of_an_utterance():
    def load():
        raise RuntimeError("bad weights")

    with pytest.raises(OSError, match=r"DistillMOS.*bad weights.*\[eval\]"):
        Evaluator()._load("DistillMOS", load)


@pytest.mark.skipif(not has_metrics(), reason="needs the extra [eval]")
def test_what_onnxruntime_raises_is_a_runtime_error():
    from voxcycle.evaluation.metrics.naturalness import DNSMOS

    with pytest.raises(RuntimeError, match="DNSMOS"):
        DNSMOS().score(np.ones(160_000))  # float64, which the network does not take


def test_unknown_metrics_and_recognisers_are_refused_at_once(tmp_path):
    with pytest.raises(ValueError, match=r"\['loudness'\].*similarity"):
        Evaluator(("loudness",))
    with pytest.raises(OSError, match=r"model\.bin"):
        Evaluator(asr=str(tmp_path))
