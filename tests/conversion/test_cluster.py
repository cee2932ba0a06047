"""Batches on a real Ray with two workers on this machine."""

import contextlib
import json
import os
import shutil
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path

import pytest
import soundfile

from voxcycle.audio.io import AudioError
from voxcycle.conversion.batch import Batch
from voxcycle.conversion.options import Options
from voxcycle.conversion.work import Work

RATE = 16_000


@pytest.fixture(scope="module")
def cluster(tmp_path_factory):
    """Ray with two cores, as a program has it that calls the package; returns the address."""
    os.environ["RAY_USAGE_STATS_ENABLED"] = "0"
    import ray

    with contextlib.chdir(tmp_path_factory.mktemp("place")):  # the workers' folder, too
        ray.init("local", num_cpus=2, include_dashboard=False, log_to_driver=False)
        yield "auto"
        ray.shutdown()


@pytest.fixture(scope="module")
def talks(tmp_path_factory, make_speech):
    """A folder of eight recordings of two seconds."""
    folder = tmp_path_factory.mktemp("talks")
    for index in range(8):
        soundfile.write(folder / f"{index}.wav", make_speech(2.0, RATE, seed=index), RATE)
    return folder


def read_rows(out, status):
    """Return the ids of the rows of a status in the one manifest that is left."""
    assert [path.name for path in out.glob("manifest*")] == ["manifest.jsonl"]
    rows = [json.loads(line) for line in (out / "manifest.jsonl").read_text().splitlines()]
    return sorted(row["id"] for row in rows if row["status"] == status)


def read_outputs(out):
    assert not list(out.glob(".*.part"))
    return {path.name: path.read_bytes() for path in out.glob("*.wav")}


def find_workers(driver):
    """Return the processes of actors below a driver."""
    parents, titles = {}, {}
    for folder in Path("/proc").glob("[0-9]*"):
        try:
            stat, title = (folder / "stat").read_text(), (folder / "cmdline").read_bytes()
        except OSError:  # it ended
            continue
        parents[int(folder.name)] = int(stat.rpartition(")")[2].split()[1])
        titles[int(folder.name)] = title

    def is_below(pid):
        return pid == driver or (pid in parents and is_below(parents[pid]))

    return [pid for pid, title in titles.items() if b"MapWorker" in title and is_below(pid)]


def test_same_results_as_here(cluster, convert, recordings, tmp_path, monkeypatch):
    there, here = tmp_path / "there", tmp_path / "here"
    alone = convert(out=here)
    monkeypatch.chdir(tmp_path)
    done = convert(out=Path("there"), cluster=cluster, jobs=2)
    assert read_outputs(there) == read_outputs(here) != {}
    assert {name: r.output for name, r in done.items() if r.output} == {
        f"{index}.wav": Path(f"there/{index}.wav") for index in range(4)
    }
    assert done["silent.wav"].error == alone["silent.wav"].error is not None
    assert read_rows(there, "ok") == ["0.wav", "1.wav", "2.wav", "3.wav"]
    assert read_rows(there, "failed") == ["silent.wav"]
    (there / "2.wav").unlink()
    again = convert(out=there, cluster=cluster, jobs=2)
    assert [name for name, r in again.items() if not r.is_kept] == ["2.wav"]
    assert read_outputs(there) == read_outputs(here)


def test_same_results_in_a_store(cluster, convert, recordings, tmp_path):
    """A folder stands for the store, as fsspec has it."""
    alone = convert(out=tmp_path)
    shutil.copytree(recordings, "store/in")
    done = convert("local://store/in", "local://store/out", cluster=cluster, jobs=2)
    assert {name: r.error is None for name, r in done.items()} == {
        name: r.error is None for name, r in alone.items()
    }
    assert read_outputs(Path("store/out")) == read_outputs(tmp_path) != {}
    assert read_rows(Path("store/out"), "ok") == ["0.wav", "1.wav", "2.wav", "3.wav"]
    assert all(
        r.is_kept
        for r in convert("local://store/in", "local://store/out", cluster=cluster).values()
    )


def test_a_killed_worker_costs_nothing(cluster, convert, talks, tmp_path):
    killed, whole, dead = tmp_path / "killed", tmp_path / "whole", []

    def kill():
        while not list(killed.glob("manifest-part-*")):
            time.sleep(0.01)
        dead.append(find_workers(os.getpid())[0])
        os.kill(dead[0], signal.SIGKILL)

    thread = threading.Thread(target=kill)
    thread.start()
    done = convert(talks, killed, cluster=cluster, jobs=2)
    thread.join()
    assert dead and [r.error for r in done.values()] == [None] * 8
    convert(talks, whole)
    assert read_outputs(killed) == read_outputs(whole)
    assert read_rows(killed, "ok") == [f"{index}.wav" for index in range(8)]


@pytest.mark.slow
def test_a_killed_driver_goes_on(cluster, convert, talks, voice_path, tmp_path):
    killed, whole = tmp_path / "killed", tmp_path / "whole"
    command = [sys.executable, "-m", "voxcycle", "convert", talks, "--to", voice_path]
    command += ["-o", killed, "--cluster", "local", "--jobs", "2", "--vocoder", "griffin-lim"]
    with subprocess.Popen(command, stderr=subprocess.DEVNULL, stdout=subprocess.DEVNULL) as process:
        while process.poll() is None and not list(killed.glob("manifest-part-*")):
            time.sleep(0.01)
        process.kill()
    assert process.returncode == -signal.SIGKILL
    done = convert(talks, killed, cluster=cluster, jobs=2)
    assert any(r.is_kept for r in done.values())
    assert [r.error for r in done.values()] == [None] * 8
    convert(talks, whole)
    assert read_outputs(killed) == read_outputs(whole)
    assert set(read_rows(killed, "ok")) == {f"{index}.wav" for index in range(8)}


def test_what_a_cluster_needs(recordings, voice_path, tmp_path):
    work = Work(cluster="localhost:1")
    with pytest.raises(AudioError, match="a folder for them with -o"):
        Batch([recordings / "0.wav"], voice_path, None, options=Options(), work=work)
    with pytest.raises(ValueError, match="leave timeout and device"):
        Work(cluster="local", timeout_s=3.0)
    batch = Batch(
        [recordings],
        voice_path,
        tmp_path / "out",
        options=Options(),
        vocoder="griffin-lim",
        work=work,
    )
    with pytest.raises(AudioError, match="localhost:1: cannot be reached .Connection refused"):
        list(batch.run())
    assert not (tmp_path / "out").exists()
