"""`voxcycle export` and `voxcycle doctor`; what a command says that needs an extra."""

import shutil
import sys

import numpy as np
import pytest
import soundfile


def test_a_voice_is_exported_and_verified(run_cli, voice_path, make_speech, tmp_path):
    soundfile.write(tmp_path / "talk.wav", make_speech(2.0, 16_000), 16_000)
    code, out, _ = run_cli("export", voice_path, "-o", tmp_path / "unit")
    assert code == 0 and b"README.md" in out
    code, _, err = run_cli("export", "verify", tmp_path / "unit")
    assert code == 2 and "--recording" in err
    arguments = ("verify", tmp_path / "unit", "--recording", tmp_path / "talk.wav")
    code, _, err = run_cli("export", *arguments)
    assert code == 2 and "unknown voice 'unit'" in err
    assert run_cli("export", "heart", tmp_path / "unit")[0] == 2


def test_the_doctor_finds_everything_in_order(run_cli, monkeypatch, tmp_path):
    monkeypatch.setenv("VOXCYCLE_DATA", str(tmp_path))
    code, out, _ = run_cli("doctor")
    assert code == 0 and b"all is well" in out and b"emma, george, heart, michael" in out
    assert f"ffmpeg:       {shutil.which('ffmpeg') or 'not installed'}".encode() in out
    assert run_cli("doctor", "--quiet") == (0, b"", "")


def test_the_doctor_names_a_damaged_voice(run_cli, monkeypatch, tmp_path, voice_path):
    monkeypatch.setenv("VOXCYCLE_DATA", str(tmp_path))
    (tmp_path / "voices").mkdir()
    damaged = bytearray(voice_path.read_bytes())
    damaged[-100:-90] = bytes(np.arange(10, dtype=np.uint8))
    (tmp_path / "voices" / "ada.safetensors").write_bytes(damaged)
    code, out, err = run_cli("doctor", "--quiet")
    assert (code, out, err.count("\n")) == (2, b"", 1)
    assert "ada.safetensors: the weights do not match their checksum" in err


@pytest.mark.parametrize(
    ("command", "package", "extra"),
    [
        (("train", "--a", "x", "--b", "y"), "yaml", "train"),
        (("evaluate", "--voice", "heart", "--source", "x"), "torch", "eval"),
        (("images", "sample", "x.safetensors", "-o", "y.png"), "torch", "images"),
    ],
)
def test_a_command_names_the_extra_that_it_needs(run_cli, monkeypatch, command, package, extra):
    for name in [name for name in sys.modules if name.split(".")[0] in ("voxcycle", package)]:
        if name.split(".")[:2] != ["voxcycle", "cli"]:
            monkeypatch.delitem(sys.modules, name)
    monkeypatch.setitem(sys.modules, package, None)
    code, _, err = run_cli(*command)
    assert (
        code == 2 and f"whose package {package} is missing" in err and f"voxcycle[{extra}]" in err
    )
    assert err.count("\n") == 1


def test_a_device_that_is_not_there_is_one_sentence(run_cli, voice_path, tmp_path):
    code, _, err = run_cli("convert", tmp_path / "a.wav", "--to", voice_path, "--device", "cuda")
    assert code == 2 and "device cuda" in err and err.count("\n") == 1
