"""Real-time factors of a conversion by stage, networks beside PyTorch, the command, memory.

    python benchmarks/conversion.py RECORDING [--voice heart] [--hour] [--result ID]

Real-time factor: seconds of computing per second of audio, 10 s of audio, median of five. The
baseline in the same run is the Griffin-Lim vocoder; of each network, the PyTorch module that is
trained. The command is `voxcycle convert`, start-up included, beside `import torch`. Memory is the
peak resident size of a process of its own that converts 10 s, through `fast` also 10 min and, with
--hour, 1 h (10 s: median of five).
"""

import argparse
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path

import numpy as np
import onnxruntime
import soundfile
from startup import median_seconds

from voxcycle import convert, load_voice
from voxcycle.evaluation.stats.cost import cpu_name, peak_memory_mb
from voxcycle.runtime.session import use_threads
from voxcycle.vocoders.registry import load_vocoder
from voxcycle.voices import content

STAGE_S = 10.0
VOCODERS = {"fast": "fast", "hifigan": "HiFi-GAN", "griffin-lim": "Griffin-Lim"}
OF_VOCODER = ("vocoder", "correction")
RESULTS = Path(__file__).parents[1] / "results"
Rows = dict[str, dict[str, float | str]]


def repeated(recording: Path, seconds: float) -> tuple[np.ndarray, int]:
    """Return the recording in mono, repeated or cut to a length."""
    samples, sample_rate = soundfile.read(recording, dtype="float32", always_2d=True)
    mono = samples.mean(axis=1)
    return np.resize(mono, round(seconds * sample_rate)), sample_rate


def median_of_five(work: Callable[[], float]) -> float:
    """Return the median of five values, after one that does not count."""
    work()
    return statistics.median(work() for _ in range(5))


def measure_stages(recording: Path, voice_name: str, rows: Rows, column: str) -> None:
    waveform, sample_rate = repeated(recording, STAGE_S)
    content.load_phonetic_encoder.cache_clear()  # a network keeps the threads of its first run
    voice = load_voice(voice_name)
    for name, shown in VOCODERS.items():
        vocoder = load_vocoder(name, voice.spec)
        runs = [
            convert(waveform, voice, sample_rate=sample_rate, vocoder=vocoder) for _ in range(6)
        ][1:]
        for stage in runs[0].seconds:
            label = f"{stage}, {shown}" if stage in OF_VOCODER else stage
            if stage in OF_VOCODER or name == "fast":
                seconds = statistics.median(run.seconds[stage] for run in runs)
                add(rows, label, column, seconds / STAGE_S)
        whole = statistics.median(sum(run.seconds.values()) for run in runs) / STAGE_S
        add(rows, f"whole conversion, {shown}", column, whole)
    baseline = float(rows["whole conversion, Griffin-Lim"][column])
    for shown in ("fast", "HiFi-GAN"):
        ratio = float(rows[f"whole conversion, {shown}"][column]) / baseline
        add(rows, f"{shown} over Griffin-Lim, whole", column, ratio, "ratio")


def measure_networks(voice_name: str, rows: Rows, column: str, n_threads: int) -> None:
    """Time each network on 10 s of random frames, by ONNX Runtime and by PyTorch."""
    import torch

    from voxcycle.models.source_filter_networks import SourceFilterVocoder
    from voxcycle.models.weights import load_network
    from voxcycle.models.whisper_encoder import WhisperEncoder
    from voxcycle.runtime.whisper_encoder import encode_positions
    from voxcycle.speech.networks import load_generator

    torch.set_num_threads(n_threads)
    voice, rng = load_voice(voice_name), np.random.default_rng(0)
    spec, encoder = voice.spec, content.load_phonetic_encoder()
    stored = content.read_phonetic_encoder().stored
    fast = load_vocoder("fast", spec)
    n_frames = round(STAGE_S * spec.frame_rate)

    def draw(n: int, width: int) -> np.ndarray:
        return rng.normal(size=(n, width)).astype(np.float32)

    def batch(frames: np.ndarray) -> torch.Tensor:
        return torch.from_numpy(frames.T[None].copy())

    heard = draw(1000, spec.n_mels)
    listening = {"mel": heard, "positions": encode_positions(500, len(encoder.mean))}
    inputs = {"source": draw(n_frames, 385), "excitation": draw(n_frames, 81)}
    shaping = {"mel": draw(n_frames, spec.n_mels) - 5, "pitch": draw(n_frames, 2)}
    whisper = load_network(lambda: WhisperEncoder(**stored.arguments), stored.weights).eval()
    generator = load_generator(voice.generator).eval()
    module = load_network(
        lambda: SourceFilterVocoder(spec, **fast.network.arguments), fast.network.weights
    ).eval()

    networks: dict[str, tuple[Callable[[], object], Callable[[], object]]] = {
        "content": (lambda: encoder._session.run(listening), lambda: whisper(batch(heard))),
        "generator": (
            lambda: voice.generator.run(inputs),
            lambda: generator(*map(batch, inputs.values())),
        ),
        "vocoder fast": (
            lambda: fast._filters.run(shaping),
            lambda: module.respond(batch(shaping["mel"]), torch.from_numpy(shaping["pitch"])[None]),
        ),
    }
    for name, (ours, theirs) in networks.items():
        with torch.inference_mode():
            by_runtime, by_torch = (
                median_of_five(partial(seconds_of, work)) for work in (ours, theirs)
            )
        add(rows, f"network {name}, ONNX Runtime", column, by_runtime / STAGE_S)
        add(rows, f"network {name}, PyTorch", column, by_torch / STAGE_S)
        ratio = by_runtime / by_torch
        add(rows, f"network {name}, ONNX Runtime over PyTorch", column, ratio, "ratio")


def seconds_of(work: Callable[[], object]) -> float:
    started = time.perf_counter()
    work()
    return time.perf_counter() - started


def measure_command(recording: Path, voice_name: str, rows: Rows) -> None:
    run = partial(subprocess.run, check=True, capture_output=True)
    with tempfile.TemporaryDirectory() as folder:
        soundfile.write(Path(folder) / "in.wav", *repeated(recording, STAGE_S))
        stem = [sys.executable, "-m", "voxcycle", "convert", f"{folder}/in.wav", "--to", voice_name]
        for column, n_threads in (("one_thread", "1"), ("two_threads", "2")):
            for name, shown in VOCODERS.items():
                command = [*stem, "--vocoder", name, "--threads", n_threads, "--overwrite"]
                seconds = median_seconds(partial(run, [*command, "-o", f"{folder}/out.wav"]))
                add(rows, f"command on 10 s, {shown}", column, seconds, "s")
    for code in ("import torch", "import numpy, onnxruntime"):
        seconds = median_seconds(partial(run, [sys.executable, "-c", code]))
        add(rows, f"python -c '{code}'", "two_threads", seconds, "s")
    seconds = median_seconds(partial(run, [sys.executable, "-m", "voxcycle", "voices"]))
    add(rows, "voxcycle voices", "two_threads", seconds, "s")


def measure_memory(recording: Path, voice_name: str, rows: Rows, lengths: dict[str, float]) -> None:
    for name in ("fast", "hifigan"):
        for length, seconds in lengths.items() if name == "fast" else [("10 s", STAGE_S)]:
            columns = (("one_thread", "1"), ("two_threads", "2"))
            for column, n_threads in columns[: 1 if seconds > 600 else 2]:
                with tempfile.TemporaryDirectory() as folder:
                    soundfile.write(Path(folder) / "in.wav", *repeated(recording, seconds))
                    words = ["--measured", folder, voice_name, name, n_threads]
                    work = partial(read_number, [sys.executable, __file__, *words])
                    n_runs = 5 if seconds == STAGE_S else 1
                    peak_mb = statistics.median(work() for _ in range(n_runs))
                add(rows, f"memory, {VOCODERS[name]}, {length}", column, peak_mb, "MB")


def read_number(command: list[str]) -> float:
    return float(subprocess.run(command, check=True, capture_output=True).stdout)


def convert_measured(folder: Path, voice_name: str, vocoder_name: str, n_threads: str) -> None:
    from voxcycle import convert_files

    use_threads(int(n_threads))
    (result,) = convert_files(
        [folder / "in.wav"],
        to=voice_name,
        out_dir=Path(tempfile.mkdtemp(dir=folder)),
        vocoder=vocoder_name,
    )
    if result.error:
        raise SystemExit(result.error)
    print(peak_memory_mb())


def add(
    rows: Rows, name: str, column: str, value: float, unit: str = "seconds per second of audio"
) -> None:
    """Keep a figure with three digits, and print it."""
    row = rows.setdefault(name, {"row": name, "unit": unit})
    row[column] = float(f"{value:.3g}")
    print(f"{name}, {column}: {row[column]:g} {unit}", flush=True)


def main() -> None:
    if sys.argv[1:2] == ["--measured"]:
        convert_measured(Path(sys.argv[2]), *sys.argv[3:])
        return
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("recording", type=Path)
    parser.add_argument("--voice", default="heart")
    parser.add_argument("--hour", action="store_true", help="measure memory for one hour too")
    parser.add_argument("--result", help="ID of the result file to write under results/")
    args = parser.parse_args()
    started = time.monotonic()
    print(f"{cpu_name()}, onnxruntime {onnxruntime.__version__}, voice {args.voice}")
    rows: Rows = {}
    for column, n_threads in (("one_thread", 1), ("two_threads", 2)):
        use_threads(n_threads)
        measure_stages(args.recording, args.voice, rows, column)
        measure_networks(args.voice, rows, column, n_threads)
    measure_command(args.recording, args.voice, rows)
    lengths = {"10 s": 10.0, "10 min": 600.0} | ({"1 h": 3600.0} if args.hour else {})
    measure_memory(args.recording, args.voice, rows, lengths)
    if args.result:
        from voxcycle.evaluation.report.record import record_benchmark

        columns = ("row", "one_thread", "two_threads", "unit")
        record_benchmark(
            RESULTS / f"{args.result}.json",
            "Conversion: real-time factors, networks, the command, memory",
            [{name: row.get(name) for name in columns} for row in rows.values()],
            machine=f"{cpu_name()}, two virtual cores, nothing else running",
            wall_s=time.monotonic() - started,
            notes=[f"Median of five (10 min and 1 h: once); voice {args.voice}, 10 s of audio."],
        )


if __name__ == "__main__":
    main()
