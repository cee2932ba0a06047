"""A batch that is run again, stopped, shared and broken."""

import json
import os
import re
import shutil
import signal
import subprocess
import sys
import time
from dataclasses import asdict

import pytest

from voxcycle.audio.io import AudioError
from voxcycle.conversion.batch import Batch
from voxcycle.conversion.manifest import Manifest, Row, open_manifest
from voxcycle.conversion.options import Options
from voxcycle.conversion.work import Work
from voxcycle.conversion.workers import Lost, run_tasks

RATE = 16_000


def read_rows(out):
    return [json.loads(line) for line in (out / "manifest.jsonl").read_text().splitlines()]


def test_the_same_call_again_converts_what_is_left(convert, recordings, tmp_path):
    out = tmp_path / "out"
    first = convert()
    assert [r.is_kept for r in first.values()] == [False] * 5
    bits = {p.name: p.read_bytes() for p in out.glob("*.wav")}
    (out / "1.wav").unlink()
    (out / "2.wav").write_bytes(b"torn")
    again = convert()
    made = [name for name, r in again.items() if not r.is_kept]
    assert made == ["1.wav", "2.wav"]
    assert {p.name: p.read_bytes() for p in out.glob("*.wav")} == bits
    error = first["silent.wav"].error
    assert error is not None and again["silent.wav"].error == error
    rows = read_rows(out)
    assert [r["status"] for r in rows].count("ok") == 6
    done = next(r for r in rows if r["status"] == "ok" and r["id"] == "0.wav")
    assert done["source"] == str(recordings / "0.wav") and done["output"] == "0.wav"
    assert (done["seconds"], done["n_samples"], done["sample_rate"]) == (0.5, RATE // 2, RATE)
    assert re.fullmatch("[0-9a-f]{64}", done["output_sha256"]) and done["version"]


def test_what_failed_is_tried_again_on_request_or_when_it_changed(convert, recordings, tmp_path):
    folder = tmp_path / "in"
    shutil.copytree(recordings, folder)
    convert(folder)
    assert convert(folder)["silent.wav"].is_kept
    assert not convert(folder, retry_failed=True)["silent.wav"].is_kept
    shutil.copy(folder / "0.wav", folder / "silent.wav")
    assert convert(folder)["silent.wav"].error is None


def test_other_options_and_changed_recordings_count_anew(convert, recordings, tmp_path):
    folder = tmp_path / "in"
    shutil.copytree(recordings, folder)
    convert(folder)
    os.utime(folder / "0.wav", ns=(0, 0))  # also a clock that jumps back
    assert [n for n, r in convert(folder).items() if not r.is_kept] == ["0.wav"]
    changed = convert(folder, pitch=3.0)
    assert [n for n, r in changed.items() if not r.is_kept] == [*changed]


def test_hashes_are_compared_on_request(convert, tmp_path):
    convert()
    path = tmp_path / "out" / "0.wav"
    data = bytearray(path.read_bytes())
    data[-1] ^= 1
    path.write_bytes(data)
    assert convert()["0.wav"].is_kept
    assert not convert(verifies=True)["0.wav"].is_kept


def test_files_of_others_are_not_replaced(convert, tmp_path):
    (tmp_path / "out").mkdir()
    (tmp_path / "out" / "0.wav").write_bytes(b"mine")
    assert "exists already" in (convert()["0.wav"].error or "")
    assert (tmp_path / "out" / "0.wav").read_bytes() == b"mine"


def test_a_torn_row_and_a_torn_file_are_made_good(convert, tmp_path):
    out = tmp_path / "out"
    convert()
    lines = (out / "manifest.jsonl").read_text().splitlines()
    # Killed after it had begun 3.wav, which is there, and while it wrote the row of 2.wav.
    kept = [line for line in lines if '"3.wav"' not in line or '"started"' in line]
    torn = next(line for line in kept if '"2.wav"' in line and '"ok"' in line)
    kept.remove(torn)
    (out / "manifest.jsonl").write_text("\n".join([*kept, "not json", torn[:80]]))
    leftover = out / ".3.wav.0.part"
    assert [n for n, r in convert().items() if not r.is_kept] == ["2.wav", "3.wav"]
    assert not leftover.exists() and not list(out.glob(".*.part"))
    assert [n for n, r in convert().items() if not r.is_kept] == []


def test_shards_share_a_folder(convert, tmp_path):
    halves = [convert(shard=(index, 2)) for index in (1, 2)]
    names = sorted(name for half in halves for name in half)
    assert names == ["0.wav", "1.wav", "2.wav", "3.wav", "silent.wav"] and all(halves)
    assert all(result.is_kept for result in convert().values())
    with pytest.raises(ValueError, match="1/2 to 2/2"):
        Work(shard=(0, 2))


def test_the_batch_stops_at_many_failures(convert, tmp_path):
    with pytest.raises(AudioError, match="--max-failures"):
        convert(max_failures=1)


def test_one_process_at_a_time(convert, tmp_path):
    out = tmp_path / "out"
    with open_manifest(out), pytest.raises(AudioError, match="another process"):
        convert()
    assert convert()["0.wav"].error is None


def test_voices_have_folders_and_chance_knows_speakers(recordings, tmp_path):
    out = tmp_path / "out"
    source = recordings / "0.wav"
    both = Batch([recordings], "heart,michael", out, options=Options())
    assert {(r.voice, r.folder) for r in both.roles} == {
        ("heart", out / "heart"),
        ("michael", out / "michael"),
    }
    for name in ("a", "b", "c", "d"):
        (tmp_path / "in" / name).mkdir(parents=True)
        for index in range(2):
            shutil.copy(source, tmp_path / "in" / name / f"{index}.wav")
    drawn = [
        {
            r.utterance.id: r.voice
            for r in Batch([tmp_path / "in"], to, out, options=Options()).roles
        }
        for to in ("random:1", "random:1", "random:2")
    ]
    assert drawn[0] == drawn[1] != drawn[2]
    assert all(drawn[0][f"{n}/0.wav"] == drawn[0][f"{n}/1.wav"] for n in "abcd")


def work_or_die(task):
    """Die, hang or double a number."""
    if task == "die" or (task == "die once" and not os.path.exists(os.environ["MARKER"])):
        open(os.environ["MARKER"], "w").close()
        os.kill(os.getpid(), signal.SIGKILL)
    if task == "hang":
        time.sleep(60)
    return task * 2


def test_a_lost_process_costs_its_task_alone(tmp_path, monkeypatch):
    monkeypatch.setenv("MARKER", str(tmp_path / "marker"))
    tasks = ["a", "die", "b", "hang", "c", "d"]
    begun = []
    done = dict(run_tasks(work_or_die, tasks, n_workers=2, timeout_s=3, begin=begun.append))
    assert sorted(begun) == sorted(tasks) == sorted(done)
    assert [done[name] for name in "abcd"] == ["aa", "bb", "cc", "dd"]
    lost = done["die"]
    assert isinstance(lost, Lost) and "died (exit code -9)" in lost.reason and not lost.is_late
    assert isinstance(done["hang"], Lost) and done["hang"].is_late


def test_a_killed_batch_goes_on_with_the_same_bits(recordings, voice_path, tmp_path, convert):
    """Killed at three moments, with its workers or without them."""
    out, whole = tmp_path / "killed", tmp_path / "whole"
    convert(out=whole)
    command = [sys.executable, "-m", "voxcycle", "convert", recordings, "--to", voice_path]
    command += ["-o", out, "--jobs", "2", "--vocoder", "griffin-lim"]
    for n_ok in (0, 1, 3):
        process = subprocess.Popen(command, stderr=subprocess.DEVNULL, stdout=subprocess.DEVNULL)
        path = out / "manifest.jsonl"
        while process.poll() is None:
            text = path.read_text() if path.exists() else ""
            if '"started"' in text and text.count('"ok"') >= n_ok:
                process.kill()
                break
            time.sleep(0.005)
        process.wait()
    convert(out=out, jobs=2)
    assert not list(out.glob(".*.part"))
    names = sorted(p.name for p in out.glob("*.wav"))
    assert names == sorted(p.name for p in whole.glob("*.wav")) != []
    for name in names:
        assert (out / name).read_bytes() == (whole / name).read_bytes()
    rows = Manifest(out, out / "manifest.jsonl").rows.values()
    assert sorted(r.output for r in rows if r.status == "ok") == names


@pytest.mark.parametrize("output", ["/etc/passwd", "../../up.wav", "zero\0.wav", "half\ud800.wav"])
def test_hostile_rows_are_passed_over(tmp_path, output):
    rows = [Row("one", "unit", output=output), Row("two", "unit", output="sub/two.wav")]
    lines = ["[" * 10**6, "9" * 5000, *(json.dumps(asdict(row)) for row in rows)]
    path = tmp_path / "manifest.jsonl"
    path.write_text("\n".join(lines) + "\n")
    assert Manifest(tmp_path, path).rows == {("two", "unit"): rows[1]}
