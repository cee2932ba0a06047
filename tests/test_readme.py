"""Every command and the Python example of the README run as written, trainings with a few steps."""

import os
import re
import shlex
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import soundfile
import torch

from voxcycle.cli import main
from voxcycle.evaluation.optional_deps import has_metrics
from voxcycle.images.image_files import write_image

README = (Path(__file__).parent.parent / "README.md").read_text(encoding="utf-8")
# What makes a training short: the README's own minutes give way to it.
SHORT = "--steps 2 width=16 n_blocks=1 samples=0 separates_pitch=false from_scratch=true".split()


def readme_commands():
    """Return the lines of the console blocks that call voxcycle, continuations joined."""
    blocks = re.findall(r"```console\n(.*?)```", README, re.DOTALL)
    lines = "\n".join(blocks).replace("\\\n", " ").splitlines()
    stripped = [re.sub(r"^(\$ )?(\.venv/bin/)?", "", line).split(" #")[0].strip() for line in lines]
    return [line for line in stripped if line.startswith("voxcycle ")]


@pytest.fixture
def workplace(tmp_path, monkeypatch, make_speech, write_clips):
    """A folder with the files that the README speaks of."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("VOXCYCLE_DATA", str(tmp_path / "data"))
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    speech = make_speech(1.2, 16_000)
    for name in ("talk.wav", "talk.mp3", "call.mp3", "anna-talk.wav", "recording.wav"):
        soundfile.write(tmp_path / name, speech, 16_000)
    (tmp_path / "interviews" / "monday").mkdir(parents=True)
    soundfile.write(tmp_path / "interviews" / "monday" / "one.flac", speech, 16_000)
    for index in range(3):
        image = torch.full((3, 40, 36), index / 2)
        write_image(tmp_path / "photos" / f"{index}.png", image)
    for name, f0_hz in (("anna", 200.0), ("ben", 110.0)):
        spoken = [make_speech(10.5, 16_000, f0_hz, seed=index) for index in range(6)]
        pause = np.zeros(24_000, np.float32)
        (tmp_path / "tapes" / name).mkdir(parents=True)
        tape = np.concatenate([part for sentence in spoken for part in (sentence, pause)])
        soundfile.write(tmp_path / "tapes" / name / "tape.wav", tape, 16_000)
        write_clips(tmp_path / "recordings" / name, 6 if name == "ben" else 0, 10.5, f0_hz)
        write_clips(tmp_path / "clips" / name, 2, 1.6, f0_hz)
    return tmp_path


def run(command, folder):
    """Run one line: in this process, or in a shell where it redirects."""
    if command.startswith("voxcycle train"):
        command = re.sub(r"--minutes \S+", "", command) + " " + shlex.join(SHORT)
    if command.startswith("voxcycle images train"):
        command += " --steps 2 batch_size=2 width=2"
    if not set("<>|") & set(command):
        with pytest.raises(SystemExit) as left:
            main(shlex.split(command)[1:])
        assert left.value.code == 0, command
        return
    command = command.replace("voxcycle ", f"{shlex.quote(sys.executable)} -m voxcycle ", 1)
    done = subprocess.run(
        command, shell=True, cwd=folder, capture_output=True, text=True, env=dict(os.environ)
    )
    assert done.returncode == 0, f"{command}\n{done.stdout}\n{done.stderr}"


def test_the_readme_has_the_commands_that_matter():
    commands = readme_commands()
    named = {command.split()[1] for command in commands}
    assert named - {"serve"} == {  # which has tests of its own, in tests/web
        "clone",
        "convert",
        "evaluate",
        "export",
        "images",
        "prepare",
        "train",
        "voices",
    }
    assert len(commands) >= 9


def test_every_command_runs(workplace):
    for command in readme_commands():
        if command.startswith("voxcycle evaluate") and not has_metrics():
            continue
        if command.startswith("voxcycle serve"):  # it does not end by itself
            continue
        if "add ben.safetensors" in command:  # the voice that the training before it made
            made = next(workplace.glob("runs/*/ben.safetensors"))
            (workplace / "ben.safetensors").write_bytes(made.read_bytes())
        run(command, workplace)
    duration_s = soundfile.info(workplace / "talk.wav").duration
    assert soundfile.info(workplace / "talk.heart.wav").duration == duration_s
    assert soundfile.info(workplace / "out.flac").format == "FLAC"
    assert soundfile.info(workplace / "out.wav").duration == duration_s
    assert (workplace / "converted" / "monday" / "one.flac").exists()
    assert (workplace / "anna-talk.ben.wav").exists()
    assert (workplace / "new.png").exists()
    assert (workplace / "heart-onnx" / "generator.onnx").exists()
    if has_metrics():
        assert (workplace / "report" / "report.html").exists()


def test_the_python_example_runs(workplace):
    (example,) = re.findall(r"```python\n(.*?)```", README, re.DOTALL)
    names: dict[str, Any] = {}
    exec(compile(example, "README.md", "exec"), names)
    source, result = soundfile.info("talk.wav"), names["result"]
    assert (result.waveform.shape, result.sample_rate) == ((source.frames,), source.samplerate)
    made = sorted(p.name for p in (workplace / "converted").glob("*.wav"))
    assert made == ["call.wav", "talk.wav"]
