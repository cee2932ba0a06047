"""How often screening notices that a folder has clips of several speakers.

    python egs/real/mixed_folders.py REAL_SPEECH --known FOLDER ... --others FOLDER ...

REAL_SPEECH is the folder of build.py, whose `eval` clips are not read; every further FOLDER holds
clips of one speaker, whom the packaged speaker encoder knows from its training or not. The clips of
REAL_SPEECH are cut into pieces of about two seconds. Of each pair that is drawn, forty clips are
mixed, or as many as there are. False alarms: all clips of each speaker, a hundred draws of twenty
where there are more than forty, and every speaker with half of the clips in another condition.
"""

import argparse
import csv
from collections import defaultdict
from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

import numpy as np
from conditions import CONDITIONS, Material
from numpy.typing import NDArray
from rich.console import Console
from rich.progress import track

from voxcycle.audio.io import list_audio
from voxcycle.audio.mel import MelSpec
from voxcycle.audio.mixdown import load_mono
from voxcycle.evaluation.stats.summary import markdown_table
from voxcycle.speech.features import analyse_waveform
from voxcycle.speech.screening import embed_clip, voice_weights
from voxcycle.speech.two_speakers import find_other_speaker

SPEC = MelSpec()
PIECE_S, MIN_PIECE_S = 2.2, 1.0
MIN_PIECES = 12  # of a speaker
N_CLIPS, N_PAIRS = 40, 400
SMALL, N_SMALL_DRAWS = 20, 100
MAN_HZ = 165.0  # below, a speaker without an entry in the manifest counts as a man
SHARES = {"50 : 50": (0.5, 0.5), "80 : 20": (0.8, 0.2), "three thirds": (1 / 3, 1 / 3, 1 / 3)}
OTHER_CONDITIONS = ("mp3", "telephone", "pink20", "room03")


Wave = NDArray[np.float32]


class Clips(NamedTuple):
    """Embeddings (N, D) of clips, and how far each is trusted, (N,)."""

    embeddings: NDArray[np.float32]
    weights: NDArray[np.float64]


class Speaker(NamedTuple):
    """A speaker's clips; the training of the encoder heard those who are known."""

    name: str
    is_known: bool
    is_man: bool
    clips: Clips


def load(path: Path, is_cut: bool) -> list[Wave]:
    """Return a clip, or the pieces of it."""
    waveform = load_mono(path, SPEC.sample_rate)
    n = max(1, round(len(waveform) / SPEC.sample_rate / PIECE_S))
    pieces = np.array_split(waveform, n) if is_cut else [waveform]
    return [piece for piece in pieces if len(piece) >= MIN_PIECE_S * SPEC.sample_rate]


def describe(pieces: list[Wave]) -> tuple[Clips, float]:
    """Return the clips as screening sees them, and the median F0 in Hz."""
    features = [analyse_waveform(piece, SPEC) for piece in pieces]
    embeddings = np.array([embed_clip(clip) for clip in features])
    f0_hz = np.concatenate([clip.f0_hz[clip.f0_hz > 0] for clip in features])
    return Clips(embeddings, voice_weights(features, SPEC)), float(np.median(f0_hz))


def list_speakers(
    real: Path, known: list[Path], others: list[Path]
) -> dict[str, tuple[bool, str, list[Path]]]:
    """Return by name whether the encoder knows a speaker, the sex if it is stated, the files."""
    found: dict[str, tuple[bool, str, list[Path]]] = {}
    with (real / "manifest.csv").open(encoding="utf-8") as file:
        for row in csv.DictReader(file):
            if row["split"] != "eval":
                is_known = row["split"] == "train"
                name = f"{row['corpus']}_{row['speaker']}"
                found.setdefault(name, (is_known, row["sex"], []))[2].append(real / row["path"])
    for folder in (*known, *others):
        found[folder.name] = (folder in known, "", list_audio(folder))
    return found


def choose(clips: Clips, n: int, rng: np.random.Generator) -> Clips:
    drawn = rng.permutation(len(clips.weights))[:n]
    return Clips(clips.embeddings[drawn], clips.weights[drawn])


def mix(parts: list[Speaker], shares: tuple[float, ...], rng: np.random.Generator) -> Clips | None:
    """Return clips of speakers in a proportion, as many as there are up to N_CLIPS."""
    n = min(N_CLIPS, *(len(p.clips.weights) / s for p, s in zip(parts, shares, strict=True)))
    counts = [round(n * share) for share in shares]
    if sum(counts) < SMALL:
        return None
    drawn = [choose(p.clips, count, rng) for p, count in zip(parts, counts, strict=True)]
    return Clips(*(np.concatenate(arrays) for arrays in zip(*drawn, strict=True)))


def is_noticed(clips: Clips) -> bool:
    return bool(find_other_speaker(*clips).any())


def count_noticed(
    speakers: list[Speaker], shares: tuple[float, ...], rng: np.random.Generator, same: bool | None
) -> tuple[int, int]:
    """Return how many of N_PAIRS mixtures are noticed; of the same sex, of both, or any."""
    noticed = n = 0
    for _ in range(50 * N_PAIRS):
        drawn = [speakers[i] for i in rng.permutation(len(speakers))[: len(shares)]]
        if same is not None and (drawn[0].is_man == drawn[1].is_man) != same:
            continue
        if (clips := mix(drawn, shares, rng)) is not None:
            n += 1
            noticed += is_noticed(clips)
        if n == N_PAIRS:
            break
    return noticed, n


def count_alone(speakers: list[Speaker]) -> tuple[int, int]:
    """Return how many speakers' folders are noticed wrongly, and of how many."""
    return sum(is_noticed(speaker.clips) for speaker in speakers), len(speakers)


def count_draws(speakers: list[Speaker], rng: np.random.Generator) -> tuple[int, int]:
    """Return how many draws of twenty clips of one speaker are noticed wrongly, and of how many."""
    large = [s.clips for s in speakers if len(s.clips.weights) > 2 * SMALL]
    draws = [choose(clips, SMALL, rng) for clips in large for _ in range(N_SMALL_DRAWS)]
    return sum(map(is_noticed, draws)), len(draws)


def change_half(
    pieces: list[Wave], change: Callable[[Material], NDArray], rng: np.random.Generator
) -> list[Wave]:
    """Return pieces of which every second is in another condition."""
    return [
        change(Material(piece.astype(np.float64), rng, [])).astype(np.float32) if i % 2 else piece
        for i, piece in enumerate(pieces)
    ]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("real", type=Path)
    parser.add_argument("--known", nargs="*", type=Path, default=[])
    parser.add_argument("--others", nargs="*", type=Path, default=[])
    args = parser.parse_args()
    rng, speakers, changed = np.random.default_rng(0), [], defaultdict(list)
    listed = list_speakers(args.real, args.known, args.others)
    for name, (is_known, sex, paths) in track(listed.items(), console=Console(stderr=True)):
        is_cut = args.real in paths[0].parents
        pieces = [piece for path in paths for piece in load(path, is_cut)]
        if len(pieces) < MIN_PIECES:
            continue
        clips, f0_hz = describe(pieces)
        is_man = sex == "m" if sex else f0_hz < MAN_HZ
        speakers.append(Speaker(name, is_known, is_man, clips))
        if not is_known:
            for condition in OTHER_CONDITIONS:
                half = change_half(pieces[:N_CLIPS], CONDITIONS[condition], rng)
                changed[condition].append(describe(half)[0])

    cells = [["folder", "speakers the encoder knows", "others"]]
    groups = [[s for s in speakers if s.is_known is known] for known in (True, False)]

    def add(what: str, counts: list[tuple[int, int]]) -> None:
        cells.append([what, *(f"{100 * k / n:.1f} % of {n}" if n else "" for k, n in counts)])

    add("one speaker", [count_alone(group) for group in groups])
    add("one speaker, twenty clips", [count_draws(group, rng) for group in groups])
    for condition, folders in changed.items():
        counts = (sum(map(is_noticed, folders)), len(folders))
        add(f"one speaker, half of the clips in {condition}", [(0, 0), counts])
    for proportion, shares in SHARES.items():
        for sexes, same in (("one sex", True), ("both", False))[: 2 if len(shares) == 2 else 0]:
            counts = [count_noticed(group, shares, rng, same) for group in groups]
            add(f"two speakers of {sexes}, {proportion}", counts)
        if len(shares) > 2:
            add("three speakers", [count_noticed(group, shares, rng, None) for group in groups])
    print(f"{len(groups[0])} speakers that the encoder knows, {len(groups[1])} others\n")
    print(markdown_table(cells))


if __name__ == "__main__":
    main()
