"""Settings of a voice training: their documentation, their list, and refused values."""

import pytest

from voxcycle.cli import main
from voxcycle.speech.config import VoiceTrainingConfig
from voxcycle.speech.train_voice import train_voice
from voxcycle.training.config import list_fields, load_config, parse_overrides
from voxcycle.voices.voice import VoiceError


@pytest.mark.parametrize(
    ("settings", "problem"),
    [
        ({"cycle_weight": 3}, r"unknown key cycle_weight; did you mean cycle_.*\?"),
        ({"zzz": 3}, "unknown key zzz; voxcycle train --settings lists"),
        ({"steps": 3, "minutes": 3}, "steps or minutes, not both"),
        ({"n_frames": 50}, "multiple of 8"),
        ({"n_frames": 32, "max_masked_frames": 32}, "must be below n_frames"),
    ],
)
def test_wrong_settings_are_refused(settings, problem):
    with pytest.raises(ValueError, match=problem):
        load_config(VoiceTrainingConfig, {"a": "x", "b": "y"} | settings)


def test_overrides_are_yaml():
    for pair, problem in (("cycle_a=[1", "cannot be read as YAML"), ("cycle_a", "key=value")):
        with pytest.raises(ValueError, match=problem):
            parse_overrides([pair])
    assert parse_overrides(["cycle_a=3", "uses_f0=false"]) == {"cycle_a": 3, "uses_f0": False}


def test_every_weight_and_switch_is_documented():
    assert all(field.description for field in VoiceTrainingConfig.model_fields.values())


def test_the_command_lists_every_setting_with_default_and_meaning(capsys, monkeypatch):
    monkeypatch.setenv("COLUMNS", "400")  # a row per setting
    with pytest.raises(SystemExit, match="0"):
        main(["train", "--settings"])
    heading, *rows = (" ".join(row.split()) for row in capsys.readouterr().out.splitlines())
    assert heading == "key default meaning"
    assert rows == [
        " ".join(f"{key} {default} {field.description}".split())
        for key, field in list_fields(VoiceTrainingConfig).items()
        for default in ["needed" if field.is_required() else field.default]
    ]


def test_names_that_cannot_be_those_of_two_files_are_refused_first(tmp_path):
    folders = {"a": tmp_path / "low", "b": tmp_path / "high", "out": tmp_path / "run"}
    with pytest.raises(ValueError, match="both voices are named high"):
        train_voice(VoiceTrainingConfig(**folders, steps=1, name_a="high"))
    with pytest.raises(VoiceError, match="cannot be a file's name"):
        train_voice(VoiceTrainingConfig(**folders, steps=1, name_b="../evil"))
    assert not (tmp_path / "run").exists()
