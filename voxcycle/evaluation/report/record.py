"""The result file of an evaluation: the summary of its scores and how they were made."""

import hashlib
import os
import re
import shlex
import subprocess
import sys
from collections.abc import Sequence
from datetime import date, datetime
from pathlib import Path

import voxcycle
from voxcycle.evaluation.report.results import ID, Bar, Result, Value, write_result
from voxcycle.evaluation.run import Evaluation
from voxcycle.evaluation.stats.scores import finite
from voxcycle.evaluation.stats.summary import Summary

N_DIGITS = 5  # decimals that are kept


def result_id(*names: str) -> str:
    """Return an ID made of names: lower-case letters, digits and hyphens."""
    return re.sub(r"[^a-z0-9]+", "-", "-".join(names).lower()).strip("-")


def check_result_path(path: Path) -> None:
    """Raise ValueError for a path whose name is not `ID.json`, before any work is done."""
    if path.suffix != ".json" or not re.fullmatch(ID, path.stem):
        raise ValueError(
            f"{path}: a result file is named ID.json, with lower-case letters, digits and single "
            "hyphens in its ID; choose another name"
        )


def record_evaluation(
    path: Path,
    evaluation: Evaluation,
    title: str,
    rows: list[dict[str, Value]] | None = None,
    bars: Sequence[Bar] = (),
) -> Path:
    """Write the result file of an evaluation by this process's command, and return its path.

    Args:
        path: `ID.json`, see `check_result_path`; an older file is replaced.
        evaluation: what was measured.
        title: one line for people.
        rows: default: those of the summary.
        bars: what has to hold.
    """
    about = evaluation.about
    training, machine = about["training"] or {}, about["machine"]
    result = Result(
        id=path.stem,
        title=title,
        status="current",
        rows=rows or [make_row(line) for line in evaluation.summary()],
        bars=list(bars),
        command=describe_command(),
        commit=describe_commit(),
        corpus_sha256=hash_corpus(evaluation),
        seed=training.get("seed"),
        steps=training.get("steps"),
        machine=f"{machine['cpu']}, threads: {machine['threads']}, "
        f"ONNX Runtime {machine['onnxruntime']}, Python {machine['python']}",
        wall_s=about["wall_s"],
        date=datetime.fromisoformat(about["date"]).date(),
        recorded="automatic",
        notes=[f"vocoder {about['vocoder']}, recogniser {about['asr']}", *evaluation.notes()],
    )
    return write_result(result, path.parent)


def record_benchmark(
    path: Path,
    title: str,
    rows: list[dict[str, Value]],
    *,
    machine: str,
    wall_s: float,
    notes: Sequence[str],
    bars: Sequence[Bar] = (),
    seed: int | None = None,
) -> Path:
    """Write the result file of what this process's command measured, and return its path.

    Args:
        path: `ID.json`, see `check_result_path`; an older file is replaced.
        title: one line for people.
        rows: the figures.
        machine: processor, threads and what else ran.
        wall_s: how long it took, in seconds.
        notes: what was measured on.
        bars: what has to hold.
        seed: of what was drawn.
    """
    result = Result(
        id=path.stem,
        title=title,
        status="current",
        rows=rows,
        bars=list(bars),
        command=describe_command(),
        commit=describe_commit(),
        corpus_sha256=None,
        seed=seed,
        steps=None,
        machine=machine,
        wall_s=round(wall_s, 1),
        date=date.today(),
        recorded="automatic",
        notes=list(notes),
    )
    return write_result(result, path.parent)


def make_row(line: Summary, **others: float) -> dict[str, Value]:
    """Return a line of the summary as a flat row, ends of intervals as `NAME_low`, `NAME_high`."""
    row = {key: value for key, value in line.to_dict().items() if key != "intervals"} | others
    for name, (low, high) in line.intervals.items():
        row |= {f"{name}_low": low, f"{name}_high": high}
    numbers = {k: finite(v) for k, v in row.items() if isinstance(v, float)}
    return row | {k: v if v is None else round(v, N_DIGITS) for k, v in numbers.items()}


def hash_corpus(evaluation: Evaluation) -> str:
    """Return the SHA-256 of the sorted hashes of all scored recordings."""
    hashes = {s.recording_sha256 for s in evaluation.scores if s.recording_sha256}
    return hashlib.sha256("\n".join(sorted(hashes)).encode()).hexdigest()


def describe_command() -> str:
    """Return the command line of this process, with `~` for the home folder."""
    script = Path(sys.argv[0])
    if script.suffix == ".py":
        root = Path(voxcycle.__file__).parents[1]
        path = script.absolute()
        start = ["python", str(path.relative_to(root) if path.is_relative_to(root) else path.name)]
    else:
        start = [script.name]
    return shlex.join([*start, *sys.argv[1:]]).replace(f"{os.path.expanduser('~')}/", "~/")


def describe_commit() -> str:
    """Return the commit of this package's clone, `-dirty` if it is changed; else the version."""
    folder = Path(voxcycle.__file__).parent
    try:
        for command in (
            "ls-files --error-unmatch __init__.py",
            "describe --always --dirty --exclude=*",
        ):
            done = subprocess.run(
                ["git", "-C", str(folder), *command.split()],
                check=True,
                capture_output=True,
                text=True,
            )
        return done.stdout.strip()
    except (OSError, subprocess.CalledProcessError):  # no git, or not a clone
        return f"voxcycle {voxcycle.__version__}"
