import contextlib
import io
import os
import re
import subprocess
import sys
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
import soundfile

from voxcycle.cli import main
from voxcycle.conversion import batch
from voxcycle.voices.library import find_voice

RATE = 16_000


@pytest.fixture
def source(tmp_path, make_speech):
    """Half a second of speech in a file with a space and letters beyond ASCII."""
    path = tmp_path / "my söurce.wav"
    soundfile.write(path, make_speech(0.5, RATE), RATE)
    return path


@pytest.fixture
def run(voice_path, capsysbinary):
    """Run `voxcycle convert ...` with the test voice; returns (exit code, stdout, stderr)."""

    def run_convert(*arguments: object) -> tuple[int, bytes, str]:
        common = ["--to", str(voice_path), "--vocoder", "griffin-lim"]
        with pytest.raises(SystemExit) as caught:
            main(["convert", *map(str, arguments), *common])
        captured = capsysbinary.readouterr()
        return int(caught.value.code or 0), captured.out, captured.err.decode()

    return run_convert


def test_one_command_one_file(run, source):
    code, out, err = run(source)
    target = source.with_name("my söurce.unit.wav")
    assert (code, err) == (0, "")
    lines = out.decode().splitlines()
    assert lines[0] == "voice unit, vocoder griffin-lim"
    assert lines[1] == "the voice unit: licence and consent not stated"
    assert lines[2] == f"{source} -> {target}"
    assert soundfile.info(target).frames == RATE // 2


@pytest.mark.parametrize(
    ("arguments", "name", "rate", "subtype"),
    [
        (["-o", "out.flac"], "out.flac", RATE, "PCM_16"),
        (["-o", "new"], "new/my söurce.wav", RATE, "PCM_16"),
        (["--format", "ogg"], "my söurce.unit.ogg", RATE, "VORBIS"),
        (["--sample-rate", "44100", "--pitch", "-2"], "my söurce.unit.wav", 44_100, "PCM_16"),
        (["--pitch", "+1.5", "--file-stats"], "my söurce.unit.wav", RATE, "PCM_16"),
        (["--pitch", "keep", "--second-pass", "0.5"], "my söurce.unit.wav", RATE, "PCM_16"),
    ],
)
def test_options(run, source, monkeypatch, arguments, name, rate, subtype):
    monkeypatch.chdir(source.parent)
    assert run(source, *arguments)[0] == 0
    written = soundfile.info(source.parent / name)
    assert (written.samplerate, written.subtype, written.frames) == (rate, subtype, rate // 2)


def test_a_failure_among_several_is_two(run, source):
    missing = source.with_name("missing.wav")
    code, out, err = run(missing, source, "-o", source.parent / "out")
    assert code == 2
    assert f"error: {missing}: no such file" in err
    assert "1 of 2 files were converted" in err
    assert (source.parent / "out" / source.name).exists()


def test_a_folder_tells_each_file_when_it_is_done(run, source, monkeypatch, capsysbinary):
    said_before = []
    convert_planned = batch._convert_planned

    def spy(*arguments: Any, **options: Any) -> Any:
        said_before.append(capsysbinary.readouterr())
        return convert_planned(*arguments, **options)

    (source.parent / "broken.wav").write_text("no audio")
    (source.parent / "zoë.wav").write_bytes(source.read_bytes())
    monkeypatch.setattr(batch, "_convert_planned", spy)
    code, out, err = run(source.parent, "-o", source.parent / "out")
    assert code == 2
    assert said_before[1].err.startswith(f"error: {source.parent / 'broken.wav'}: ".encode())
    first = f"{source} -> {source.parent / 'out' / source.name}\n".encode()
    assert said_before[2].out == first
    assert out.decode().startswith(f"{source.parent / 'zoë.wav'} -> ")
    assert err == "2 of 3 files were converted\n"


@pytest.mark.skipif(sys.platform == "win32", reason="there are no pseudo-terminals")
def test_lines_go_above_the_bar_on_a_terminal(source, voice_path):
    import pty

    parent, child = pty.openpty()
    done = subprocess.Popen(
        [sys.executable, "-m", "voxcycle", "convert", source, "--to", voice_path]
        + ["--vocoder", "griffin-lim"],
        stdout=child,
        stderr=child,
        env=os.environ | {"TERM": "xterm", "COLUMNS": "300"},
    )
    os.close(child)
    written = b""
    with contextlib.suppress(OSError):  # the terminal is gone
        while block := os.read(parent, 1 << 16):
            written += block
    assert done.wait() == 0
    assert "converting" in written.decode() or "%" in written.decode()
    (line,) = [line for line in written.decode().split("\r\n") if " -> " in line]
    shown = re.sub(r"\x1b\[[0-9?]*[a-zA-Z]", "", line.rpartition("\x1b[2K")[2])
    assert shown == f"{source} -> {source.with_name('my söurce.unit.wav')}"


def test_an_existing_output_is_kept(run, source):
    assert run(source)[0] == 0
    code, _, err = run(source)
    assert code == 2 and "exists already" in err and "--overwrite" in err
    assert run(source, "--overwrite")[0] == 0


def test_stdin_to_stdout(run, source, monkeypatch):
    monkeypatch.setattr(sys, "stdin", SimpleNamespace(buffer=io.BytesIO(source.read_bytes())))
    code, out, err = run("-")
    assert code == 0 and err.startswith("voice unit, vocoder griffin-lim")
    samples, rate = soundfile.read(io.BytesIO(out))
    assert (len(samples), rate) == (RATE // 2, RATE)
    run(source)
    converted, _ = soundfile.read(source.with_name("my söurce.unit.wav"))
    assert np.array_equal(samples, converted)


def test_empty_stdin_is_told(run, monkeypatch):
    monkeypatch.setattr(sys, "stdin", SimpleNamespace(buffer=io.BytesIO()))
    code, out, err = run("-")
    assert (code, out) == (2, b"")
    assert "error: standard input: the file is empty" in err


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["a.wav", "--pitch", "high"], "--pitch high: auto, keep or a number"),
        (["-", "a.wav"], "- stands for one recording"),
        (["a.wav", "-o", "-", "--format", "flac"], "stdout carries wav only"),
        (["a.wav", "--sample-rate", "100"], "sample rate of 100 Hz"),
        (["a.wav", "--vocoder", "none"], "unknown vocoder 'none'"),
        (["a.wav", "--to", "nobody"], "unknown voice 'nobody'"),
    ],
)
def test_wrong_options_are_two(voice_path, capsys, arguments, words):
    with pytest.raises(SystemExit) as caught:
        main(["convert", "--to", str(voice_path), *arguments])
    captured = capsys.readouterr()
    assert caught.value.code == 2
    assert words in captured.err and "Traceback" not in captured.err
    assert captured.out == ""


def test_start_up_imports_nothing_heavy():
    script = (
        "import sys, voxcycle, voxcycle.cli; "
        "print([m for m in ('torch', 'numpy', 'soundfile', 'librosa', 'lightning', 'rich.progress')"
        " if m in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True)
    assert (done.stdout.strip(), done.stderr) == ("[]", "")


def test_voices_are_listed_shown_and_added(voice_path, tmp_path, monkeypatch, capsys):
    monkeypatch.setenv("VOXCYCLE_DATA", str(tmp_path))
    for arguments in (["add", str(voice_path)], [], ["show", "unit"]):
        with pytest.raises(SystemExit) as caught:
            main(["voices", *arguments])
        assert not caught.value.code
    out = capsys.readouterr().out
    assert f"added as unit: {tmp_path / 'voices' / 'unit.safetensors'}" in out
    row = next(line for line in out.splitlines() if line.startswith("unit "))
    assert "woman" in row and "not stated" in row and "anyone" in row
    assert "consent: not stated" in out


def test_a_shipped_voice_is_not_added_again(tmp_path, monkeypatch, capsys):
    monkeypatch.setenv("VOXCYCLE_DATA", str(tmp_path))
    copy = tmp_path / "copy.safetensors"
    copy.write_bytes(find_voice("heart").read_bytes())
    with pytest.raises(SystemExit) as caught:
        main(["voices", "add", str(copy)])
    assert not caught.value.code
    assert capsys.readouterr().out.startswith("shipped already as heart: ")
    assert not (tmp_path / "voices").exists()


def test_one_file_name_for_two_recordings_is_refused(source, run, tmp_path):
    other = tmp_path / "other.wav"
    other.write_bytes(source.read_bytes())
    code, _, err = run(source, other, "-o", tmp_path / "single.wav")
    assert code == 2 and "single.wav: the name of one file, but" in err
    assert not (tmp_path / "single.wav").exists()


def test_a_file_in_the_way_of_a_folder_is_named(source, run, tmp_path):
    code, _, err = run(source, "-o", source / "out.wav")
    assert code == 2 and "my söurce.wav: expected a folder, found a file" in err
