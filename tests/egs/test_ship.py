"""What goes into the package: a voice with scores of all sentences, and a renewed self-test."""

import importlib
import importlib.util
import json
import shutil
import sys
from pathlib import Path
from types import SimpleNamespace

import pytest

from voxcycle.artifacts import VOICE, read_header
from voxcycle.conversion.self_test import run_self_test
from voxcycle.voices.library import find_voice
from voxcycle.voices.voice import Voice

SCRIPT = Path(__file__).parents[2] / "egs" / "kokoro" / "ship.py"


@pytest.fixture
def ship(tmp_path, monkeypatch):
    """The script, shipping into a package of the test's own."""
    spec = importlib.util.spec_from_file_location("ship", SCRIPT)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    package = tmp_path / "package"
    monkeypatch.setattr(module, "PACKAGE", package)
    (package / "voices" / "embedded").mkdir(parents=True)
    (package / "conversion").mkdir()
    path = tmp_path / "emma.safetensors"
    shutil.copy(find_voice("emma"), path)

    def run(vocoder="hifigan", n_sentences=80, sha256=""):
        voice = Voice.load(path)
        about = {
            "voice_sha256": sha256 or read_header(path, VOICE)["sha256"],
            "second_pass": voice.second_pass,
            "vocoder": vocoder,
        }
        line = dict.fromkeys(module.SHOWN, 0.12345)
        line |= {"row": "emma", "speaker": module.MEAN, "n_sentences": n_sentences}
        scores = tmp_path / "emma.json"
        scores.write_text(json.dumps({"about": about, "summary": [line]}))
        monkeypatch.setattr(sys, "argv", ["ship.py", str(path), str(scores)])
        module.main()
        return package / "voices" / "embedded" / "emma.safetensors"

    return run


def test_scores_go_onto_the_card_and_the_self_test_knows_the_voice(ship, tmp_path):
    card = Voice.load(ship()).card
    assert card.scores["wer"] == card.scores["secs_target"] == 0.123
    found = run_self_test(tmp_path / "package")
    assert (found.voices, found.problems) == (["emma"], [])


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"vocoder": "fast"}, "80 .*fast.*hifigan"),
        ({"n_sentences": 20}, "20 .*hifigan"),
        ({"sha256": "0" * 64}, r"emma\.json.*emma\.safetensors"),
    ],
)
def test_other_scores_are_refused(ship, tmp_path, changes, message):
    with pytest.raises(SystemExit, match=message):
        ship(**changes)
    assert not [path for path in (tmp_path / "package").rglob("*") if path.is_file()]


@pytest.mark.parametrize(("wer", "passes"), [(0.034, True), (0.036, False)])
def test_words_may_be_lost_that_the_bar_allows(monkeypatch, wer, passes):
    monkeypatch.syspath_prepend(str(SCRIPT.parent))
    monkeypatch.delitem(sys.modules, "speakers", raising=False)
    script = importlib.import_module("evaluate_kokoro")
    scores = {"secs_target": 0.9, "nearer_target": 0.98, "distillmos": 4.4, "wer": wer}
    means = [
        SimpleNamespace(row=row, speaker=script.MEAN, values=scores | {"wer": rate})
        for row, rate in (("unconverted", 0.02), ("emma", wer))
    ]
    evaluation = SimpleNamespace(summary=lambda: means)
    bars = script.make_bars(evaluation, "emma")
    assert [bar.passes for bar in bars] == [True, False, passes, True]
    assert bars[2].at_most == 0.035
