"""Real-time factors of a conversion by stage, the whole command, and peak memory.

    python benchmarks/conversion.py RECORDING [--voice heart] [--hour]

Real-time factor: seconds of computing per second of audio. The baseline in the same run is the
Griffin-Lim vocoder. The command is `voxcycle convert` on 10 s of audio, start-up included. Memory
is the peak resident size of a process of its own that converts the recording, repeated to 10 s, 10
min and, with --hour, 1 h, through each vocoder but the baseline.
"""

import argparse
import statistics
import subprocess
import sys
import tempfile
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
from voxcycle.voices.content import load_phonetic_encoder

STAGE_S = 10.0


def repeated(recording: Path, seconds: float) -> tuple[np.ndarray, int]:
    """Return the recording in mono, repeated or cut to a length."""
    samples, sample_rate = soundfile.read(recording, dtype="float32", always_2d=True)
    mono = samples.mean(axis=1)
    return np.resize(mono, round(seconds * sample_rate)), sample_rate


def print_stages(recording: Path, voice_name: str, vocoders: list[str]) -> None:
    waveform, sample_rate = repeated(recording, STAGE_S)
    for n_threads in (1, 2):
        use_threads(n_threads)
        load_phonetic_encoder.cache_clear()  # a network keeps the threads of its first run
        voice = load_voice(voice_name)
        for name in vocoders:
            vocoder = load_vocoder(name, voice.spec)
            runs = [
                convert(waveform, voice, sample_rate=sample_rate, vocoder=vocoder) for _ in range(6)
            ][1:]
            stages = {
                stage: statistics.median(run.seconds[stage] for run in runs) / STAGE_S
                for stage in runs[0].seconds
            }
            whole = statistics.median(sum(run.seconds.values()) for run in runs) / STAGE_S
            listed = ", ".join(f"{stage} {factor:.4f}" for stage, factor in stages.items())
            print(f"{n_threads} threads, {name}: {listed}; whole {whole:.4f}")


def print_command(recording: Path, voice_name: str, vocoders: list[str]) -> None:
    with tempfile.TemporaryDirectory() as folder:
        soundfile.write(Path(folder) / "in.wav", *repeated(recording, STAGE_S))
        run = partial(subprocess.run, check=True, capture_output=True)
        stem = [sys.executable, "-m", "voxcycle", "convert", f"{folder}/in.wav", "--to", voice_name]
        imports = "import numpy, onnxruntime"
        imports_s = median_seconds(lambda: run([sys.executable, "-c", imports]))
        print(f"python -c '{imports}': {imports_s:.2f} s")
        for name in vocoders:
            command = [*stem, "--vocoder", name, "-o", f"{folder}/out.wav", "--overwrite"]
            seconds = median_seconds(partial(run, command))
            print(f"voxcycle convert, 10 s of audio, {name}: {seconds:.2f} s")


def print_memory(recording: Path, voice_name: str, vocoder_name: str, seconds: float) -> None:
    with tempfile.TemporaryDirectory() as folder:
        soundfile.write(Path(folder) / "in.wav", *repeated(recording, seconds))
        measured = ["--measured", folder, voice_name, vocoder_name]
        subprocess.run([sys.executable, __file__, *measured], check=True)


def convert_measured(folder: Path, voice_name: str, vocoder_name: str) -> None:
    from voxcycle import convert_files

    (result,) = convert_files(
        [folder / "in.wav"], to=voice_name, out_dir=folder / "out", vocoder=vocoder_name
    )
    if result.error:
        raise SystemExit(result.error)
    duration_s = soundfile.info(folder / "in.wav").duration
    peak = f"peak {peak_memory_mb():.0f} MB"
    print(f"{duration_s:.0f} s of audio, {vocoder_name}: {peak}", flush=True)


def main() -> None:
    if sys.argv[1:2] == ["--measured"]:
        convert_measured(Path(sys.argv[2]), *sys.argv[3:])
        return
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("recording", type=Path)
    parser.add_argument("--voice", default="heart")
    parser.add_argument("--hour", action="store_true", help="measure memory for one hour too")
    args = parser.parse_args()
    print(f"{cpu_name()}, onnxruntime {onnxruntime.__version__}, voice {args.voice}")
    print_stages(args.recording, args.voice, ["hifigan", "fast", "griffin-lim"])
    print_command(args.recording, args.voice, ["fast", "griffin-lim", "hifigan"])
    for name in ("fast", "hifigan"):
        for seconds in [10, 600] + [3600] * args.hour:
            print_memory(args.recording, args.voice, name, seconds)


if __name__ == "__main__":
    main()
