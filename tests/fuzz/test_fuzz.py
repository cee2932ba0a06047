"""Hostile input, in the slow test for a minute; `run.py` says what is tried and what is wrong."""

import json
import random
import subprocess
import sys
from pathlib import Path

import pytest

RUN = Path(__file__).with_name("run.py")


@pytest.mark.parametrize("n_tried", [8_000, pytest.param(40_000, marks=pytest.mark.slow)])
def test_hostile_input_is_read_or_refused(n_tried, tmp_path):
    command = [sys.executable, str(RUN), "--state", str(tmp_path), "--count", str(n_tried)]
    done = subprocess.run(command, capture_output=True, text=True, errors="replace")
    rows = [line.split() for line in done.stdout.splitlines() if " per_second " in line]
    assert done.returncode == 0, done.stdout[-3000:] + done.stderr[-3000:]
    counts = {name: (int(n_inputs), int(n_read)) for name, _, n_inputs, _, n_read, *_ in rows}
    assert len(counts) >= 11 and sum(n for n, _ in counts.values()) >= 0.99 * n_tried
    for name, (n_inputs, n_read) in counts.items():  # both outcomes occur
        assert 0 < n_read and (n_read < n_inputs or name == "manifest"), name


@pytest.fixture
def targets(monkeypatch):
    """The modules beside this file."""
    monkeypatch.syspath_prepend(str(RUN.parent))
    import targets

    yield targets
    for name in ("targets", "mutations"):
        del sys.modules[name]


def test_what_is_wrong(targets, tmp_path):
    def judge(error):
        def read(_):
            raise error

        target = targets.Target(lambda data, *_: data, read, (ValueError,), 1)
        return targets.try_input(target, targets.Trial(b"", "a", tmp_path, random.Random(0)))

    assert judge(ValueError("a sentence")) == (False, "")
    assert judge(ValueError(""))[1].startswith("no sentence")
    for error in (KeyError("a"), UnicodeDecodeError("utf-8", b"", 0, 1, "a"), MemoryError()):
        assert judge(error) == (False, error)


def test_an_input_is_a_function_of_seed_and_index(targets):
    seeds = {
        "lists": [b'{"path": "a.wav", "id": "x"}\n{"path": "b"}\n'],
        "config": [b"a: x\nb: y\n"],
        "audio": [b"RIFF\0\0\0\0WAVEfmt "],
    }
    for name, own in seeds.items():
        made = [
            [targets.TARGETS[name].change(own[0], own, random.Random(i)) for i in range(200)]
            for _ in range(2)
        ]
        assert made[0] == made[1] and len(set(made[0])) > 100


def test_odd_values_stay_what_they_are(targets):
    """A document that takes one in and is changed again must not change it."""
    mutations = targets.mutations
    before = repr(mutations.ODD_VALUES)
    for i in range(3000):
        mutations.write_json(mutations.change_json({"a": [1, 2], "b": {"c": 3}}, random.Random(i)))
    assert repr(mutations.ODD_VALUES) == before


def test_sealed_pages_are_those_of_the_encoder(targets, tmp_path):
    import numpy as np
    import soundfile

    soundfile.write(path := tmp_path / "a.ogg", np.zeros(8000), 8000)
    assert targets.mutations.seal_ogg(path.read_bytes()) == path.read_bytes()


def test_parts_of_a_damaged_ogg_are_read_or_refused(targets, tmp_path, make_speech):
    """libsndfile crashes where it seeks in a file of which libvorbis decodes nothing."""
    import soundfile

    soundfile.write(path := tmp_path / "a.ogg", make_speech(1.0, 8000), 8000)
    data = bytearray(path.read_bytes())
    place = data.index(b"\x05vorbis") + 20  # in the first codebook
    data[place : place + 2] = b"\0\1"
    path.write_bytes(targets.mutations.seal_ogg(bytes(data)))
    program = (
        "import sys; from pathlib import Path; from voxcycle.audio.io import FileSource;"
        "source = FileSource(Path(sys.argv[1]));"
        "print([sum(map(len, source.blocks(start))) for start in (0, 1, 700)])"
    )
    command = [sys.executable, "-c", program, str(path)]
    done = subprocess.run(command, capture_output=True, text=True, timeout=120)
    assert done.stdout == "[0, 0, 0]\n", (done.returncode, done.stderr)


def test_what_was_wrong_is_tried_again(tmp_path):
    """A log says that input 3 hung: it does not."""
    report = {"target": "config", "count": 5, "read": 5, "failures": {"3": "more than 10 s"}}
    report |= {"slowest_s": 10.0, "seconds": 9.0, "memory_mb": 90}
    (tmp_path / "log.jsonl").write_text(json.dumps(report) + "\n")
    command = [sys.executable, str(RUN), "--state", str(tmp_path), "--count", "5"]
    done = subprocess.run(command, capture_output=True, text=True)
    (row,) = (line.split() for line in done.stdout.splitlines() if " per_second " in line)
    assert done.returncode == 0 and "config:3 (more than 10 s)" in done.stdout
    assert row[:3] == ["config", "inputs", "5"] and float(row[row.index("slowest_cpu_s") + 1]) < 10
    assert not json.loads((tmp_path / "log.jsonl").read_text())["failures"]
