"""`voxcycle serve`: a conversion over its API against the same one in Python, and the first paint.

    python benchmarks/serve.py RECORDING [--rounds 9] [--result ID]

Ten seconds of the recording, by one thread. Over the API: upload, job, wait and download. Both have
the voice and the vocoder loaded, and take turns; medians. Then, where Chromium is installed, the
time from the command to the first paint of the page in a browser that runs already, the median of
five, beside `python -c pass`.
"""

import argparse
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

import httpx
import numpy as np
import soundfile

import voxcycle
from voxcycle.vocoders.registry import load_vocoder

if TYPE_CHECKING:
    from voxcycle.evaluation.report.results import Value

LENGTH_S = 10.0
VOICE = "heart"
RESULTS = Path(__file__).parents[1] / "results"


@contextmanager
def served(folder: Path) -> Iterator[httpx.Client]:
    """Give a client of a server of its own."""
    arguments = ["--no-browser", "--port", "0", "--threads", "1", "--folder", str(folder)]
    command = [sys.executable, "-m", "voxcycle", "serve", *arguments]
    server = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
    try:
        assert server.stdout is not None
        address = next(word for word in server.stdout.readline().split() if "://" in word)
        with httpx.Client(base_url=address, timeout=120) as client:
            client.headers["X-CSRF-Token"] = client.get("/api/state").json()["csrf"]
            yield client
    finally:
        server.terminate()
        server.wait()


def convert_over_api(client: httpx.Client, recording: Path) -> None:
    """Upload, convert, wait and download."""
    with recording.open("rb") as file:
        [upload] = client.post("/api/uploads", files={"file": (recording.name, file)}).json()
    wanted = {"kind": "convert", "uploads": [upload["id"]], "voice": VOICE}
    job = client.post("/api/jobs", json=wanted).json()
    while job["status"] in ("queued", "running"):
        job = client.get(f"/api/jobs/{job['id']}?wait=30").json()
    if job["status"] != "done":
        raise SystemExit(job["message"])
    client.get(job["result"]["items"][0]["download"]).raise_for_status()


def time_first_paint(folder: Path) -> list[float]:
    """Return five times from the command to the first paint, in seconds; none without Chromium."""
    chromium = shutil.which("chromium")
    if chromium is None:
        return []
    from playwright.sync_api import sync_playwright

    paint = "performance.getEntriesByName('first-contentful-paint')[0]?.startTime ?? 0"
    times = []
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=chromium, args=["--no-sandbox"])
        for _ in range(5):
            page = browser.new_page()
            started = time.perf_counter()
            with served(folder) as client:
                opened = time.perf_counter()
                page.goto(str(client.base_url))
                page.wait_for_function(f"({paint}) > 0")
                times.append(opened - started + page.evaluate(paint) / 1000)
            page.close()
        browser.close()
    return times


def measure(work: Callable[[], object]) -> float:
    """Return the seconds of a call."""
    started = time.perf_counter()
    work()
    return time.perf_counter() - started


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("recording", type=Path)
    parser.add_argument("--rounds", type=int, default=9)
    parser.add_argument("--result", help="ID of the result file to write under results/")
    args = parser.parse_args()
    began = time.monotonic()
    voxcycle.use_threads(1)
    voice = voxcycle.load_voice(VOICE)
    vocoder = load_vocoder("fast", voice.spec)
    with tempfile.TemporaryDirectory() as temporary:
        samples, sample_rate = soundfile.read(args.recording, dtype="float32", always_2d=True)
        recording = Path(temporary) / "talk.wav"
        length = round(LENGTH_S * sample_rate)
        soundfile.write(recording, np.resize(samples.mean(axis=1), length), sample_rate)
        in_python, over_api = [], []
        with served(Path(temporary) / "served") as client:
            for _ in range(args.rounds + 1):
                in_python.append(
                    measure(lambda: voxcycle.convert(recording, voice, vocoder=vocoder))
                )
                over_api.append(measure(lambda: convert_over_api(client, recording)))
        painted = time_first_paint(Path(temporary) / "painted")
    bare_s = statistics.median(
        measure(lambda: subprocess.run([sys.executable, "-c", "pass"], check=True))
        for _ in range(5)
    )
    python_s, api_s = (statistics.median(times[1:]) for times in (in_python, over_api))
    rows: list[dict[str, Value]] = [
        {"row": "in Python", "seconds": round(python_s, 3)},
        {"row": "over the API", "seconds": round(api_s, 3)},
        {"row": "API over Python", "ratio": round(api_s / python_s, 2)},
        {"row": "python -c pass", "seconds": round(bare_s, 3)},
    ]
    if painted:
        paint_s = statistics.median(painted)
        rows.append({"row": "command to first paint", "seconds": round(paint_s, 3)})
    for row in rows:
        print(*row.values())
    if args.result:
        from voxcycle.evaluation.report.record import record_benchmark
        from voxcycle.evaluation.stats.cost import cpu_name

        columns = ("row", "seconds", "ratio")
        record_benchmark(
            RESULTS / f"{args.result}.json",
            "The server: a conversion over the API and in Python",
            [{name: row.get(name) for name in columns} for row in rows],
            machine=f"{cpu_name()}, two virtual cores, nothing else running",
            wall_s=time.monotonic() - began,
            notes=[f"{LENGTH_S:g} s of a recording, voice {VOICE}, vocoder fast, one thread."],
        )


if __name__ == "__main__":
    main()
