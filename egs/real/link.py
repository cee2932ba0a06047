"""Make speaker folders of the real speech, as trainings take them, from its manifest.

Usage: link.py REAL_SPEECH OUT. Links OUT/<train|valid>/<corpus>_<speaker>/*.flac to the clips of
those splits, never to those of `eval`, and OUT/targets/<corpus>_<speaker> to the speakers whose
recordings are long and clean enough to be what a generator learns to sound like.
"""

import csv
import sys
from pathlib import Path

TARGET_S = 25.0
TARGET_SNR_DB = 40.0


def link(path: Path, to: Path) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    if not path.is_symlink():
        path.symlink_to(to.absolute())


def main() -> None:
    real, out = Path(sys.argv[1]), Path(sys.argv[2])
    with (real / "manifest.csv").open(encoding="utf-8") as file:
        for row in csv.DictReader(file):
            if row["split"] in ("train", "valid"):
                folder = out / row["split"] / f"{row['corpus']}_{row['speaker']}"
                link(folder / Path(row["path"]).name, real / row["path"])
    with (real / "speakers.csv").open(encoding="utf-8") as file:
        for row in csv.DictReader(file):
            is_clean = float(row["snr"]) >= TARGET_SNR_DB and float(row["seconds"]) >= TARGET_S
            if row["split"] == "train" and is_clean:
                name = f"{row['corpus']}_{row['speaker']}"
                link(out / "targets" / name, out / "train" / name)


if __name__ == "__main__":
    main()
