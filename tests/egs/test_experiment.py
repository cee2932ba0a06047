"""The driver of trials."""

import json
import runpy
import sys
from pathlib import Path

import pytest

from voxcycle.speech.config import VoiceTrainingConfig
from voxcycle.speech.train_vocoder import VocoderTrainingConfig

SCRIPT = Path(__file__).parents[2] / "egs" / "experiment.py"


def test_every_run_differs_from_the_first_in_the_settings_named_by_the_study():
    driver = runpy.run_path(str(SCRIPT))
    for study, runs in driver["STUDIES"].items():
        first, *others = (run.config(Path("out"), 10) for run in runs.values())
        for config in (first, *others):
            assert isinstance(config, VoiceTrainingConfig)
            assert (config.steps, config.samples, config.formant_postfilter) == (10, 0, 0.0)
        assert all(config != first for config in others), study
    for settings in driver["VOCODERS"].values():
        assert settings.keys() <= VocoderTrainingConfig.model_fields.keys()


def test_an_unknown_run_is_refused(tmp_path, monkeypatch, capsys):
    monkeypatch.setattr(sys, "argv", [str(SCRIPT), "vocoder", str(tmp_path), "--only", "no-noise"])
    with pytest.raises(SystemExit) as left:
        runpy.run_path(str(SCRIPT), run_name="__main__")
    assert left.value.code == 2
    assert "no run no-noise in vocoder: all, no-prior, no-phase" in capsys.readouterr().err


def test_training_goes_up_to_each_mark_and_stops_beyond_it(tmp_path, monkeypatch):
    driver = runpy.run_path(str(SCRIPT))
    run = driver["Run"](driver["KOKORO"], {}, (1, 2))
    (tmp_path / "steps.json").write_text(json.dumps({"run": 100.4}))
    trained = []
    values = driver["train"].__globals__

    class Evaluated:
        def save(self, file):
            file.parent.mkdir(parents=True, exist_ok=True)
            file.write_text("{}")

    stubs = {
        "train_voice": lambda config, resume: trained.append((config.steps, resume)),
        "evaluate_with_progress": lambda *_, **__: Evaluated(),
        **dict.fromkeys(("load_voice", "list_sources", "list_target"), lambda *_, **__: None),
    }
    for name, stub in stubs.items():
        monkeypatch.setitem(values, name, stub)
    driver["train"](tmp_path, "run", run)
    assert trained == [(100, False), (201, False)]
    names = sorted(path.name for path in (tmp_path / "run").glob("*.json"))
    assert names == ["kore-1.json", "kore-2.json", "liam-1.json", "liam-2.json"]
    driver["train"](tmp_path, "run", run)  # finished marks are kept
    assert len(trained) == 2
