"""Real-time factors of a conversion by stage, at one and at two threads, and peak memory.

    python benchmarks/conversion.py RECORDING [--voice heart] [--hour]

Real-time factor: seconds of computing per second of audio. The baseline in the same run is the
Griffin-Lim vocoder. Memory is the peak resident size of a process of its own that converts the
recording, repeated to 10 s, 10 min and, with --hour, 1 h.
"""

import argparse
import statistics
import subprocess
import sys
import tempfile
from pathlib import Path

import numpy as np
import soundfile
import torch

from voxcycle import convert, load_voice
from voxcycle.evaluation.cost import cpu_name, peak_memory_mb
from voxcycle.vocoders.registry import load_vocoder

STAGE_S = 10.0


def repeated(recording: Path, seconds: float) -> tuple[np.ndarray, int]:
    """Return the recording in mono, repeated or cut to a length."""
    samples, sample_rate = soundfile.read(recording, dtype="float32", always_2d=True)
    mono = samples.mean(axis=1)
    return np.resize(mono, round(seconds * sample_rate)), sample_rate


def print_stages(recording: Path, voice_name: str, vocoders: list[str]) -> None:
    waveform, sample_rate = repeated(recording, STAGE_S)
    voice = load_voice(voice_name)
    for n_threads in (1, 2):
        torch.set_num_threads(n_threads)
        for name in vocoders:
            vocoder = load_vocoder(name, voice.spec)
            runs = [convert(waveform, sample_rate, voice, vocoder=vocoder) for _ in range(6)][1:]
            stages = {
                stage: statistics.median(run.seconds[stage] for run in runs) / STAGE_S
                for stage in runs[0].seconds
            }
            whole = statistics.median(sum(run.seconds.values()) for run in runs) / STAGE_S
            listed = ", ".join(f"{stage} {factor:.4f}" for stage, factor in stages.items())
            print(f"{n_threads} threads, {name}: {listed}; whole {whole:.4f}")


def print_memory(recording: Path, voice_name: str, lengths_s: list[float]) -> None:
    for seconds in lengths_s:
        with tempfile.TemporaryDirectory() as folder:
            waveform, sample_rate = repeated(recording, seconds)
            soundfile.write(Path(folder) / "in.wav", waveform, sample_rate)
            del waveform
            subprocess.run([sys.executable, __file__, "--measured", folder, voice_name], check=True)


def convert_measured(folder: Path, voice_name: str) -> None:
    from voxcycle import convert_files

    (result,) = convert_files([folder / "in.wav"], to=voice_name, out_dir=folder / "out")
    if result.error:
        raise SystemExit(result.error)
    duration_s = soundfile.info(folder / "in.wav").duration
    print(f"{duration_s:.0f} s of audio: peak {peak_memory_mb():.0f} MB", flush=True)


def main() -> None:
    if sys.argv[1:2] == ["--measured"]:
        convert_measured(Path(sys.argv[2]), sys.argv[3])
        return
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("recording", type=Path)
    parser.add_argument("--voice", default="heart")
    parser.add_argument("--hour", action="store_true", help="measure memory for one hour too")
    args = parser.parse_args()
    print(f"{cpu_name()}, torch {torch.__version__}, voice {args.voice}")
    print_stages(args.recording, args.voice, ["hifigan", "fast", "griffin-lim"])
    print_memory(args.recording, args.voice, [10, 600] + ([3600] if args.hour else []))


if __name__ == "__main__":
    main()
