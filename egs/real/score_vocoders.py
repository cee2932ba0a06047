"""How natural vocoders make what voices say: a quick look to tune vocoders with.

    python egs/real/score_vocoders.py --conditions OUT --corpus CORPUS fast hifigan [FILE ...]

Validation speakers alone: 24 clean clips of real people (OUT is made by conditions.py), twelve
sentences by the speakers of the other voices (CORPUS is made by egs/kokoro), each converted to
every voice, and sixteen copies. Every vocoder renders the same mels and F0; DistillMOS hears them
at one level, before levels and pauses are set, so that the vocoder alone makes the difference.
"""

import argparse
import functools
import json
import time
from collections import defaultdict
from pathlib import Path
from typing import NamedTuple

import numpy as np
import torch
from record import record
from yardstick import JUDGE_RATE, RATE, SPEC, Wave

import voxcycle
from voxcycle.audio.activity import find_activity
from voxcycle.audio.mel import LogMel
from voxcycle.audio.mixdown import load_mono
from voxcycle.audio.resample import resample
from voxcycle.console import late_progress
from voxcycle.evaluation.metrics.naturalness import DistillMOS
from voxcycle.runtime.session import use_threads
from voxcycle.vocoders import ChunkPosition
from voxcycle.vocoders.registry import load_vocoder

SPEAKERS = {"heart": "af_heart", "michael": "am_michael", "emma": "bf_emma", "george": "bm_george"}
N_REAL, N_PER_SPEAKER = 24, 4
LEVEL_DBFS = -23.0
COPIES = "copies"
load_voice = functools.cache(voxcycle.load_voice)


class Item(NamedTuple):
    """What a vocoder is given: log-mels (F, n_mels) and F0 in Hz (F,)."""

    group: str
    path: Path
    log_mel: Wave
    f0_hz: Wave


class Tap:
    """A vocoder that renders a murmur, and keeps what it was given."""

    name, spec, follows_f0 = "tap", SPEC, True
    context_frames = look_ahead_frames = 0

    def __init__(self) -> None:
        self.given: list[tuple[Wave, Wave]] = []

    def decode(self, log_mel: Wave, f0_hz: Wave, position: ChunkPosition | None = None) -> Wave:
        """See `Vocoder`."""
        self.given.append((log_mel.copy(), f0_hz.copy()))
        times = np.arange(len(log_mel) * SPEC.hop_length) / RATE
        return (0.01 * np.sin(2 * np.pi * 200 * times)).astype(np.float32)


def convert(path: Path, voice: str, group: str) -> Item:
    """Return the mels and the F0 of a conversion."""
    tap = Tap()
    voxcycle.convert(load_mono(path, RATE), load_voice(voice), sample_rate=RATE, vocoder=tap)
    mels, contours = zip(*tap.given, strict=True)
    return Item(group, path, np.concatenate(mels), np.concatenate(contours))


def copy(path: Path) -> Item:
    """Return the mels and the F0 of the recording itself."""
    waveform = load_mono(path, RATE)
    found = find_activity(waveform, SPEC)
    log_mel = LogMel(SPEC)(found.level(waveform))
    return Item(COPIES, path, log_mel, found.f0_hz[: len(log_mel)])


def list_items(conditions: Path, corpus: Path) -> list[tuple[Path, str, str]]:
    """Return (recording, voice or copies, group) of all that is rendered."""
    clips = [
        path
        for folder in sorted((conditions / "clean").iterdir())
        for path in sorted(folder.iterdir())[:3]
    ]
    clips = [path for path in clips if not path.parent.name.startswith("arabic")]
    clips = clips[:: max(1, len(clips) // N_REAL)][:N_REAL]
    sentences = {
        speaker: sorted((corpus / "wavs" / speaker / "valid").glob("*.flac"))
        for speaker in SPEAKERS.values()
    }
    items = []
    for voice, own in SPEAKERS.items():
        others = [p for s, of in sentences.items() if s != own for p in of[:N_PER_SPEAKER]]
        items += [(path, voice, f"{voice}, real") for path in clips]
        items += [(path, voice, f"{voice}, synthetic") for path in others]
    copied = [p for of in sentences.values() for p in of[2 * N_PER_SPEAKER : 3 * N_PER_SPEAKER]]
    items += [(path, COPIES, COPIES) for path in copied]
    return items


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("vocoders", nargs="+", help="names or files")
    parser.add_argument("--conditions", type=Path, required=True, help="made by conditions.py")
    parser.add_argument("--corpus", type=Path, required=True, help="made by egs/kokoro")
    parser.add_argument("--every", type=int, default=1, help="take each n-th recording")
    parser.add_argument("--result", help="ID of the result file to write under results/")
    args = parser.parse_args()
    torch.set_num_threads(1)
    use_threads(1)
    started = time.monotonic()
    listed = list_items(args.conditions, args.corpus)[:: args.every]
    predictor = DistillMOS()
    vocoders = {name: load_vocoder(name, SPEC) for name in args.vocoders}
    rows = []
    with late_progress("renderings", len(listed) * len(vocoders)) as advance:
        items = [
            copy(path) if voice == COPIES else convert(path, voice, group)
            for path, voice, group in listed
        ]
        for name, vocoder in vocoders.items():
            scores: dict[str, list[float]] = defaultdict(list)
            for item in items:
                waveform = vocoder.decode(item.log_mel, item.f0_hz)
                rms = float(np.sqrt(np.mean(np.square(waveform, dtype=np.float64))))
                levelled = waveform * np.float32(10 ** (LEVEL_DBFS / 20) / max(rms, 1e-9))
                heard = resample(levelled, RATE, JUDGE_RATE)
                scores[item.group].append(predictor.score(heard))
                advance()
            for group, of in scores.items():
                row = {"row": name, "group": group, "n_clips": len(of)}
                rows.append(row | {"distillmos": round(float(np.mean(of)), 4)})
                print(json.dumps(rows[-1]), flush=True)
    if args.result:
        record(
            args.result,
            "DistillMOS of the same mels through vocoders, validation speakers",
            rows=rows,
            recordings=[item.path for item in items],
            started=started,
        )


if __name__ == "__main__":
    main()
