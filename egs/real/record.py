"""The result file of an evaluation on real speech."""

import datetime
import hashlib
import time
from collections.abc import Iterable
from pathlib import Path

from voxcycle.evaluation.report.record import describe_command, describe_commit
from voxcycle.evaluation.report.results import Result, Value, write_result
from voxcycle.evaluation.stats.cost import cpu_name

RESULTS = Path(__file__).parents[2] / "results"


def record(
    name: str,
    title: str,
    rows: list[dict[str, Value]],
    recordings: Iterable[Path],
    *,
    started: float,
    seed: int | None = None,
    steps: int | None = None,
    notes: list[str] | None = None,
) -> None:
    """Write `results/NAME.json`, with a hash over the recordings; `started` by `time.monotonic`."""
    digest = hashlib.sha256()
    for path in sorted(set(recordings)):
        digest.update(path.read_bytes())
    result = Result(
        id=name,
        title=title,
        status="current",
        rows=rows,
        command=describe_command(),
        commit=describe_commit(),
        corpus_sha256=digest.hexdigest(),
        seed=seed,
        steps=steps,
        machine=f"{cpu_name()}, threads: 1",
        wall_s=round(time.monotonic() - started, 1),
        date=datetime.date.today(),
        recorded="automatic",
        notes=notes or [],
    )
    write_result(result, RESULTS)
