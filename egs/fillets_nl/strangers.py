"""How well `voxcycle prepare` finds clips that do not belong: planted among the Dutch ones.

    python egs/fillets_nl/strangers.py DATA REAL    # folders of egs/fillets_nl and egs/real

Four clips of a kind among eighty of the woman, then of the man, five times each kind with other
clips. Found: at the threshold that flags 5 % of the own clips of that draw, by the embedding alone,
by the VAE alone and by both; and at the threshold of the program, with what it flags of the own.
"""

import argparse
import subprocess
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from rich.console import Console
from rich.progress import track

from voxcycle.audio.mel import MelSpec
from voxcycle.audio.mixdown import load_mono
from voxcycle.audio.segment import normalize_level
from voxcycle.evaluation.summary import markdown_table
from voxcycle.training.strangers import STRANGE, find_strangeness

N_OWN, N_PLANTED, N_DRAWS = 80, 4, 5
MUSIC_S = 4.0
FALSE_ALARMS = 0.05
GAIN = 8.0  # of what is then clipped
Wave = NDArray[np.float32]


def load(paths: list[Path], n: int, rng: np.random.Generator) -> list[Wave]:
    """Return n clips of at least a second at the analysis rate, drawn from the files."""
    clips: list[Wave] = []
    for index in rng.permutation(len(paths)):
        clip = load_mono(paths[index], MelSpec().sample_rate)
        if len(clip) >= MelSpec().sample_rate:
            clips.append(normalize_level(clip, MelSpec().sample_rate).waveform)
        if len(clips) == n:
            break
    return clips


def fetch_music(data: Path) -> list[Path]:
    """Return the music of the game, fetched if it is not there."""
    folder = data / "music"
    if not folder.exists():
        folder.mkdir()
        command = "apt-get download fillets-ng-data && dpkg-deb -x fillets-ng-data_*.deb ."
        subprocess.run(command, shell=True, cwd=folder, check=True)
    return sorted(folder.rglob("music/*.ogg"))


def cut_music(paths: list[Path], rng: np.random.Generator) -> list[Wave]:
    """Return excerpts of four seconds."""
    rate = MelSpec().sample_rate
    excerpts = []
    for path in paths:
        music = load_mono(path, rate)
        for start in rng.integers(0, max(1, len(music) - round(MUSIC_S * rate)), 3):
            excerpt = music[start : start + round(MUSIC_S * rate)]
            if np.abs(excerpt).max() > 0.01:
                excerpts.append(normalize_level(excerpt, rate).waveform)
    return excerpts


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("data", type=Path)
    parser.add_argument("real", type=Path)
    args = parser.parse_args()
    rng, spec = np.random.default_rng(0), MelSpec()
    dutch = {
        name: sorted((args.data / "download").rglob(f"nl/*-{letter}-*.ogg"))
        for name, letter in (("woman", "m"), ("man", "v"))
    }
    same_sex = {"woman": ("allison", "russian_woman"), "man": ("carlo",)}
    music = cut_music(fetch_music(args.data), rng)
    cells = [["among", "planted", "embedding", "VAE", "both", "flagged", "own flagged"]]
    for name in track(dutch, "Planting", console=Console(stderr=True)):
        own = load(dutch[name], N_OWN + 60, rng)
        usual, spare = own[:N_OWN], own[N_OWN:]
        other = "man" if name == "woman" else "woman"
        kinds = {
            f"the Dutch {other}": load(dutch[other], 60, rng),
            **{
                speaker: load(sorted((args.real / "train" / speaker).glob("*")), 60, rng)
                for speaker in same_sex[name]
            },
            "own, 0 dB noise": [
                clip + rng.normal(0, clip.std(), len(clip)).astype(np.float32) for clip in spare
            ],
            "own, clipped": [
                np.clip(GAIN * clip, -np.abs(clip).max(), np.abs(clip).max()) for clip in spare
            ],
            "music": music,
        }
        for kind, clips in kinds.items():
            rates = []
            for _ in range(N_DRAWS):
                planted = [clips[i] for i in rng.permutation(len(clips))[:N_PLANTED]]
                scores = find_strangeness(usual + planted, spec)
                columns = [[s.voice for s in scores], [s.sound for s in scores]]
                columns.append([s.total for s in scores])
                found = []
                for column in np.array(columns):
                    limit = np.quantile(column[:N_OWN], 1 - FALSE_ALARMS)
                    found.append(np.mean(column[N_OWN:] > limit))
                total = np.array(columns[-1])
                found += [
                    np.mean(total[N_OWN:] >= STRANGE),
                    np.mean(total[:N_OWN] >= STRANGE),
                ]
                rates.append(found)
            cells.append([name, kind, *(f"{100 * x:.0f} %" for x in np.mean(rates, 0))])
    print(markdown_table(cells))


if __name__ == "__main__":
    main()
