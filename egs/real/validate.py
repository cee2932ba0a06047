"""Measure voices on a few validation clips, real and synthetic: words, likeness, naturalness.

    python egs/real/validate.py --voice heart --voice RUN/heart.safetensors --target af_heart \
        --real OUT_OF_LINK --corpus CORPUS --asr FOLDER

24 clips up to 12 s, the longest of each speaker: 16 of real ones, 4 each of two synthetic ones.
Word errors count against the text where there is one, else against what the recogniser hears in the
unconverted clip. The recogniser (a faster-whisper folder, Whisper base) is not the teacher.
"""

import argparse
import csv
import json
import time
from collections import defaultdict
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np
import torch

from voxcycle.audio.mixdown import load_mono
from voxcycle.audio.resample import resample
from voxcycle.conversion.pipeline import convert
from voxcycle.evaluation.metrics.asr import WhisperTranscriber, word_errors
from voxcycle.evaluation.metrics.naturalness import DistillMOS
from voxcycle.evaluation.metrics.similarity import ResemblyzerEmbedder, centroid, cosine
from voxcycle.voices.library import load_voice

RATE = 16_000
LONGEST_S = 12.0
N_CLIPS = {  # of real speakers, by the beginning of the folder's name
    "librispeech-testother": 4,
    "speechocean762": 4,
    "picovoice-s2i": 3,
    "vctk": 3,
    "librispeech-devclean-mp3": 2,
}
SYNTHETIC = ("af_nova", "am_eric")
N_SYNTHETIC = 4
N_REFERENCES = 12


class Clip(NamedTuple):
    """A recording to convert; no text where none is known."""

    path: Path
    group: str
    text: str


def list_clips(real: Path, manifest: Path, corpus: Path) -> list[Clip]:
    """Choose the clips, always the same."""
    with manifest.open(encoding="utf-8") as file:
        rows = [row for row in csv.DictReader(file) if row["split"] == "valid"]
    clips = []
    for start, count in N_CLIPS.items():
        by_speaker = defaultdict(list)
        for row in rows:
            if row["corpus"] == start and float(row["seconds"]) <= LONGEST_S:
                by_speaker[row["speaker"]].append(row)
        ranked = [
            sorted(own, key=lambda row: -float(row["seconds"]))
            for _, own in sorted(by_speaker.items())
        ]
        in_turn = [own[i] for i in range(count) for own in ranked if i < len(own)]
        for row in in_turn[:count]:
            path = real / "valid" / f"{start}_{row['speaker']}" / Path(row["path"]).name
            clips.append(Clip(path, "real", row["text"]))
    for speaker in SYNTHETIC:
        for path in sorted((corpus / "wavs" / speaker / "valid").glob("*.flac"))[:N_SYNTHETIC]:
            text = path.with_suffix(".txt").read_text(encoding="utf-8").strip()
            clips.append(Clip(path, "synthetic", text))
    return clips


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--voice", action="append", required=True, help="name or file")
    parser.add_argument("--target", default="af_heart", help="their Kokoro speaker")
    parser.add_argument("--real", type=Path, required=True, help="folder made by link.py")
    parser.add_argument("--manifest", type=Path, required=True)
    parser.add_argument("--corpus", type=Path, required=True)
    parser.add_argument("--asr", type=Path, required=True, help="folder of Whisper base")
    parser.add_argument("--vocoder", default="fast")
    parser.add_argument("--json", type=Path, help="where to add the scores")
    args = parser.parse_args()
    torch.set_num_threads(1)
    asr, embedder, naturalness = WhisperTranscriber(args.asr), ResemblyzerEmbedder(), DistillMOS()
    clips = list_clips(args.real, args.manifest, args.corpus)
    references = sorted((args.corpus / "wavs" / args.target / "valid").glob("*.flac"))
    target = centroid([embedder.embed(load_mono(p, RATE)) for p in references[:N_REFERENCES]])
    heard = [asr.transcribe(load_mono(clip.path, RATE), "en") for clip in clips]
    texts = [clip.text or found for clip, found in zip(clips, heard, strict=True)]
    print_scores("source", clips, texts, heard, None)
    for name in args.voice:
        started = time.monotonic()
        voice = load_voice(name)
        transcripts, scores = [], []
        for clip in clips:
            source = load_mono(clip.path, 22_050)
            made = convert(source, voice, sample_rate=22_050, vocoder=args.vocoder)
            speech = resample(made.waveform, 22_050, RATE)
            transcripts.append(asr.transcribe(speech, "en"))
            scores.append((cosine(embedder.embed(speech), target), naturalness.score(speech)))
        print_scores(name, clips, texts, transcripts, scores)
        print(f"  {time.monotonic() - started:.0f} s")
        if args.json:
            found = json.loads(args.json.read_text("utf-8")) if args.json.exists() else {}
            found[name] = [
                {"clip": str(c.path), "text": t, "heard": h, "secs": s, "distillmos": m}
                for c, t, h, (s, m) in zip(clips, texts, transcripts, scores, strict=True)
            ]
            args.json.write_text(json.dumps(found, indent=1), encoding="utf-8")


def print_scores(
    name: str,
    clips: Sequence[Clip],
    texts: Sequence[str],
    heard: Sequence[str],
    scores: Sequence[tuple[float, float]] | None,
) -> None:
    """Print a line per group: errors / words of all its clips, means of the other scores."""
    for group in ("real", "synthetic"):
        own = [i for i, clip in enumerate(clips) if clip.group == group]
        counts = [word_errors(texts[i], heard[i]) for i in own]
        errors, words = sum(c.errors for c in counts), sum(c.length for c in counts)
        line = f"{name} | {group} | {len(own)} clips | WER {errors / words:.3f} of {words} words"
        if scores is not None:
            secs, mos = np.mean([scores[i] for i in own], axis=0)
            line += f" | SECS {secs:.3f} | DistillMOS {mos:.2f}"
        print(line, flush=True)


if __name__ == "__main__":
    main()
