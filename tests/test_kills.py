"""Kills at random moments: what is resumed ends with the bits of an undisturbed run."""

import json
import os
import random
import shutil
import signal
import subprocess
import sys
import time
from contextlib import suppress

import pytest
import torch

from voxcycle.conversion.manifest import Manifest
from voxcycle.voices.voice import Voice

N_KILLS = 20
# Kills itself at the n-th time that it opens, moves or removes something in a folder.
KILLED = """
import atexit, os, signal, sys

left, folder = int(sys.argv[1]), sys.argv[2]

def count(event, arguments):
    global left
    if event in ("open", "os.mkdir", "os.remove", "os.rename", "os.rmdir", "os.truncate"):
        left -= any(folder in str(argument) for argument in arguments)
        if left == 0:
            os.kill(os.getpid(), signal.SIGKILL)

if __name__ == "__main__":
    from voxcycle.cli import main

    left = left or -1
    atexit.register(lambda: print("events:", -left))
    sys.addaudithook(count)
    main(sys.argv[3:])
"""


@pytest.fixture
def run(tmp_path, monkeypatch):
    """Run a command, killed at its n-th event in a folder, or with its workers after a while."""
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    (tmp_path / "killed.py").write_text(KILLED)

    def run(command, folder, n=0, seconds=None):
        words = [sys.executable, tmp_path / "killed.py", n, folder, *command]
        with (tmp_path / "printed.txt").open("w+") as printed:
            process = subprocess.Popen(
                [str(word) for word in words],
                stdout=printed,
                stderr=subprocess.STDOUT,
                start_new_session=True,
                env=os.environ | {"VOXCYCLE_DATA": f"{folder}-data"},  # where voices are added
            )
            with suppress(subprocess.TimeoutExpired):
                process.wait(seconds)
            with suppress(ProcessLookupError):
                os.killpg(process.pid, signal.SIGKILL)
            code = process.wait()
        text = (tmp_path / "printed.txt").read_text()
        assert code in (0, -signal.SIGKILL), text
        return code == 0, text

    return run


class Batch:
    """Four recordings, two at a time."""

    def __init__(self, root, write_clips, voice_path):
        write_clips(root / "in", 4, 0.5)
        self.inputs, self.voice = root / "in", voice_path

    def begin(self, out, turn):
        pass

    def command(self, out):
        voice = ["--to", self.voice, "--vocoder", "griffin-lim"]
        return ["convert", self.inputs, *voice, "-o", out, "--jobs", 2]

    def read(self, out):
        rows = Manifest(out, out / "manifest.jsonl").rows.values()
        made = {path.name: path.read_bytes() for path in out.glob("*.wav")}
        assert sorted(row.output for row in rows if row.status == "ok") == sorted(made)
        return made


class Training:
    """A pair of small networks, with a checkpoint at every third step."""

    def __init__(self, root, write_clips, voice_path):
        for name, f0_hz in (("low", 110.0), ("high", 210.0)):
            write_clips(root / name, 6, 11.0, f0_hz)
        self.root = root

    def begin(self, out, turn):
        pass

    def command(self, out):
        small = ["width=16", "n_blocks=1", "discriminator_widths=[4,4,4,4]", "batch_size=2"]
        small += ["threads=1", "samples=0", "separates_pitch=false", "prepares=false"]
        small += ["from_scratch=true", "checkpoint_every=3", "log_every=1"]
        resume = ["--resume"] if (out / "last.ckpt").exists() else []
        folders = ["--a", self.root / "low", "--b", self.root / "high", "--out", out]
        return ["train", *folders, "--steps", 30, *resume, *small]

    def read(self, out):
        stored = torch.load(out / "last.ckpt", weights_only=True)
        tensors = stored["method"] | {f"ema.{key}": value for key, value in stored["ema"].items()}
        for name in ("low", "high"):
            weights = Voice.load(out / f"{name}.safetensors").generator.weights
            tensors |= {f"{name}.{k}": torch.from_numpy(v.copy()) for k, v in weights.items()}
        bits = {key: value.numpy().tobytes() for key, value in tensors.items()}
        return bits | {"steps": stored["steps_done"]}


class Prepare:
    """Clips of three recordings; each second folder holds those of an earlier call."""

    def __init__(self, root, write_clips, voice_path):
        write_clips(root / "in", 3, 4.0)
        write_clips(root / "other", 2, 4.0, 200.0)
        (root / "other" / "1.wav").rename(root / "other" / "older.wav")
        self.root, self.former = root, root / "former"

    def begin(self, out, turn):
        if turn % 2:
            shutil.copytree(self.former, out)

    def command(self, out):
        folder = "other" if out == self.former else "in"
        return ["prepare", self.root / folder, "-o", out, "--overwrite"]

    def read(self, out):
        bits = {str(path.relative_to(out)): path.read_bytes() for path in out.rglob("*.flac")}
        report = json.loads((out / "report.json").read_text())
        assert sorted(piece["file"] for piece in report["pieces"] if piece["file"]) == sorted(bits)
        return bits | {"report": report}


@pytest.mark.slow
@pytest.mark.parametrize("kind", [Batch, Training, Prepare])
def test_kills_change_nothing(kind, run, write_clips, voice_path, tmp_path):
    case, rng = kind(tmp_path, write_clips, voice_path), random.Random(kind.__name__)
    if kind is Prepare:
        run(case.command(case.former), case.former)
    whole, begun = tmp_path / "whole", time.monotonic()
    _, printed = run(case.command(whole), whole)
    seconds, n_events = time.monotonic() - begun, int(printed.rpartition("events:")[2])
    expected = case.read(whole)
    assert len(expected) > 3 and n_events > 8
    n_kills = turn = 0
    is_done = False
    while n_kills < N_KILLS or not is_done:
        out = tmp_path / f"killed-{turn}"
        if is_done or not turn:
            turn, out = turn + 1, tmp_path / f"killed-{turn + 1}"
            case.begin(out, turn)
        if n_kills == N_KILLS:
            limits = {}
        elif rng.random() < 0.5:
            limits = {"n": rng.randint(1, n_events)}
        else:
            limits = {"seconds": rng.uniform(0.2, 1) * seconds}
        is_done, _ = run(case.command(out), out, **limits)
        n_kills += not is_done
        if is_done:
            assert case.read(out) == expected
            assert not [*out.glob("**/.*.part")] and not [*tmp_path.glob(".*.part")]


def test_prepare_goes_on_where_it_was_killed_while_it_moved_clips(
    run, write_clips, voice_path, tmp_path
):
    """Three times: without --overwrite, as the clips that lie there are its own."""
    case, out = Prepare(tmp_path, write_clips, voice_path), tmp_path / "killed"
    command = case.command(out)[:-1]
    for n_events in (6, 7, 8):
        is_done, printed = run(command, out, n=n_events)
        assert not is_done, printed
        assert "former" in json.loads((out / "report.json").read_text())
    assert run(command, out)[0]
    run(case.command(tmp_path / "whole"), tmp_path / "whole")
    assert case.read(out) == case.read(tmp_path / "whole")
