"""How well `voxcycle prepare` finds foreign clips, planted among the Dutch ones.

    python egs/fillets_nl/planted_outliers.py DATA REAL    # folders of egs/fillets_nl and egs/real

Four clips of a kind among eighty of the woman, then of the man, five times each kind with other
clips, all of one level. Found: at the threshold that flags 5 % of the own clips of that draw, by
the embedding alone, by the sounds alone and by both. Dropped, as by the program: by their samples
(clipped, noisy), or by these or their outlier scores; and how many of the own clips.
"""

import argparse
import io
import subprocess
from pathlib import Path
from typing import NamedTuple

import numpy as np
import soundfile
from numpy.typing import NDArray
from rich.console import Console
from rich.progress import track

from voxcycle.audio.io import AudioError
from voxcycle.audio.mel import MelSpec
from voxcycle.audio.mixdown import load_mono
from voxcycle.evaluation.stats.summary import markdown_table
from voxcycle.speech.features import Features, analyse_waveform
from voxcycle.speech.prepare import MIN_OUTLIER_SCORE
from voxcycle.speech.screening import score_clips
from voxcycle.speech.screening_quality import clipped_share, measure_quality

N_OWN, N_PLANTED, N_DRAWS = 80, 4, 5
MUSIC_S = 4.0
FALSE_ALARMS = 0.05
GAINS = (3, 8)  # of what is then clipped at its own peak
COLUMNS = ("embedding", "sounds", "both", "by samples", "dropped", "own dropped")
Wave = NDArray[np.float32]


def load(paths: list[Path], n: int, rng: np.random.Generator) -> list[Wave]:
    """Return n clips of at least a second at the analysis rate, drawn from the files."""
    clips: list[Wave] = []
    for index in rng.permutation(len(paths)):
        try:
            clip = load_mono(paths[index], MelSpec().sample_rate)
        except AudioError:  # some files of the game are empty
            continue
        if len(clip) >= MelSpec().sample_rate:
            clips.append(clip)
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
                excerpts.append(excerpt)
    return excerpts


def clip(wave: Wave, gain: float, in_ogg: bool = False) -> Wave:
    """Return a clip, too loud by a gain, cut off at its former peak, and compressed if wanted."""
    peak, rate = np.abs(wave).max(), MelSpec().sample_rate
    clipped = np.clip(gain * wave, -peak, peak)
    if not in_ogg:
        return clipped
    file = io.BytesIO()
    soundfile.write(file, clipped, rate, format="OGG")
    file.seek(0)
    return soundfile.read(file, dtype="float32")[0]


class Analysed(NamedTuple):
    """A clip's features, and whether its samples alone make it unusable."""

    features: Features
    is_unusable: bool


def analyse(wave: Wave) -> Analysed:
    """Analyse a clip as `voxcycle prepare` does."""
    spec = MelSpec()
    quality = measure_quality(wave, spec, clipped_share(wave[:, None]))
    return Analysed(analyse_waveform(wave, spec), bool(quality.problem()))


def find(own: list[Analysed], planted: list[Analysed]) -> NDArray[np.float64]:
    """Return the shares of planted clips that are found and dropped, and of own ones (6,)."""
    n, clips = len(own), own + planted
    scores = score_clips([clip.features for clip in clips], MelSpec())
    columns = np.array([[s.voice, s.sound, s.total] for s in scores])
    found = (columns[n:] > np.quantile(columns[:n], 1 - FALSE_ALARMS, axis=0)).mean(0)
    unusable = np.array([clip.is_unusable for clip in clips])
    dropped = unusable | (columns[:, 2] >= MIN_OUTLIER_SCORE)
    return np.array([*found, unusable[n:].mean(), dropped[n:].mean(), dropped[:n].mean()])


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("data", type=Path)
    parser.add_argument("real", type=Path)
    args = parser.parse_args()
    rng = np.random.default_rng(0)
    dutch = {
        name: sorted((args.data / "download").rglob(f"nl/*-{letter}-*.ogg"))
        for name, letter in (("woman", "m"), ("man", "v"))
    }
    same_sex = {"woman": ("allison", "russian_woman"), "man": ("carlo",)}
    music = cut_music(fetch_music(args.data), rng)
    cells = [["among", "planted", *COLUMNS]]
    for name in track(dutch, "Planting", console=Console(stderr=True)):
        own = load(dutch[name], N_OWN + 60, rng)
        usual, spare = [analyse(wave) for wave in own[:N_OWN]], own[N_OWN:]
        other = "man" if name == "woman" else "woman"
        kinds = {
            f"the Dutch {other}": load(dutch[other], 60, rng),
            **{
                speaker: load(sorted((args.real / "train" / speaker).glob("*")), 60, rng)
                for speaker in same_sex[name]
            },
            "own, 0 dB noise": [
                wave + rng.normal(0, wave.std(), len(wave)).astype(np.float32) for wave in spare
            ],
        }
        for gain in GAINS:
            kinds[f"own, {gain} times too loud"] = [clip(wave, gain) for wave in spare]
            kinds[f"own, {gain} times too loud, in OGG"] = [clip(x, gain, True) for x in spare]
        kinds["music"] = music
        for kind, clips in kinds.items():
            draws = [rng.permutation(len(clips))[:N_PLANTED] for _ in range(N_DRAWS)]
            rates = [find(usual, [analyse(clips[i]) for i in drawn]) for drawn in draws]
            cells.append([name, kind, *(f"{100 * x:.0f} %" for x in np.mean(rates, 0))])
    print(markdown_table(cells))


if __name__ == "__main__":
    main()
