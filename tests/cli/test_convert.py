import contextlib
import io
import os
import re
import shutil
import subprocess
import sys
from dataclasses import replace
from types import SimpleNamespace

import numpy as np
import pytest
import soundfile

from voxcycle.conversion import task
from voxcycle.voices.library import find_voice

RATE = 16_000


@pytest.fixture
def source(tmp_path, make_speech):
    """Half a second of speech in a file with a space and letters beyond ASCII."""
    path = tmp_path / "my söurce.wav"
    soundfile.write(path, make_speech(0.5, RATE), RATE)
    return path


def test_one_command_one_file(convert, source):
    code, out, err = convert(source)
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
def test_options(convert, source, monkeypatch, arguments, name, rate, subtype):
    monkeypatch.chdir(source.parent)
    assert convert(source, *arguments)[0] == 0
    written = soundfile.info(source.parent / name)
    assert (written.samplerate, written.subtype, written.frames) == (rate, subtype, rate // 2)


def test_a_folder_tells_each_file_when_it_is_done(convert, source, monkeypatch, capfdbinary):
    said_before = []
    convert_file = task.convert_file

    def spy(*arguments, **options):
        said_before.append(capfdbinary.readouterr())
        return convert_file(*arguments, **options)

    (source.parent / "broken.wav").write_text("no audio")
    (source.parent / "zoë.wav").write_bytes(source.read_bytes())
    monkeypatch.setattr(task, "convert_file", spy)
    missing = source.with_name("missing.wav")
    code, out, err = convert(source.parent, missing, "-o", source.parent / "out")
    assert code == 2
    told = said_before[0].err.decode()
    assert told.startswith(f"error: {source.parent / 'broken.wav'}: ")
    assert f"error: {missing}: no such file" in told
    first = f"{source} -> {source.parent / 'out' / source.name}\n".encode()
    assert said_before[1].out == first
    assert out.decode().startswith(f"{source.parent / 'zoë.wav'} -> ")
    assert err.endswith("2 of 4 files were converted\n")
    assert (source.parent / "out" / source.name).exists()


def test_what_is_passed_over_in_a_folder_is_counted(convert, source, monkeypatch, tmp_path):
    monkeypatch.setenv("PATH", str(tmp_path / "nothing"))  # without ffmpeg
    for name in ("notes.txt", "cover.jpg", "call.m4a", "film.mp4"):
        (source.parent / name).write_bytes(b"x")
    code, out, err = convert(source.parent, "-o", tmp_path / "out")
    folder = source.parent
    assert code == 2
    assert f"note: {folder}: 2 files (.jpg, .txt) passed over: no audio\n" in out.decode()
    first, last = err.splitlines()
    assert first.startswith(
        f"error: {folder}: 2 files (.m4a, .mp4) passed over for want of ffmpeg:"
    )
    assert last == "1 of 2 files were converted"
    assert [path.name for path in (tmp_path / "out").glob("*.wav")] == [source.name]


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


def test_an_existing_output_is_kept(convert, source):
    target = source.with_name("my söurce.unit.wav")
    target.write_bytes(b"old")
    code, _, err = convert(source)
    assert code == 2 and "exists already" in err and "--overwrite" in err
    assert target.read_bytes() == b"old"
    assert convert(source, "--overwrite")[0] == 0 and soundfile.info(target).frames == RATE // 2


def test_stdin_to_stdout(convert, source, monkeypatch):
    monkeypatch.setattr(sys, "stdin", SimpleNamespace(buffer=io.BytesIO(source.read_bytes())))
    code, out, err = convert("-")
    assert code == 0 and err.startswith("voice unit, vocoder griffin-lim")
    samples, rate = soundfile.read(io.BytesIO(out))
    assert (len(samples), rate) == (RATE // 2, RATE)
    convert(source)
    converted, _ = soundfile.read(source.with_name("my söurce.unit.wav"))
    assert np.array_equal(samples, converted)


def test_empty_stdin_is_told(convert, monkeypatch):
    monkeypatch.setattr(sys, "stdin", SimpleNamespace(buffer=io.BytesIO()))
    code, out, err = convert("-")
    assert (code, out) == (2, b"")
    assert "error: standard input: the file is empty" in err


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["a.wav", "--pitch", "high"], "--pitch high: auto, keep, sing or a number"),
        (["-", "a.wav"], "- stands for one recording"),
        (["a.wav", "-o", "-", "--format", "flac"], "stdout carries wav only"),
        (["a.wav", "--sample-rate", "100"], "sample rate of 100 Hz"),
        (["a.wav", "--vocoder", "none"], "unknown vocoder 'none'"),
        (["a.wav", "--to", "nobody"], "unknown voice 'nobody'"),
    ],
)
def test_wrong_options_are_two(run_cli, voice_path, arguments, words):
    code, out, err = run_cli("convert", "--to", voice_path, *arguments)
    assert (code, out) == (2, b"")
    assert words in err and "Traceback" not in err


def test_start_up_imports_nothing_heavy():
    script = (
        "import sys, voxcycle, voxcycle.cli; "
        "print([m for m in ('torch', 'numpy', 'soundfile', 'librosa', 'lightning', 'rich.progress')"
        " if m in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True)
    assert (done.stdout.strip(), done.stderr) == ("[]", "")


def test_voices_are_listed_shown_and_added(run_cli, make_voice, voice_path, tmp_path, monkeypatch):
    monkeypatch.setenv("VOXCYCLE_DATA", str(tmp_path))
    calls = (("add", voice_path), (), ("show", "unit"))
    codes, outputs, _ = zip(*(run_cli("voices", *call) for call in calls), strict=True)
    assert codes == (0, 0, 0)
    added, listed, shown = (output.decode() for output in outputs)
    assert f"added as unit: {tmp_path / 'voices' / 'unit.safetensors'}" in added
    row = next(line for line in listed.splitlines() if line.startswith("unit "))
    assert "woman" in row and "not stated" in row and "anyone" in row
    assert "consent: not stated" in shown
    short, whole = (run_cli("voices", "show", "heart", *extra)[1] for extra in ((), ("--all",)))
    assert b"values (--all lists them)" in short and b"spectrum_width" not in short
    assert b"spectrum_width: 256" in whole and b"--all" not in whole
    voice = make_voice(name="many")
    card = replace(voice.card, training={"pretrained": {"speakers": ["anna"] * 30, "steps": 7}})
    replace(voice, card=card).save(path := tmp_path / "many.safetensors")
    short = run_cli("voices", "show", path)[1]
    assert b"speakers: 30 values (--all lists them)" in short and b"steps: 7" in short


def test_noise_is_removed_on_demand(convert, source):
    code, _, err = convert(source, "--denoise", "on", "-o", source.with_name("quiet.wav"))
    assert code == 0 and "was removed first" in err
    code, _, err = convert(source, "--denoise", "off", "-o", source.with_name("left.wav"))
    assert code == 0 and "was removed first" not in err
    code, _, err = convert(source, "--denoise", "perhaps", "-o", source.with_name("none.wav"))
    assert code == 2 and "auto, on or off" in err


def test_a_shipped_voice_is_not_added_again(run_cli, tmp_path, monkeypatch):
    monkeypatch.setenv("VOXCYCLE_DATA", str(tmp_path))
    copy = shutil.copy(find_voice("heart"), tmp_path / "copy.safetensors")
    code, out, _ = run_cli("voices", "add", copy)
    assert code == 0 and out.startswith(b"shipped already as heart: ")
    assert not (tmp_path / "voices").exists()


def test_names_of_files_and_folders_are_not_confused(convert, source):
    other, single = source.with_name("other.wav"), source.with_name("single.wav")
    other.write_bytes(source.read_bytes())
    code, _, err = convert(source, other, "-o", single)
    assert code == 2 and "single.wav: the name of one file, but" in err and not single.exists()
    code, _, err = convert(source, "-o", source / "out.wav")
    assert code == 2 and "my söurce.wav: expected a folder, found a file" in err
