"""One page with every picture and number of the lecture, in its order; or a verdict.

    python egs/images/page.py RUNS docs/lecture
    python egs/images/page.py RUNS

RUNS is the folder that the recipes wrote into. On the page, systems without a result are skipped
and named. The verdict lists them and the bounds that fail; exit code 1 if there are any.
"""

import argparse
import shutil
import sys
from pathlib import Path
from typing import Any

import yaml
from jinja2 import Environment, FileSystemLoader

from voxcycle.evaluation.stats.bounds import RESULT_FILE, Result
from voxcycle.files import replacing

HERE = Path(__file__).parent
ROOT = "../.."  # of the repository, as seen from docs/lecture


def read_systems() -> list[dict[str, Any]]:
    """Return the systems in the order of the lecture."""
    return yaml.safe_load((HERE / "systems.yaml").read_text(encoding="utf-8"))


def write_page(runs: Path, out: Path) -> list[str]:
    """Write `index.html` and the pictures into `out`; return the systems without a result."""
    sections, missing = [], []
    for system in read_systems():
        folder = runs / system["recipe"]
        if not (folder / RESULT_FILE).exists():
            missing.append(system["recipe"])
            continue
        result = Result.load(folder)
        target = out / result.system
        shutil.rmtree(target, ignore_errors=True)
        target.mkdir(parents=True)
        for name in result.pictures:
            shutil.copy(folder / name, target / name)
        sections.append((system, result))
    templates = Environment(loader=FileSystemLoader(HERE), autoescape=True)
    template = templates.get_template("page.html.j2")
    with replacing(out / "index.html") as partial:
        partial.write_text(template.render(sections=sections, root=ROOT), encoding="utf-8")
    return missing


def find_failures(runs: Path) -> list[str]:
    """Return a line for each recipe without a result and for each bound that fails."""
    lines = []
    for folder in (runs / system["recipe"] for system in read_systems()):
        if (folder / RESULT_FILE).exists():
            bounds = Result.load(folder).bounds
            lines += [f"{folder.name}: bound fails: {b.name}" for b in bounds if not b.holds]
        else:
            lines.append(f"{folder.name}: crashed, no result")
    return lines


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("runs", type=Path)
    parser.add_argument("out", type=Path, nargs="?")
    args = parser.parse_args()
    if args.out is None:
        raise SystemExit("\n".join(find_failures(args.runs)) or None)
    missing = write_page(args.runs, args.out)
    print(args.out / "index.html")
    if missing:
        print(f"no result yet: {', '.join(missing)}", file=sys.stderr)


if __name__ == "__main__":
    main()
