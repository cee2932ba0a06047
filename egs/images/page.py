"""One page with every picture and number of the lecture, in its order.

    python egs/images/page.py RUNS docs/lecture

RUNS is the folder that the recipes wrote into; systems without a result are skipped and named.
"""

import argparse
import shutil
import sys
from pathlib import Path

import yaml
from jinja2 import Environment, FileSystemLoader

from voxcycle.evaluation.stats.bounds import RESULT_FILE, Result
from voxcycle.files import replacing

HERE = Path(__file__).parent


def write_page(runs: Path, out: Path, root: str = "../..") -> list[str]:
    """Write `index.html` and the pictures; return the systems without a result.

    Args:
        runs: folder of the recipes' results.
        out: folder of the page.
        root: of the repository, as seen from there.
    """
    systems = yaml.safe_load((HERE / "systems.yaml").read_text(encoding="utf-8"))
    sections, missing = [], []
    for system in systems:
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
        partial.write_text(template.render(sections=sections, root=root), encoding="utf-8")
    return missing


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("runs", type=Path)
    parser.add_argument("out", type=Path)
    args = parser.parse_args()
    missing = write_page(args.runs, args.out)
    print(args.out / "index.html")
    if missing:
        print(f"no result yet: {', '.join(missing)}", file=sys.stderr)


if __name__ == "__main__":
    main()
