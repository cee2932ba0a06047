"""Settings of a voice training: their documentation, their list, and refused values."""

import pytest

from voxcycle.cli import main
from voxcycle.speech.config import VoiceTrainingConfig
from voxcycle.speech.train_voice import train_voice
from voxcycle.training.config import list_fields, load_config, parse_overrides, write_value
from voxcycle.voices.voice import VoiceError


@pytest.mark.parametrize(
    ("settings", "problem"),
    [
        ({"cycle_weight": 3}, r"unknown key cycle_weight; did you mean cycle_.*\?"),
        ({"zzz": 3}, "unknown key zzz; voxcycle train --settings lists"),
        ({"steps": 3, "minutes": 3}, "steps or minutes, not both"),
        ({"n_frames": 50}, "multiple of 8"),
        ({"width": 2}, "^width: 2 is too small; give 8 or more$"),
        ({"generator_lr": 0}, "^generator_lr: 0 is too small; give more than 0$"),
        ({"corrupted": 1.5}, "^corrupted: 1.5 is too large; give 1 or less$"),
        ({"ema_decay": 1}, "^ema_decay: 1 is too large; give less than 1$"),
        ({"steps": 2.5}, "^steps: 2.5 is not a whole number; give one$"),
        ({"width": None}, "^width: null is not a whole number; give one$"),
        ({"cycle_a": "much"}, "^cycle_a: much is not a number; give one$"),
        ({"uses_f0": "maybe"}, "^uses_f0: maybe is neither true nor false; give one of them$"),
        ({"language": False}, "^language: false is not text; put it in quotes$"),  # YAML's no
        ({"a": 3}, "^a: 3 is not a path; give the name of a file or folder$"),
        ({"discriminator_widths": 4}, "^discriminator_widths: 4 is not a list; give .VALUE, "),
        ({"accelerator": "tpu"}, "^accelerator: tpu is unknown; give 'cpu' or 'cuda'$"),
        ({"width": 2, "seed": -1}, "seed: -1 is too small; give 0 or more; width: 2 is too small"),
        ({"n_frames": 32, "max_masked_frames": 32}, "must be below n_frames"),
    ],
)
def test_wrong_settings_are_refused(settings, problem):
    with pytest.raises(ValueError, match=problem):
        load_config(VoiceTrainingConfig, {"a": "x", "b": "y"} | settings)


def test_a_setting_without_a_default_is_asked_for():
    with pytest.raises(ValueError, match="^b: it has no default; give b=VALUE$"):
        load_config(VoiceTrainingConfig, {"a": "x"})


def test_overrides_are_yaml():
    for pair, problem in (("cycle_a=[1", "cannot be read as YAML"), ("cycle_a", "key=value")):
        with pytest.raises(ValueError, match=problem):
            parse_overrides([pair])
    assert parse_overrides(["cycle_a=3", "uses_f0=false"]) == {"cycle_a": 3, "uses_f0": False}


ALIASES = "x0: &x0 [1]\n" + "".join(
    f"x{i}: &x{i} [{', '.join([f'*x{i - 1}'] * 10)}]\n" for i in range(1, 10)
)


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        (b"a: \xff\n", "settings.yaml: not UTF-8 text"),
        (b"1: a\n", "settings.yaml: settings are lines of the form key: value"),
        (b"[" * 10**6, "settings.yaml: cannot be read as YAML"),
        (b"seed: !!bool x\n", "settings.yaml: cannot be read as YAML"),
        (b"seed: !!timestamp x\n", "settings.yaml: cannot be read as YAML"),
        (b"seed: 2001-99-99\n", "settings.yaml: cannot be read as YAML .month must be in 1..12"),
        (b"seed: !!python/name:os.system\n", "settings.yaml: cannot be read as YAML"),
        (b"seed: -0x" + b"f" * 5000, "^seed: the number is too small; give 0 or more$"),
        (b"width: " + b"x" * 5000, r"^width: x{100}\.\.\. is not a whole number; give one$"),
        (ALIASES.encode() + b"width: *x9\n", r"width: \[\[\[\.\.\.\], .* is not a whole number"),
        (b"width: &x [*x]\n", "width: .* is not a whole number; give one"),
    ],
)
def test_hostile_settings_are_refused(tmp_path, text, problem):
    """Ten levels of aliases stand for 10 ** 9 values."""
    (path := tmp_path / "settings.yaml").write_bytes(text)
    with pytest.raises(ValueError, match=problem) as caught:
        load_config(VoiceTrainingConfig, {"a": "x", "b": "y"}, path)
    assert len(str(caught.value)) < 3000 and "\n" not in str(caught.value)


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
        for default in ["needed" if field.is_required() else write_value(field.default)]
    ]
    typed = ("a needed", "steps null", "uses_f0 true", "discriminator_widths [32, 64, 128, 128]")
    for start in (*typed, "out runs/voice", "width 256"):
        assert any(row.startswith(f"{start} ") for row in rows), start


def test_names_that_cannot_be_those_of_two_files_are_refused_first(tmp_path):
    folders = {"a": tmp_path / "low", "b": tmp_path / "high", "out": tmp_path / "run"}
    with pytest.raises(ValueError, match="both voices are named high"):
        train_voice(VoiceTrainingConfig(**folders, steps=1, name_a="high"))
    with pytest.raises(VoiceError, match="cannot be a file's name"):
        train_voice(VoiceTrainingConfig(**folders, steps=1, name_b="../evil"))
    assert not (tmp_path / "run").exists()
