"""`voxcycle export` and `voxcycle doctor`."""

import numpy as np
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


def test_the_doctor_names_a_damaged_voice(run_cli, monkeypatch, tmp_path, voice_path):
    monkeypatch.setenv("VOXCYCLE_DATA", str(tmp_path))
    (tmp_path / "voices").mkdir()
    damaged = bytearray(voice_path.read_bytes())
    damaged[-100:-90] = bytes(np.arange(10, dtype=np.uint8))
    (tmp_path / "voices" / "ada.safetensors").write_bytes(damaged)
    code, _, err = run_cli("doctor")
    assert code == 2 and "ada.safetensors: the weights do not match their checksum" in err
