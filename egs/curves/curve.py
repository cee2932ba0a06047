"""How good a pair is after 1 to 60 minutes of training, from the base and from scratch.

    python egs/curves/curve.py OUT probe                 # steps a minute holds, on one idle thread
    python egs/curves/curve.py OUT train NAME [MINUTES]  # one training, judged at every mark
    python egs/curves/curve.py OUT report                # the table, and OUT/curves.png

Corpora: egs/kokoro_pair and egs/fillets_nl, stages 1 and 2. `curves.sh` runs all of it.
"""

import argparse
import json
import shutil
from pathlib import Path
from typing import Any, NamedTuple

import torch
from matplotlib.figure import Figure
from rich.console import Console

from voxcycle.audio.mel import MelSpec
from voxcycle.evaluation.dataset import list_sources, list_target
from voxcycle.evaluation.metrics.all_metrics import QUICK_METRICS
from voxcycle.evaluation.report.terminal import evaluate_with_progress
from voxcycle.evaluation.run import Evaluation, default_cache_dir
from voxcycle.evaluation.stats.summary import markdown_table, print_value
from voxcycle.evaluation.systems import COPY_SYNTHESIS
from voxcycle.speech.config import VoiceTrainingConfig
from voxcycle.speech.domains import find_domains, load_data
from voxcycle.speech.train_voice import measure_step_seconds, train_voice
from voxcycle.voices.library import load_voice

CACHE = Path.home() / ".cache" / "voxcycle"
MARKS = (1, 2, 5, 15, 30, 60)  # minutes
N_TIMED_STEPS = 40
COLUMNS = ("secs_target", "secs_source", "wer", "cer", "distillmos", "mcd_db")
SHOWN = ("secs_target", "distillmos")


class Side(NamedTuple):
    """A speaker: the voice's name, and folders to train on, to convert and score, to refer to."""

    name: str
    train: Path
    test: Path
    target: Path


KOKORO = tuple(
    Side(name, *(CACHE / "kokoro" / part / speaker for part in ("pair", "eval", "valid")))
    for name, speaker in (("kore", "af_kore"), ("liam", "am_liam"))
)


def dutch(folder: str) -> tuple[Side, ...]:
    """Return the Dutch pair as a call of its prepare.py left it."""
    root = CACHE / folder
    return tuple(
        Side(f"dutch_{name}", root / "train" / name, root / "test" / name, root / "test" / name)
        for name in ("woman", "man")
    )


# Pair, language, settings. The others, from the base: as much or as little speech; crops drawn so
# that rare sounds come as often as usual ones.
RUNS: dict[str, tuple[tuple[Side, ...], str, dict[str, Any]]] = {
    "kokoro-base": (KOKORO, "en", {}),
    "kokoro-scratch": (KOKORO, "en", {"from_scratch": True}),
    "dutch-base": (dutch("fillets_nl"), "nl", {}),
    "dutch-scratch": (dutch("fillets_nl"), "nl", {"from_scratch": True}),
    "dutch-2-minutes": (dutch("fillets_nl-2"), "nl", {}),
    "dutch-10-minutes": (dutch("fillets_nl-10"), "nl", {}),
    "dutch-rare-sounds": (dutch("fillets_nl"), "nl", {"rare_sounds": 1.0}),
}


def make_config(out: Path, name: str, steps: int) -> VoiceTrainingConfig:
    (a, b), language, settings = RUNS[name]
    return VoiceTrainingConfig(
        a=a.train,
        b=b.train,
        name_a=a.name,
        name_b=b.name,
        language=language,
        out=out / name,
        steps=steps,
        threads=1,
        samples=0,  # the average at the mark is exported: nothing is chosen by judges,
        sharpness=0.0,  # nor sharpened
        **settings,
    )


def probe(out: Path) -> None:
    """Measure how many steps a minute holds, and write it."""
    console, spec = Console(stderr=True), MelSpec()
    torch.set_num_threads(1)
    config = make_config(out / "probe", "kokoro-scratch", 1)
    crops = load_data(config, find_domains(config, console), spec, console)
    seconds = measure_step_seconds(config, crops.crops(config, spec, valid=False), N_TIMED_STEPS)
    out.mkdir(parents=True, exist_ok=True)
    (out / "steps.json").write_text(json.dumps(60 / seconds))
    console.print(f"{60 / seconds:.0f} steps a minute")


def train(out: Path, name: str, minutes: float) -> None:
    """Train up to a mark, judge both directions, go on; what is there already is kept."""
    if not (out / "steps.json").exists():
        raise SystemExit(f"{out}: how many steps a minute holds is not known; run probe first")
    per_minute = json.loads((out / "steps.json").read_text())
    sides, language, _ = RUNS[name]
    for mark in (mark for mark in MARKS if mark <= minutes):
        config = make_config(out, name, round(mark * per_minute))
        files = [config.out / f"{side.name}-{mark}.json" for side in sides]
        if all(file.exists() for file in files):
            continue
        checkpoint = config.out / "last.ckpt"
        if checkpoint.exists() and steps_of(checkpoint) > config.steps:
            raise SystemExit(f"{checkpoint}: trained beyond {mark} minutes, which are not judged")
        train_voice(config, resume=checkpoint.exists())
        for target, source, file in zip(sides, sides[::-1], files, strict=True):
            parallel = target.test if language == "en" else None  # they say the same there
            evaluation = evaluate_with_progress(
                load_voice(config.out / f"{target.name}.safetensors"),
                list_sources(source.test, language, None, parallel),
                list_target(target.target, language),
                metrics=(*QUICK_METRICS, "distance"),
                cache_dir=default_cache_dir(),
            )
            evaluation.save(file)
    shutil.rmtree(out / name / "log", ignore_errors=True)


def steps_of(checkpoint: Path) -> int:
    return int(torch.load(checkpoint, weights_only=True)["steps_done"])


def report(out: Path) -> None:
    """Print a line per mark and direction, and draw the curves."""
    cells = [["run", "voice", "minutes", *COLUMNS]]
    curves: dict[tuple[str, str], dict[int, list[float]]] = {}
    ceilings: dict[str, list[float]] = {}
    for name, (sides, _, _) in RUNS.items():
        for side in sides:
            for mark in MARKS:
                file = out / name / f"{side.name}-{mark}.json"
                if not file.exists():
                    continue
                lines = {line.row: line.values for line in Evaluation.load(file).summary()}
                values = lines[side.name]
                printed = [print_value(values.get(column), "3") for column in COLUMNS]
                cells.append([name, side.name, str(mark), *printed])
                curves.setdefault((side.name, name), {})[mark] = [values[c] for c in SHOWN]
                # The runs with more or less speech have other test clips: the first run counts.
                ceilings.setdefault(side.name, [lines[COPY_SYNTHESIS][c] for c in SHOWN])
    print(markdown_table(cells))
    figure = Figure(figsize=(4 * len(ceilings), 6), dpi=110, layout="constrained")
    grid = figure.subplots(len(SHOWN), len(ceilings), sharex=True, sharey="row", squeeze=False)
    for row in range(len(SHOWN)):
        for column, voice in enumerate(ceilings):
            axes = grid[row, column]
            for (owner, name), marks in curves.items():
                if owner == voice:
                    axes.plot(marks.keys(), [v[row] for v in marks.values()], "o-", label=name)
            axes.axhline(ceilings[voice][row], color="0.6", linestyle=":", label="copy synthesis")
            axes.set(xscale="log", title=voice if row == 0 else "")
            axes.set_xticks(MARKS, labels=[str(mark) for mark in MARKS])
            axes.minorticks_off()
            if row:
                axes.set_xlabel("minutes of one thread")
            if not column:
                axes.set_ylabel("SECS to the target" if row == 0 else "DistillMOS")
            if not row:
                axes.legend(fontsize=7)
    figure.savefig(out / "curves.png")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("out", type=Path)
    parser.add_argument("stage", choices=("probe", "train", "report"))
    parser.add_argument("name", nargs="?", choices=RUNS)
    parser.add_argument("minutes", nargs="?", type=float, default=60.0)
    args = parser.parse_args()
    if args.stage == "probe":
        probe(args.out)
    elif args.stage == "report":
        report(args.out)
    elif args.name is None:
        parser.error("train needs the name of a run")
    elif args.minutes < min(MARKS):
        parser.error(f"{args.minutes:g} minutes end before the first mark, {min(MARKS)}")
    else:
        train(args.out, args.name, args.minutes)


if __name__ == "__main__":
    main()
