import json
from types import SimpleNamespace

import torch

from voxcycle.training.records import LogLines, RegularSaves


def make_state(step):
    return SimpleNamespace(steps_done=step, logged={"a/loss": torch.tensor(0.5 * step)})


def read(path):
    return [json.loads(line) for line in path.read_text().splitlines()]


def test_every_nth_step_is_a_line(tmp_path):
    log = LogLines(tmp_path / "log.jsonl", every=2)
    for step in range(1, 7):
        log(make_state(step), None)
    lines = read(tmp_path / "log.jsonl")
    assert [(line["step"], line["a/loss"]) for line in lines] == [(2, 1.0), (4, 2.0), (6, 3.0)]
    assert all(set(line) == {"step", "seconds", "a/loss"} for line in lines)


def test_a_resumed_run_replaces_the_lines_after_its_checkpoint(tmp_path):
    path = tmp_path / "log.jsonl"
    first = LogLines(path, every=1)
    for step in range(1, 6):
        first(make_state(step), None)
    with path.open("a") as file:
        file.write('{"step": 6, "sec')  # cut by a kill
    again = LogLines(path, every=1)
    for step in (4, 5, 6):  # the checkpoint was of step 3
        again(make_state(step), None)
    assert [line["step"] for line in read(path)] == [1, 2, 3, 4, 5, 6]


def test_networks_are_saved_when_their_time_has_come(tmp_path):
    saved = []

    def save(state, path):
        saved.append((state.steps_done, path))

    often = RegularSaves(tmp_path / "a", save, seconds=0.0)
    never = RegularSaves(tmp_path / "b", save, seconds=1e9)
    for step in (1, 2):
        often(make_state(step), None)
        never(make_state(step), None)
    assert saved == [(1, tmp_path / "a"), (2, tmp_path / "a")]
