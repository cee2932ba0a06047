"""One page with every picture and number of the lecture, in its order.

    python egs/images/page.py RUNS docs/lecture

RUNS is the folder that the recipes wrote into; systems without a result are left out and named.
"""

import argparse
import shutil
import sys
from html import escape
from pathlib import Path
from typing import Any

import yaml

from voxcycle.evaluation.stats.bounds import RESULT_FILE, Gate, Result
from voxcycle.files import replacing

HERE = Path(__file__).parent
STYLE = """
:root { color-scheme: light dark; --ink: #1c1e21; --paper: #fff; --faint: #667; --line: #d5d8dd;
  --accent: #1a5fb4; --good: #1b7f3b; --bad: #b3261e; }
@media (prefers-color-scheme: dark) { :root { --ink: #e4e6ea; --paper: #16181c; --faint: #9aa0aa;
  --line: #3a3f47; --accent: #8ab8f5; --good: #6fcf8f; --bad: #f2a19b; } }
* { box-sizing: border-box; }
body { margin: 0; background: var(--paper); color: var(--ink); overflow-wrap: anywhere;
  font: 1rem/1.5 system-ui, -apple-system, "Segoe UI", Roboto, sans-serif; }
main { max-width: 62rem; margin: 0 auto; padding: 1rem; }
a { color: var(--accent); }
h2 { margin: 3rem 0 .5rem; border-top: 1px solid var(--line); padding-top: 1.5rem; }
nav ol { columns: 16rem 3; padding-left: 1.5rem; }
figure { margin: 1.2rem 0; }
figure img { display: block; max-width: 100%; height: auto; background: #fff; }
figcaption, .about { color: var(--faint); font-size: .9rem; }
table { border-collapse: collapse; font-size: .9rem; font-variant-numeric: tabular-nums; }
th, td { text-align: left; padding: .25rem .8rem .25rem 0; border-bottom: 1px solid var(--line); }
td:nth-child(n+2) { text-align: right; white-space: nowrap; }
.ok { color: var(--good); } .fails { color: var(--bad); font-weight: 600; }
"""
INTRODUCTION = """The generative models of a lecture on deep generative modeling (MIT 6.S191, 2021),
each trained on real or drawn images on a plain CPU, each with a number that tells whether it works.
Every method is one short file; all are trained by the same loop, and the last one is the method
that converts voices. Bounds are given with the numbers that are held to them."""


def draw_gate(gate: Gate) -> str:
    """Return the table row of a number."""
    bound = verdict = ""
    if gate.bound is not None:
        bound = f"{'at least' if gate.is_least else 'at most'} {gate.bound:.4g}"
        mark, word = ("ok", "holds") if gate.holds else ("fails", "fails")
        verdict = f'<span class="{mark}">{word}</span>'
    cells = "".join(f"<td>{cell}</td>" for cell in (f"{gate.value:.4g}", bound, verdict))
    return f"<tr><td>{escape(gate.name)}</td>{cells}</tr>"


def draw_system(system: dict[str, Any], result: Result, root: str) -> str:
    """Return a system's section; its pictures lie in a folder of its name."""
    files = ", ".join(f'<a href="{root}/{file}">{file}</a>' for file in system["files"])
    figures = "".join(
        f'<figure><a href="{result.system}/{name}">'
        f'<img src="{result.system}/{name}" alt="{escape(caption)}" loading="lazy"></a>'
        f"<figcaption>{escape(caption)}</figcaption></figure>"
        for name, caption in result.pictures.items()
    )
    n, threads = result.n_trainings, result.machine["threads"]
    about = (
        f"{result.n_steps:,} steps, seed {result.seed}; "
        f"{f'all {n} trainings' if n > 1 else 'the training'} {result.seconds:,.0f} s on "
        f"{f'{threads} threads' if threads > 1 else 'one thread'} of {result.machine['cpu']}: "
        f"{result.command}"
    )
    return f"""<section id="{result.system}">
<h2>{escape(system["title"])}</h2>
<p>{escape(system["idea"].strip())}</p>
{figures}
<table><thead><tr><th>measured</th><th></th><th>bound</th><th></th></tr></thead>
<tbody>{"".join(map(draw_gate, result.gates))}</tbody></table>
<p class="about">{escape(about)}</p>
<p>{files}</p>
</section>"""


def write_page(runs: Path, out: Path, root: str = "../..") -> list[str]:
    """Write `index.html` and the pictures; return the systems without a result.

    Args:
        runs: folder of the recipes' results.
        out: folder of the page.
        root: of the repository, as seen from there.
    """
    systems = yaml.safe_load((HERE / "systems.yaml").read_text(encoding="utf-8"))
    sections, entries, missing = [], [], []
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
        sections.append(draw_system(system, result, root))
        entries.append(f'<li><a href="#{result.system}">{escape(system["title"])}</a></li>')
    page = f"""<!DOCTYPE html>
<html lang="en"><head><meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>The lecture on one small computer</title><style>{STYLE}</style></head>
<body><main>
<h1>The lecture on one small computer</h1>
<p>{INTRODUCTION}</p>
<nav><ol>{"".join(entries)}</ol></nav>
{"".join(sections)}
</main></body></html>
"""
    with replacing(out / "index.html") as partial:
        partial.write_text(page, encoding="utf-8")
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
