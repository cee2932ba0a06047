"""Choose five minutes of each actor, mono, at half scale (the files exceed full scale).

Usage: prepare.py UNPACKED OUT [MINUTES]. Writes OUT/<test|train>/<woman|man>/*.flac: clips of
1.5-12 s in the order of the hash of their paths, 20 to test, then some to train on until the
minutes are full.
"""

import hashlib
import sys
from pathlib import Path

import numpy as np
import soundfile

PATTERNS = {"woman": "**/nl/*-m-*.ogg", "man": "**/nl/*-v-*.ogg"}  # malá and velká, the two fish
MINUTES = 5.0
N_TEST = 20
GAIN = 0.5


def _hash(path: Path) -> bytes:
    return hashlib.sha256(path.as_posix().encode()).digest()


def main() -> None:
    unpacked, out = Path(sys.argv[1]), Path(sys.argv[2])
    wanted_s = 60 * float(sys.argv[3] if len(sys.argv) > 3 else MINUTES)
    for speaker, pattern in PATTERNS.items():
        folder = unpacked / "usr/share/games/fillets-ng/sound"
        paths = folder.glob(pattern)
        train_s, n_test = 0.0, 0
        for path in sorted(paths, key=lambda p: _hash(p.relative_to(folder))):
            samples, sample_rate = soundfile.read(path, dtype="float32", always_2d=True)
            duration_s = len(samples) / sample_rate
            if not 1.5 <= duration_s <= 12 or train_s >= wanted_s:
                continue
            part = "test" if n_test < N_TEST else "train"
            target = out / part / speaker / f"{path.parts[-3]}-{path.stem}.flac"
            target.parent.mkdir(parents=True, exist_ok=True)
            mono = np.clip(GAIN * samples.mean(axis=1), -1, 1)
            soundfile.write(target, mono, sample_rate)
            train_s, n_test = train_s + duration_s * (part == "train"), n_test + (part == "test")
        print(f"{speaker}: {train_s:.0f} s to train on, {n_test} clips to test")


if __name__ == "__main__":
    main()
