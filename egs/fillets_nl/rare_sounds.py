"""What `rare_sounds` changes in the crops that a training sees.

    python egs/fillets_nl/rare_sounds.py FOLDER [FOLDER ...]

A line per folder of recordings, crops drawn over time and, after the stroke, by the kind of sound:
frames that are pauses, noise (loud, unvoiced) and voiced; voiced frames in the folder's highest and
lowest tenth of F0; how many times as often as the mean the likeliest place comes; the effective
sample size, as a share of all places.
"""

import argparse
from pathlib import Path

import numpy as np
import torch

from voxcycle.audio.mel import MelSpec
from voxcycle.audio.stats import active_frames
from voxcycle.evaluation.stats.summary import markdown_table
from voxcycle.methods.resampling import effective_sample_size
from voxcycle.speech.corpus import scan_folder
from voxcycle.speech.features import extract_features
from voxcycle.speech.patch_vae import weigh_crops

N_FRAMES, SEED = 64, 0
COLUMNS = ("pauses", "noise", "voiced", "high F0", "low F0", "likeliest", "counting")


def coverage(places: list[np.ndarray], lengths: list[int]) -> np.ndarray:
    """Return how often each frame of all recordings is in a crop, 1 in all."""
    frames = [
        np.convolve(weights, np.ones(N_FRAMES))[:n]
        for weights, n in zip(places, lengths, strict=True)
    ]
    seen = np.concatenate(frames)
    return seen / seen.sum()


def compare(folder: Path) -> list[str]:
    """Return a line of the table."""
    spec = MelSpec()
    clips = [extract_features(clip.path, spec) for clip in scan_folder(folder).clips]
    mels = [clip.mels[0].astype(np.float32) for clip in clips]
    f0_hz = np.concatenate([clip.f0_hz for clip in clips])
    is_active = np.concatenate([active_frames(mel) for mel in mels])
    low, high = np.quantile(f0_hz[f0_hz > 0], (0.1, 0.9))
    kinds = [~is_active, is_active & (f0_hz == 0), is_active & (f0_hz > 0), f0_hz > high]
    kinds.append((f0_hz > 0) & (f0_hz < low))
    lengths = [len(mel) for mel in mels]
    n_places = sum(max(1, n - N_FRAMES + 1) for n in lengths)
    over_time = [np.full(max(1, n - N_FRAMES + 1), 1 / n_places) for n in lengths]
    values = []
    for places in (over_time, weigh_crops(mels, N_FRAMES, SEED)):
        seen, weights = coverage(places, lengths), np.concatenate(places)
        counting = effective_sample_size(torch.from_numpy(weights)) / n_places
        values.append([*(seen[kind].sum() for kind in kinds), weights.max() * n_places, counting])
    formats = ["{:.1%}"] * len(kinds) + ["{:.1f}", "{:.2f}"]
    pairs = zip(formats, *values, strict=True)
    return [folder.name, *(f"{f.format(a)} / {f.format(b)}" for f, a, b in pairs)]


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("folders", nargs="+", type=Path)
    folders = parser.parse_args().folders
    torch.set_num_threads(1)
    print(markdown_table([["folder", *COLUMNS], *(compare(folder) for folder in folders)]))


if __name__ == "__main__":
    main()
