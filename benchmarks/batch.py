"""Throughput of a batch, and what it takes to plan a large one.

    python benchmarks/batch.py RECORDING [--files 60] [--result ID]

Converts FILES recordings of twelve seconds by one process of one thread, the baseline, and by two;
start-up included, median of three. What the machine itself allows is measured by two commands that
share nothing, each with half of the recordings, beside one of them alone. Then plans 100,000
recordings of half a second in a process of its own.
"""

import argparse
import resource
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import soundfile

from voxcycle.conversion.batch import Batch, convert_files
from voxcycle.conversion.options import Options
from voxcycle.runtime.session import use_threads

if TYPE_CHECKING:  # processes that convert import this file, too
    from voxcycle.evaluation.report.results import Value

LENGTH_S = 12.0
N_PLANNED, PER_FOLDER = 100_000, 1000
RESULTS = Path(__file__).parents[1] / "results"


def write_recordings(recording: Path, folder: Path, n_files: int) -> None:
    """Write recordings that differ in where they begin."""
    samples, sample_rate = soundfile.read(recording, dtype="float32", always_2d=True)
    whole = np.resize(samples.mean(axis=1), round(LENGTH_S * sample_rate))
    folder.mkdir()
    for index in range(n_files):
        soundfile.write(folder / f"{index}.wav", np.roll(whole, 997 * index), sample_rate)


def measure_throughput(folder: Path, n_files: int, jobs: int) -> "dict[str, Value]":
    """Return seconds of audio per second, the median of three."""
    rates = []
    for _ in range(3):
        with tempfile.TemporaryDirectory() as out:
            started = time.perf_counter()
            results = convert_files([folder], to="heart", out_dir=out, jobs=jobs)
            rates.append(n_files * LENGTH_S / (time.perf_counter() - started))
        if any(result.error for result in results):
            raise SystemExit(next(result.error for result in results if result.error))
    who = resource.RUSAGE_CHILDREN if jobs > 1 else resource.RUSAGE_SELF
    return {
        "row": f"{jobs} process{'es' * (jobs > 1)} of one thread",
        "times_real_time": round(statistics.median(rates), 1),
        "memory_mb": round(resource.getrusage(who).ru_maxrss / 1024),
    }


def measure_machine(folder: Path, n_files: int) -> "dict[str, Value]":
    """Return how much more two commands convert than one of them, the median of three."""
    halves = [folder.with_name(f"half{i}") for i in range(2)]
    for index, path in enumerate(sorted(folder.iterdir())):
        halves[index % 2].mkdir(exist_ok=True)
        (halves[index % 2] / path.name).hardlink_to(path)

    def convert_halves(chosen: list[Path]) -> float:
        with tempfile.TemporaryDirectory() as out:
            stem = [sys.executable, "-m", "voxcycle", "convert", "--to", "heart", "--threads", "1"]
            started = time.perf_counter()
            running = [
                subprocess.Popen(
                    [*stem, "--jobs", "1", half, "-o", f"{out}/{half.name}"],
                    stdout=subprocess.DEVNULL,
                    stderr=subprocess.DEVNULL,
                )
                for half in chosen
            ]
            if any(process.wait() for process in running):
                raise SystemExit("a command failed")
            return time.perf_counter() - started

    alone, both = (
        statistics.median(convert_halves(chosen) for _ in range(3))
        for chosen in (halves[:1], halves)
    )
    rate = n_files * LENGTH_S / both
    row = "two commands that share nothing, over one of them"
    return {"row": row, "times_real_time": round(rate, 1), "ratio": round(2 * alone / both, 2)}


def plan(folder: Path) -> None:
    """Print seconds and megabytes of planning."""
    started = time.perf_counter()
    batch = Batch([folder], "heart", folder.with_name("out"), options=Options())
    _, left = batch.look()
    memory_mb = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    print(len(left), time.perf_counter() - started, memory_mb)


def measure_planning(folder: Path) -> "dict[str, Value]":
    """Plan many small recordings."""
    folder.mkdir()
    path = folder.with_suffix(".wav")
    soundfile.write(path, np.full(8000, 0.1, np.float32), 16_000)
    data = path.read_bytes()
    for index in range(N_PLANNED):
        place = folder / str(index // PER_FOLDER)
        place.mkdir(exist_ok=True)
        (place / f"{index % PER_FOLDER}.wav").write_bytes(data)
    command = [sys.executable, __file__, "--plan", str(folder)]
    done = subprocess.run(command, check=True, capture_output=True, text=True)
    count, seconds, memory = done.stdout.split()
    assert int(count) == N_PLANNED
    return {
        "row": f"planning {N_PLANNED} recordings",
        "seconds": round(float(seconds), 1),
        "memory_mb": round(float(memory)),
    }


def main() -> None:
    if sys.argv[1:2] == ["--plan"]:
        plan(Path(sys.argv[2]))
        return
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("recording", type=Path)
    parser.add_argument("--files", type=int, default=60)
    parser.add_argument("--result", help="ID of the result file to write under results/")
    args = parser.parse_args()
    began = time.monotonic()
    use_threads(1)
    with tempfile.TemporaryDirectory() as temporary:
        folder = Path(temporary) / "in"
        write_recordings(args.recording, folder, args.files)
        rows = [measure_throughput(folder, args.files, jobs) for jobs in (1, 2)]
        one, two = (float(str(row["times_real_time"])) for row in rows)
        rows.append({"row": "two over one", "ratio": round(two / one, 2)})
        rows.append(measure_machine(folder, args.files))
        rows.append(measure_planning(Path(temporary) / "many"))
    for row in rows:
        print(*row.values())
    if args.result:
        from voxcycle.evaluation.report.record import record_benchmark
        from voxcycle.evaluation.stats.cost import cpu_name

        columns = ("row", "times_real_time", "ratio", "seconds", "memory_mb")
        record_benchmark(
            RESULTS / f"{args.result}.json",
            "Batches: throughput and planning",
            [{name: row.get(name) for name in columns} for row in rows],
            machine=f"{cpu_name()}, two virtual cores, nothing else running",
            wall_s=time.monotonic() - began,
            notes=[f"{args.files} recordings of {LENGTH_S:g} s, voice heart, vocoder fast."],
        )


if __name__ == "__main__":
    main()
