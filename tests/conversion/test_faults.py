"""Batches that meet full disks, read-only folders, changed inputs, other processes and clocks."""

import json
import os
import shutil
import signal
import subprocess
import sys

import numpy as np
import pytest
import soundfile

from voxcycle.audio.io import AudioError
from voxcycle.audio.output import FORMATS, AudioFormat, WriteError, write_audio
from voxcycle.cli import main
from voxcycle.conversion.batch import Batch
from voxcycle.conversion.manifest import Manifest, Row, open_manifest, read_rows, write_rows
from voxcycle.conversion.options import Options

RATE = 16_000
# Runs a command once for every size that files may have, and prints sizes and exit codes.
LIMITED = """
import resource, sys
from voxcycle.cli import main

for size in sys.argv[1].split():
    resource.setrlimit(resource.RLIMIT_FSIZE, (int(size), resource.RLIM_INFINITY))
    print("size", size, file=sys.stderr, flush=True)
    try:
        main([word.replace("SIZE", size) for word in sys.argv[2:]])
    except SystemExit as left:
        print("code", left.code, file=sys.stderr, flush=True)
"""


@pytest.fixture
def limited():
    """Let this process write files of so many bytes, until the test ends."""
    resource = pytest.importorskip("resource")
    _, most = resource.getrlimit(resource.RLIMIT_FSIZE)

    def limit(n_bytes=most):
        resource.setrlimit(resource.RLIMIT_FSIZE, (n_bytes, most))

    yield limit
    limit()


@pytest.mark.parametrize("extension", FORMATS)
def test_a_full_disk_is_an_error_in_every_format(extension, limited, tmp_path):
    noise = np.random.default_rng(0).uniform(-0.5, 0.5, RATE).astype(np.float32)
    audio_format = AudioFormat(extension, *FORMATS[extension])
    path, tags = tmp_path / f"noise.{extension}", {"title": "noise"}
    write_audio(path, [noise], RATE, audio_format=audio_format, tags=tags)
    n_bytes = path.stat().st_size
    path.write_bytes(b"former")
    for room in (10, n_bytes // 3, n_bytes - 100, n_bytes - 1):
        limited(room)
        with pytest.raises(WriteError, match="File too large.*that the disk has room"):
            write_audio(path, [noise], RATE, audio_format=audio_format, tags=tags)
        limited()
        assert path.read_bytes() == b"former" and [*tmp_path.iterdir()] == [path]


def test_a_batch_on_a_full_disk_goes_on_when_there_is_room(
    recordings, voice_path, convert, tmp_path
):
    """The disk is full at the manifest, at outputs, and at the list that is written again."""
    pytest.importorskip("resource")
    text = "a word " * 5_000
    listed = tmp_path / "list.csv"
    listed.write_text(f"path,text\n{recordings}/0.wav,{text}\n{recordings}/1.wav,{text}\n")
    whole = {n: r.output.read_bytes() for n, r in convert(listed, tmp_path / "whole").items()}
    sizes = {  # in bytes: an output has 16,044, the list more
        1_000: ["manifest.jsonl: File too large"],  # it has a row, and there is no output
        5_000: ["0.wav: cannot be written", "1.wav: cannot be written"],
        20_000: ["list.csv: File too large"],
    }
    command = ["convert", listed, "--to", voice_path, "--vocoder", "griffin-lim"]
    words = [sys.executable, "-c", LIMITED, " ".join(map(str, sizes)), *command, "-o", "SIZE"]
    done = subprocess.run(list(map(str, words)), cwd=tmp_path, capture_output=True, text=True)
    for part in done.stderr.split("size ")[1:]:
        size, *lines = part.splitlines()
        errors = [line for line in lines if line.startswith("error: ")]
        expected = [f"error: {size}/{start}" for start in sizes.pop(int(size))]
        assert len(errors) == len(expected), errors
        assert all(map(str.startswith, errors, expected)), errors
        assert lines[-1] == "code 2" and "Traceback" not in part
        out = tmp_path / size
        for path in out.iterdir():  # nothing is half-written
            assert path.name.endswith((".lock", "manifest.jsonl")) or (
                path.read_bytes() == whole[path.name]
            )
        for line in (out / "manifest.jsonl").read_text().splitlines() if errors[1:] else ():
            assert json.loads(line)["status"] in ("started", "stopped")
        again = convert(listed, out)
        assert {n: r.output.read_bytes() for n, r in again.items()} == whole
        assert {r.is_kept for r in again.values()} == {size == "20000"}
        assert (out / "list.csv").read_text().count(text) == 2
    assert not sizes, done.stderr


def test_a_full_disk_is_one_sentence_of_any_command(
    limited, voice_path, tmp_path, monkeypatch, capsys
):
    monkeypatch.setenv("VOXCYCLE_DATA", str(tmp_path))
    limited(1_000)
    with pytest.raises(SystemExit) as left:
        main(["voices", "add", str(voice_path)])
    limited()
    assert left.value.code == 2 and not [p for p in tmp_path.rglob("*") if p.is_file()]
    assert capsys.readouterr().err == (
        f"error: {tmp_path}/voices/unit.safetensors: File too large; name a disk that takes files "
        "of this size\n"
    )


def test_a_row_is_in_the_manifest_whole_or_not_at_all(limited, tmp_path):
    path = tmp_path / "manifest.jsonl"
    write_rows(path, [Row("a", "heart")])
    before = path.read_bytes()
    limited(len(before) + 100)
    with pytest.raises(OSError, match="File too large"):
        write_rows(path, [Row("b", "heart")])
    limited()
    assert path.read_bytes() == before
    write_rows(path, [Row("b", "heart")])
    assert [*read_rows(path)] == [("a", "heart"), ("b", "heart")]


def test_a_read_only_folder_is_one_sentence(recordings, voice_path, tmp_path):
    obey: list[str] = []
    if hasattr(os, "getuid") and os.getuid() == 0:  # who must obey permissions for once
        obey = ["setpriv", "--bounding-set", "-dac_override", "--inh-caps", "-dac_override"]
        if not shutil.which("setpriv") or subprocess.run([*obey, "true"]).returncode:
            pytest.skip("root needs setpriv to obey permissions")
    out = tmp_path / "out"
    out.mkdir(mode=0o555)
    command = [sys.executable, "-m", "voxcycle", "convert", recordings, "--to", voice_path]
    words = [*obey, *map(str, command), "-o", str(out)]
    done = subprocess.run(words, capture_output=True, text=True)
    assert done.returncode == 2 and not [*out.iterdir()]
    assert done.stderr == (
        f"error: {out}: cannot be written: Permission denied; when that is mended, the same "
        "command goes on\n"
    )


def test_inputs_that_vanish_or_change_after_planning(recordings, voice_path, convert, tmp_path):
    folder, out = tmp_path / "in", tmp_path / "out"
    shutil.copytree(recordings, folder)
    batch = Batch([folder], voice_path, out, options=Options(), vocoder="griffin-lim")
    run = batch.run()
    assert next(run)[1].error is None  # all are planned by now
    (folder / "1.wav").rename(tmp_path / "1.wav")
    samples, _ = soundfile.read(folder / "2.wav")
    soundfile.write(folder / "2.wav", np.concatenate([samples, samples]), RATE)
    done = {result.source.name: result for _, result in run}
    assert done["1.wav"].error == f"{folder}/1.wav: no such file; check the path"
    assert done["2.wav"].error is None and done["3.wav"].error is None
    assert soundfile.info(out / "2.wav").frames == RATE
    statuses = {r.id: r.status for r in Manifest(out, out / "manifest.jsonl").rows.values()}
    assert (statuses["1.wav"], statuses["silent.wav"]) == ("stopped", "failed")
    (tmp_path / "1.wav").rename(folder / "1.wav")  # as old as it was
    again = convert(folder)
    assert [name for name, r in again.items() if not r.is_kept] == ["1.wav"]
    assert again["1.wav"].error is None


def test_an_output_of_a_former_version_is_replaced_after_a_failure(recordings, convert, tmp_path):
    folder = tmp_path / "in"
    folder.mkdir()
    shutil.copy(recordings / "0.wav", folder)
    convert(folder)
    shutil.copy(recordings / "silent.wav", folder / "0.wav")
    assert convert(folder)["0.wav"].error
    shutil.copy(recordings / "1.wav", folder / "0.wav")
    assert convert(folder)["0.wav"].error is None


def test_a_clock_that_jumps_back_changes_nothing(convert, tmp_path):
    """The rows of a shard lie in the future; those that a whole run adds count all the same."""
    convert(shard=(1, 1))
    path = tmp_path / "out" / "manifest-1-of-1.jsonl"
    rows = [json.loads(line) for line in path.read_text().splitlines()]
    path.write_text("".join(json.dumps(r | {"time": "2999-01-01T00:00:00Z"}) + "\n" for r in rows))
    made = {name: [r.is_kept for r in convert(pitch=p).values()] for name, p in [("other", 3.0)]}
    assert made["other"] == [False] * 5
    assert [r.is_kept for r in convert(pitch=3.0).values()] == [True] * 5
    assert [r.is_kept for r in convert().values()] == [False] * 5


def test_shards_and_a_whole_run_exclude_one_another(tmp_path):
    for first, second in [((1, 2), None), (None, (1, 2)), ((1, 2), (1, 2))]:
        with open_manifest(tmp_path / "out", first), pytest.raises(AudioError, match="another"):
            with open_manifest(tmp_path / "out", second):
                pass
    with open_manifest(tmp_path / "out", (1, 2)), open_manifest(tmp_path / "out", (2, 2)):
        pass


def test_workers_end_with_a_killed_process():
    script = "import time\nfrom voxcycle.conversion.workers import run_tasks\n"
    script += "for _ in run_tasks(time.sleep, [3600.0] * 2, n_workers=2, begin=print): pass"
    process = subprocess.Popen(
        [sys.executable, "-u", "-c", script], stdout=subprocess.PIPE, start_new_session=True
    )
    assert process.stdout is not None
    assert [process.stdout.readline() for _ in range(2)] == [b"3600.0\n"] * 2  # both work
    process.send_signal(signal.SIGKILL)
    try:
        # The pipe ends when no process holds it any more; the tasks would take an hour.
        assert process.communicate(timeout=60) == (b"", None)
    finally:
        if process.returncode is None:
            os.killpg(process.pid, signal.SIGKILL)
