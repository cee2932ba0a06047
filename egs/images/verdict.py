"""Tell which recipes have no result and which bounds fail; exit code 1 if there are any."""

import argparse
from pathlib import Path

from voxcycle.evaluation.stats.bounds import RESULT_FILE, Result


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("runs", type=Path)
    parser.add_argument("recipes", nargs="+")
    args = parser.parse_args()
    lines = []
    for recipe in args.recipes:
        folder = args.runs / recipe
        if not (folder / RESULT_FILE).exists():
            lines.append(f"{recipe}: crashed, no result")
            continue
        bounds = Result.load(folder).bounds
        lines += [f"{recipe}: bound fails: {bound.name}" for bound in bounds if not bound.holds]
    if lines:
        raise SystemExit("\n".join(lines))


if __name__ == "__main__":
    main()
