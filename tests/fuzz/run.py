"""Hostile input: everything that reads files reads it, or refuses it quickly by a sentence.

    python tests/fuzz/run.py --state FOLDER [--count N | --seconds N] [--seed S] [--result ID]
    python tests/fuzz/run.py --state FOLDER --only TARGET:INDEX

The same state goes on where it stopped, an empty one where the result file ends. An input is a
function of target, seed and index, so that `--only` repeats a failure. Wrong are: an error that is
not documented, a message that is no single sentence, more than ten seconds or 1.5 GB for one input,
and the end of the process. What was wrong is tried again at the end of a run: it may have been
mended, or slow because other programs kept the processor.
"""

import argparse
import json
import multiprocessing
import os
import random
import resource
import sys
import tempfile
import time
import traceback
from collections import Counter
from collections.abc import Iterator
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any

from seeds import write_seeds
from targets import TARGETS, Trial, try_input

from voxcycle.evaluation.report.record import describe_commit, record_benchmark
from voxcycle.evaluation.report.results import Bar, Value
from voxcycle.evaluation.stats.cost import cpu_name, peak_memory_mb

RESULTS = Path(__file__).parents[2] / "results"
LIMIT_S, LIMIT_MB, WAIT_S = 10.0, 1536.0, 0.5
TOO_LONG = f"more than {LIMIT_S:g} s"
HARD_LIMIT = 6 << 30  # bytes of address space, of which libraries reserve some
ROUND = 1000  # inputs of all targets
PEAK = Path("/proc/self/clear_refs")


class Work:
    """The inputs of all targets, read in this process."""

    def __init__(self, state: Path, seed: int, folder: Path) -> None:
        self.seed, self.folder = seed, folder
        self.seeds = {}
        for name in TARGETS:
            files = sorted((state / "seeds" / name).iterdir())
            self.seeds[name] = [(path.name, path.read_bytes()) for path in files]

    def make(self, name: str, index: int) -> Trial:
        """Return the input of that index."""
        rng = random.Random(f"{self.seed} {name} {index}")
        seeds = self.seeds[name]
        file_name, data = rng.choice(seeds)
        changed = TARGETS[name].change(data, [own for _, own in seeds], rng)
        return Trial(changed, file_name, self.folder, rng)


def serve(connection: Connection, state: Path, seed: int, current: Any) -> None:
    """Read batches of inputs, in a process of its own, and report each batch."""
    complaints = os.open(state / "complaints", os.O_WRONLY | os.O_CREAT | os.O_TRUNC)
    os.dup2(complaints, 2)  # of decoders, and why the process ends
    os.dup2(os.open(os.devnull, os.O_WRONLY), 1)
    resource.setrlimit(resource.RLIMIT_AS, (HARD_LIMIT, HARD_LIMIT))
    folder = state / "inputs"
    folder.mkdir(exist_ok=True)
    work = Work(state, seed, folder)
    connection.send(None)
    while batch := connection.recv():
        name, first, count = batch
        slowest, memory_mb, failures, n_read = (0.0, first), 0.0, {}, 0
        began = time.monotonic()
        for index in range(first, first + count):
            trial = work.make(name, index)
            reset_peak()
            started = time.process_time()  # of this process: others may keep the cores
            current[0], current[1] = index, 1
            is_read, fault = try_input(TARGETS[name], trial)
            n_read += is_read
            slowest = max(slowest, (time.process_time() - started, index))
            current[1] = 0
            used_mb = peak_memory_mb()
            memory_mb = max(memory_mb, used_mb)
            if used_mb > LIMIT_MB:
                fault = fault or f"{used_mb:.0f} MB"
            if fault:
                failures[index] = describe_fault(fault)
        report = {"slowest_s": round(slowest[0], 3), "slowest": slowest[1]}
        report |= {"memory_mb": round(memory_mb), "read": n_read, "failures": failures}
        connection.send(report | {"seconds": round(time.monotonic() - began, 2)})


def reset_peak() -> None:
    """Let the peak of this process's memory be its present size, where the system can."""
    if PEAK.exists():
        PEAK.write_text("5")


def describe_fault(fault: Exception | str) -> str:
    """Return the kind of a fault: the error and the line of the package that met it."""
    if isinstance(fault, str):
        return fault
    frames = traceback.extract_tb(fault.__traceback__)
    own = [frame for frame in frames if "/voxcycle/" in frame.filename] or frames
    return f"{type(fault).__name__} at {Path(own[-1].filename).name}:{own[-1].lineno}"


class Worker:
    """A process that reads inputs; another one takes its place when it hangs or dies."""

    def __init__(self, state: Path, seed: int) -> None:
        self._arguments = state, seed
        self._context = multiprocessing.get_context("spawn")
        self._current = self._context.Array("d", 2, lock=False)
        self._start()

    def _start(self) -> None:
        self._connection, other = self._context.Pipe()
        arguments = (other, *self._arguments, self._current)
        self._process = self._context.Process(target=serve, args=arguments, daemon=True)
        self._process.start()
        other.close()
        self._connection.recv()

    def run(self, name: str, first: int, count: int) -> Iterator[dict[str, Any]]:
        """Yield reports of a batch, several if an input ends the process."""
        while count:
            self._current[0], self._current[1] = first, 0
            self._connection.send((name, first, count))
            report = self._wait()
            n_done = count
            if isinstance(report, str):  # what came before this input is not counted
                index = int(self._current[0])
                n_done = index + 1 - first
                slowest_s = LIMIT_S if report == TOO_LONG else 0.0
                report = {"failures": {index: report}, "slowest_s": slowest_s, "slowest": index}
                report |= {"memory_mb": 0, "read": 0, "seconds": 0.0}
                self.close()
                self._start()
            yield {"target": name, "first": first, "count": n_done, **report}
            first, count = first + n_done, count - n_done

    def _wait(self) -> dict[str, Any] | str:
        try:
            n_waits, last = 0, -1.0  # waits are counted: a machine may stand still for minutes
            while not self._connection.poll(WAIT_S):
                index, is_busy = self._current
                n_waits, last = (n_waits + 1 if is_busy and index == last else 0), index
                if n_waits * WAIT_S > LIMIT_S:
                    return TOO_LONG
            return self._connection.recv()
        except EOFError:
            self._process.join()
            return f"the process ended by {self._process.exitcode}"

    def close(self) -> None:
        """End the process."""
        self._process.kill()
        self._process.join()


def read_log(path: Path) -> list[dict[str, Any]]:
    """Return the reports of earlier runs."""
    return [json.loads(line) for line in path.read_text().splitlines()] if path.exists() else []


def write_log(path: Path, reports: list[dict[str, Any]]) -> None:
    path.write_text("".join(json.dumps(report) + "\n" for report in reports))


def read_result(path: Path, seed: int) -> list[dict[str, Any]]:
    """Return the rows of a result file as reports; none of another seed, or with failures."""
    result = json.loads(path.read_text()) if path.exists() else {"rows": [], "seed": None}
    if result["seed"] != seed or any(row["failures"] for row in result["rows"]):
        return []
    keys = {"count": "inputs", "read": "read", "seconds": "seconds", "memory_mb": "memory_mb"}
    return [
        {"target": row["row"], "failures": {}, "slowest_s": row["slowest_cpu_s"]}
        | {key: row[name] for key, name in keys.items()}
        for row in result["rows"]
    ]


def try_again(reports: list[dict[str, Any]], worker: "Worker") -> None:
    """Forget failures that are none now, and say so."""
    for report in reports:
        for index, fault in list(report["failures"].items()):
            (again,) = worker.run(report["target"], int(index), 1)
            if not again["failures"]:
                print(f"as it should be now: {report['target']}:{index} ({fault})", flush=True)
                del report["failures"][index]
                report["slowest_s"] = again["slowest_s"]


def run(
    state: Path, seed: int, count: int, seconds: float, former: list[dict[str, Any]]
) -> list[dict[str, Any]]:
    """Read inputs until there are `count` in all, or for some seconds; return all reports.

    An empty state goes on from the `former` reports.
    """
    log = state / "log.jsonl"
    if not log.exists():
        write_log(log, former)
    reports = read_log(log)
    commit, worker, ends = describe_commit(), Worker(state, seed), time.monotonic() + seconds
    next_index = Counter({name: 0 for name in TARGETS})
    for report in reports:
        next_index[report["target"]] += report["count"]
    try:
        while (n_done := next_index.total()) < count and time.monotonic() < ends:
            rounds = min(ROUND, count - n_done) / ROUND
            for name, target in TARGETS.items():
                n_next = max(1, round(target.share * rounds))
                for report in worker.run(name, next_index[name], n_next):
                    report |= {"seed": seed, "commit": commit}
                    reports.append(report)
                    next_index[name] += report["count"]
                    with log.open("a") as file:
                        file.write(json.dumps(report) + "\n")
        try_again(reports, worker)
        write_log(log, reports)
    finally:
        worker.close()
    return reports


def summarize(reports: list[dict[str, Any]]) -> list[dict[str, Value]]:
    """Return a row per target."""
    rows: list[dict[str, Value]] = []
    for name in TARGETS:
        own = [report for report in reports if report["target"] == name]
        if own:
            keys = ("count", "read", "seconds")
            n_inputs, n_read, seconds = (sum(report[key] for report in own) for key in keys)
            rows.append(
                {
                    "row": name,
                    "inputs": n_inputs,
                    "read": n_read,
                    "per_second": round(n_inputs / max(seconds, 0.01)),
                    "slowest_cpu_s": max(r["slowest_s"] for r in own),
                    "memory_mb": max(r["memory_mb"] for r in own),
                    "failures": sum(len(r["failures"]) for r in own),
                    "seconds": round(seconds, 1),
                }
            )
    return rows


def record(name: str, rows: list[dict[str, Value]], seed: int) -> None:
    """Write the result file."""
    total = {key: [float(row[key] or 0) for row in rows] for key in rows[0] if key != "row"}
    failures, slowest, memory = (
        sum(total["failures"]),
        max(total["slowest_cpu_s"]),
        max(total["memory_mb"]),
    )
    bars = [
        Bar(what="failures", measured=failures, at_most=0, passes=not failures),
        Bar(what="slowest, CPU s", measured=slowest, at_most=LIMIT_S, passes=slowest <= LIMIT_S),
        Bar(what="memory, MB", measured=memory, at_most=LIMIT_MB, passes=memory <= LIMIT_MB),
    ]
    record_benchmark(
        RESULTS / f"{name}.json",
        "Hostile input",
        rows,
        machine=f"{cpu_name()}, one process",
        wall_s=sum(total["seconds"]),
        notes=["Inputs by target, added up over all runs of this state."],
        bars=bars,
        seed=seed,
    )


def repeat(state: Path, seed: int, only: str) -> None:
    """Read one input in this process, keep it, and print what is wrong."""
    name, _, index = only.partition(":")
    with tempfile.TemporaryDirectory(dir=state) as folder:
        trial = Work(state, seed, Path(folder)).make(name, int(index))
        kept = state / f"{name}-{index}-{trial.name}"
        kept.write_bytes(trial.data)
        print(kept)
        _, fault = try_input(TARGETS[name], trial)
    if isinstance(fault, Exception):
        traceback.print_exception(fault)
    else:
        print(fault or "as it should be")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--state", type=Path, required=True, help="folder of seeds and counts")
    parser.add_argument("--count", type=int, default=10**9, help="inputs in all, earlier ones too")
    parser.add_argument("--seconds", type=float, default=7200.0)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--only", metavar="TARGET:INDEX")
    parser.add_argument("--result", help="ID of the result file to write under results/")
    args = parser.parse_args()
    os.environ["XDG_CACHE_HOME"] = str(args.state.absolute() / "cache")
    if not (args.state / "seeds").exists():
        args.state.mkdir(parents=True, exist_ok=True)
        write_seeds(args.state / "seeds")
    if args.only:
        repeat(args.state, args.seed, args.only)
        return
    former = read_result(RESULTS / f"{args.result}.json", args.seed) if args.result else []
    reports = run(args.state, args.seed, args.count, args.seconds, former)
    rows = summarize(reports)
    for row in rows:
        print(*(f"{key} {value}" if key != "row" else value for key, value in row.items()))
    kinds: dict[str, list[str]] = {}
    for report in reports:
        for index, fault in report["failures"].items():
            kinds.setdefault(fault, []).append(f"{report['target']}:{index}")
    for fault, where in sorted(kinds.items()):
        print(f"{len(where)} x {fault}; such as --only {where[0]}")
    if args.result:
        record(args.result, rows, args.seed)
    sys.exit(bool(kinds))


if __name__ == "__main__":
    main()
