"""Decode 40 clips of each real speaker to mono flac, and five minutes of others to train on.

Usage: decode.py UNPACKED DIR. Clips of 2 to 10 s, in the order of the hash of their paths, so that
the choice is arbitrary and always the same. DIR/wavs/<speaker>: the first 20 are scored, the other
20 references; DIR/train/<speaker>: five minutes for a voice of one's own (egs/allison_carlo), and
all of the Russian woman, for vocoders.
"""

import hashlib
import re
import sys
from pathlib import Path
from typing import NamedTuple

import av
import numpy as np
import soundfile

MIN_DURATION_S = 2.0
MAX_DURATION_S = 10.0


class RealSpeaker(NamedTuple):
    """Where a speaker's clips are.

    Attributes:
        folder: under the unpacked packages.
        pattern: what the path of a clip in that folder matches, extension included.
        gain: brings the loudest clips under full scale.
        n_clips: for evaluation: half are scored, half are references.
        train_s: seconds of other clips to train on.
    """

    folder: str
    pattern: re.Pattern[str]
    gain: float = 1.0
    n_clips: int = 40
    train_s: float = 300.0


# Root folder only: digits, letters, phonetic alphabets and silences lie in folders of their own.
_PROMPT = re.compile(r"(?!tt-|beep|.*tone|.*silence)[^/]+\.g722")

SPEAKERS = {
    "allison": RealSpeaker("usr/share/asterisk/sounds/en_US_f_Allison", _PROMPT),
    "carlo": RealSpeaker("usr/share/asterisk/sounds/it_IT_m_Carlo", _PROMPT),
    # The game's actors: 7-9 % of the files decode to peaks above full scale.
    "dutch_woman": RealSpeaker(
        "usr/share/games/fillets-ng/sound", re.compile(r".*/nl/[^/]*-m-[^/]*\.ogg"), 0.5
    ),
    "dutch_man": RealSpeaker(
        "usr/share/games/fillets-ng/sound", re.compile(r".*/nl/[^/]*-v-[^/]*\.ogg"), 0.5
    ),
    # The one whose licence lets weights that ship learn from her (CC-BY): never evaluated on.
    "russian_woman": RealSpeaker(
        "usr/share/asterisk/sounds/ru_RU_f_IvrvoiceRU", _PROMPT, n_clips=0, train_s=3600.0
    ),
}


def read_clip(path: Path) -> tuple[np.ndarray, int]:
    """Return a clip as mono (T,) and its rate; raw G.722 has no header and needs its name."""
    if path.suffix != ".g722":
        samples, sample_rate = soundfile.read(path, dtype="float32", always_2d=True)
        return samples.mean(axis=1), sample_rate
    with av.open(str(path), format="g722") as container:
        blocks = [frame.to_ndarray()[0] for frame in container.decode(audio=0)]
        sample_rate = container.streams.audio[0].rate
    blocks = blocks or [np.zeros(0, np.int16)]  # some prompts are empty
    return np.concatenate(blocks).astype(np.float32) / 32768, sample_rate


def list_clips(unpacked: Path, speaker: RealSpeaker) -> list[Path]:
    folder = unpacked / speaker.folder
    names = [p.relative_to(folder).as_posix() for p in folder.rglob("*") if p.is_file()]
    chosen = [name for name in names if speaker.pattern.fullmatch(name)]
    return [folder / n for n in sorted(chosen, key=lambda n: hashlib.sha256(n.encode()).digest())]


def main() -> None:
    unpacked, out = Path(sys.argv[1]), Path(sys.argv[2])
    for name, speaker in SPEAKERS.items():
        n_scored, train_s = 0, 0.0
        for path in list_clips(unpacked, speaker):
            clip, sample_rate = read_clip(path)
            duration_s = len(clip) / sample_rate
            if not MIN_DURATION_S <= duration_s <= MAX_DURATION_S:
                continue
            if n_scored < speaker.n_clips:
                target = out / "wavs" / name / f"{n_scored:02d}_{path.stem}.flac"
                n_scored += 1
            elif train_s < speaker.train_s:
                target = out / "train" / name / f"{path.parts[-3]}-{path.stem}.flac"
                train_s += duration_s
            else:
                break
            target.parent.mkdir(parents=True, exist_ok=True)
            soundfile.write(target, np.clip(clip * speaker.gain, -1, 1), sample_rate)
        print(f"{name}: {n_scored} clips to score, {train_s:.0f} s to train on")


if __name__ == "__main__":
    main()
