"""Trials: trainings that differ in one setting, evaluated alike, in one table.

    python egs/experiment.py STUDY OUT [--jobs 2] [--only RUN ...] [--limit N]

ablation    what each part of the method contributes: the Kokoro pair, 20 minutes of one thread per
            run at its own step time; two hours
curves      quality against training time: two pairs, 1 to 60 minutes of one thread, from the
            pretrained networks and from scratch, and with more or less speech; three hours
vocoder     what each part of the vocoder contributes: 1,500 steps of the spectral losses alone,
            scored in copy synthesis of the validation speakers; eight minutes per run
pretrained  clones of the Kokoro pair, without training, by the snapshots OUT/pretrained-*

Finished runs are kept, started ones continue. Corpora: egs/kokoro, egs/kokoro_pair and
egs/fillets_nl, stages 1 and 2; for `curves` also `egs/fillets_nl/prepare.py` with 2 and 10 minutes,
into ~/.cache/voxcycle/fillets_nl-2 and -10. Results and verdicts: docs/experiments.
"""

import argparse
import json
import os
import re
import shutil
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, NamedTuple

import torch
from matplotlib.figure import Figure
from rich.console import Console

from voxcycle.audio.mel import MelSpec
from voxcycle.evaluation.dataset import list_sources, list_target
from voxcycle.evaluation.metrics.all_metrics import QUICK_METRICS
from voxcycle.evaluation.report.terminal import evaluate_with_progress
from voxcycle.evaluation.run import Evaluation
from voxcycle.evaluation.stats.summary import MEAN, markdown_table, print_value
from voxcycle.evaluation.systems import COPY_SYNTHESIS
from voxcycle.files import cache_dir
from voxcycle.runtime.session import use_threads
from voxcycle.speech.clone import clone_voice
from voxcycle.speech.config import VoiceTrainingConfig
from voxcycle.speech.crops import UnpairedCrops
from voxcycle.speech.domains import find_domains, load_data
from voxcycle.speech.train_vocoder import VocoderTrainingConfig, train_vocoder
from voxcycle.speech.train_voice import measure_step_seconds, train_voice
from voxcycle.voices.library import load_voice
from voxcycle.voices.voice import VoiceCard

CACHE = cache_dir("experiments").parent
KOKORO_CORPUS = CACHE / "kokoro"
N_TIMED_STEPS = 40
VOCODER_STEPS = 1500
VALIDATION_SPEAKERS = ("af_nova", "am_eric")
SCRATCH = {"from_scratch": True, "prepares": False}
COLUMNS = ("secs_target", "secs_source", "wer", "cer", "distillmos", "f0_rmse_semitones", "mcd_db")
DRAWN = {"secs_target": "SECS to the target", "distillmos": "DistillMOS"}


class Side(NamedTuple):
    """A speaker: the voice's name, and folders of training, test and reference recordings."""

    name: str
    train: Path
    test: Path
    references: Path


class Pair(NamedTuple):
    """Two speakers of one language; `is_parallel`: both read the same test sentences."""

    sides: tuple[Side, Side]
    language: str
    is_parallel: bool


def _kokoro(name: str, speaker: str) -> Side:
    return Side(name, *(KOKORO_CORPUS / part / speaker for part in ("pair", "eval", "valid")))


def _dutch(folder: str) -> Pair:
    def side(name: str) -> Side:
        train, test = (CACHE / folder / part / name for part in ("train", "test"))
        return Side(f"dutch_{name}", train, test, test)

    return Pair((side("woman"), side("man")), "nl", False)


def _print_columns(values: dict[str, float]) -> list[str]:
    return [print_value(values.get(column), "3") for column in COLUMNS]


KOKORO = Pair((_kokoro("kore", "af_kore"), _kokoro("liam", "am_liam")), "en", True)
DUTCH = _dutch("fillets_nl")


@dataclass(frozen=True)
class Run:
    """A training of a pair: its settings, and the minutes of one thread at which it is evaluated.

    The last average is exported: no choice of weights and no postfilter blur the comparison.
    """

    pair: Pair
    settings: dict[str, Any] = field(default_factory=dict)
    marks: tuple[int, ...] = (1, 2, 5, 15)

    def config(self, out: Path, steps: int) -> VoiceTrainingConfig:
        """Return the settings of the training up to a step."""
        a, b = self.pair.sides
        common: dict[str, Any] = {"threads": 1, "samples": 0, "formant_postfilter": 0.0}
        return VoiceTrainingConfig(
            a=a.train,
            b=b.train,
            name_a=a.name,
            name_b=b.name,
            language=self.pair.language,
            out=out,
            steps=steps,
            **common | self.settings,
        )


ABLATED: dict[str, dict[str, Any]] = {
    "ours-0": {},
    "ours-1": {"seed": 1},
    "ours-2": {"seed": 2},
    "plain-identity": {"perturbed_identity": 0.0},
    "no-f0": {"uses_f0": False, "sees_excitation": False},
    "no-adversarial": {"adversarial_a": 0.0, "adversarial_b": 0.0},
    "no-cycle": {"cycle_a": 0.0, "cycle_b": 0.0},
    "no-masks": {"max_masked_frames": 0},
    "blind-discriminators": {"sees_excitation": False},
    "published-losses": {
        **{"perturbed_identity": 0.0, "scores_identity": False},
        **{"adversarial_a": 1.0, "adversarial_b": 1.0, "cycle_a": 10.0, "cycle_b": 10.0},
        **{"identity_a": 5.0, "identity_b": 5.0},
    },
}
HOUR = (1, 2, 5, 15, 30, 60)
STUDIES: dict[str, dict[str, Run]] = {
    "ablation": {name: Run(KOKORO, SCRATCH | s, (20,)) for name, s in ABLATED.items()},
    "curves": {
        "kokoro-pretrained": Run(KOKORO, {}, HOUR),
        "kokoro-scratch": Run(KOKORO, {"from_scratch": True}, HOUR),
        "dutch-pretrained": Run(DUTCH, {}, HOUR),
        "dutch-scratch": Run(DUTCH, {"from_scratch": True}, HOUR),
        "dutch-2-minutes": Run(_dutch("fillets_nl-2")),
        "dutch-10-minutes": Run(_dutch("fillets_nl-10")),
    },
}
VOCODERS: dict[str, dict[str, Any]] = {
    "all": {},
    "no-prior": {"has_prior": False},
    "no-phase": {"has_phase": False},
}


def probe(out: Path, runs: dict[str, Run]) -> None:
    """Measure how many steps of each run fit into a minute of one idle thread, and store it."""
    if (out / "steps.json").exists():
        return
    console, spec, steps = Console(stderr=True), MelSpec(), {}
    torch.set_num_threads(1)
    for name, run in runs.items():
        config = run.config(out / "probe" / name, 1)
        data = load_data(config, find_domains(config, console), spec, console)
        crops = UnpairedCrops(config, data.train_a, [data.train_b], spec=spec, prior=data.prior)
        steps[name] = 60 / measure_step_seconds(config, crops, N_TIMED_STEPS)
        console.print(f"{name}: {steps[name]:.0f} steps a minute")
    out.mkdir(parents=True, exist_ok=True)
    (out / "steps.json").write_text(json.dumps(steps, indent=1))


def train(out: Path, name: str, run: Run) -> None:
    """Train up to each mark and evaluate both directions there."""
    per_minute = json.loads((out / "steps.json").read_text())[name]
    sides = run.pair.sides
    for mark in run.marks:
        config = run.config(out / name, round(mark * per_minute))
        files = [config.out / f"{side.name}-{mark}.json" for side in sides]
        if all(file.exists() for file in files):
            continue
        checkpoint = config.out / "last.ckpt"
        if checkpoint.exists():
            reached = torch.load(checkpoint, weights_only=True)["steps_done"]
            if reached > config.steps:
                raise SystemExit(f"{checkpoint}: beyond {mark} minutes, which were not evaluated")
        train_voice(config, resume=checkpoint.exists())
        for target, source, file in zip(sides, sides[::-1], files, strict=True):
            evaluate_with_progress(
                load_voice(config.out / f"{target.name}.safetensors"),
                list_sources(
                    source.test,
                    run.pair.language,
                    parallel=target.test if run.pair.is_parallel else None,
                ),
                list_target(target.references, run.pair.language),
                metrics=(*QUICK_METRICS, "pitch", "distance"),
                cache_dir=cache_dir("evaluation"),
            ).save(file)
    shutil.rmtree(out / name / "log", ignore_errors=True)


def report(out: Path, runs: dict[str, Run]) -> None:
    """Print a line per run, direction and mark; draw `curves.png` where there are several marks."""
    cells = [["run", "voice", "minutes", *COLUMNS]]
    curves: dict[tuple[str, str], dict[int, dict[str, float]]] = {}
    ceilings: dict[str, dict[str, float]] = {}
    for name, run in runs.items():
        for side in run.pair.sides:
            for mark in run.marks:
                file = out / name / f"{side.name}-{mark}.json"
                if file.exists():
                    lines = {line.row: line.values for line in Evaluation.load(file).summary()}
                    values = lines[side.name]
                    cells.append([name, side.name, str(mark), *_print_columns(values)])
                    curves.setdefault((side.name, name), {})[mark] = values
                    # Runs with more or less speech have other test clips: the first run counts.
                    ceilings.setdefault(side.name, lines[COPY_SYNTHESIS])
    print(markdown_table(cells))
    if not any(len(marks) > 1 for marks in curves.values()):
        return
    figure = Figure(figsize=(4 * len(ceilings), 6), dpi=110, layout="constrained")
    grid = figure.subplots(len(DRAWN), len(ceilings), sharex=True, sharey="row", squeeze=False)
    for (measure, label), row in zip(DRAWN.items(), grid, strict=True):
        row[0].set_ylabel(label)
        for axes, (voice, ceiling) in zip(row, ceilings.items(), strict=True):
            for (owner, name), marks in curves.items():
                if owner == voice:
                    heights = [values[measure] for values in marks.values()]
                    axes.plot(list(marks), heights, "o-", label=name)
            axes.axhline(ceiling[measure], color="0.6", linestyle=":", label="copy synthesis")
            axes.set(xscale="log", xlabel="minutes of one thread", title=voice)
            axes.set_xticks(HOUR, labels=[str(mark) for mark in HOUR])
            axes.minorticks_off()
            axes.legend(fontsize=7)
    figure.savefig(out / "curves.png")


def train_ablated_vocoder(out: Path, name: str) -> None:
    """Train a vocoder without one of its parts, by the spectral losses alone."""
    if (out / name / "vocoder.safetensors").exists():
        return
    small = {"batch_size": 8, "discriminator_width": 0, "period_width": 0, "threads": 1}
    folders = (p for part in ("pool", "target") for p in (KOKORO_CORPUS / part).iterdir())
    config = VocoderTrainingConfig(
        folders=tuple(sorted(folders)),
        out=out / name,
        steps=VOCODER_STEPS,
        **small | VOCODERS[name],
    )
    train_vocoder(config, resume=(out / name / "last.ckpt").exists())


def report_vocoders(out: Path, limit: int) -> None:
    """Score the vocoders in copy synthesis of the validation speakers."""
    script = Path(__file__).parent / "kokoro" / "copy_synthesis.py"
    files = [out / name / "vocoder.safetensors" for name in VOCODERS]
    options = ["--corpus", KOKORO_CORPUS, "--limit", str(limit), "--metrics", "distillmos", "pitch"]
    command = [sys.executable, script, *files, *options, "--result", out / "vocoders.json"]
    subprocess.run(command, check=True)


def report_snapshots(out: Path, limit: int) -> None:
    """Clone the pair by every snapshot, and convert the validation speakers to the clones."""
    sources = tuple(
        speaker
        for name in VALIDATION_SPEAKERS
        for speaker in list_sources(KOKORO_CORPUS / "valid" / name, "en", n_sentences=limit)
    )
    snapshots = {
        int(re.findall(r"\d+", p.stem)[-1]): p for p in out.glob("pretrained-*.safetensors")
    }
    cells = [["steps", "target", *COLUMNS]]
    for steps, path in sorted(snapshots.items()):
        for side in KOKORO.sides:
            clone = out / "clones" / f"{side.name}-{steps}.safetensors"
            clone.parent.mkdir(exist_ok=True)
            clone_voice(side.train, VoiceCard("clone"), clone, path)
            evaluation = evaluate_with_progress(
                load_voice(clone),
                sources,
                list_target(side.references, "en"),
                metrics=QUICK_METRICS,
                cache_dir=cache_dir("evaluation"),
            )
            lines = {(line.row, line.speaker): line.values for line in evaluation.summary()}
            cells.append([f"{steps:,}", side.name, *_print_columns(lines["clone", MEAN])])
    print(markdown_table(cells))


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("study", choices=(*STUDIES, "vocoder", "pretrained"))
    parser.add_argument("out", type=Path, help="folder of the runs")
    parser.add_argument("--jobs", type=int, default=2, help="trainings at a time")
    parser.add_argument("--only", nargs="+", help="these runs alone")
    parser.add_argument("--limit", type=int, default=10, help="sentences per validation speaker")
    parser.add_argument("--train", metavar="RUN", help=argparse.SUPPRESS)  # one run, as a process
    args = parser.parse_args()
    runs = STUDIES.get(args.study, {})
    known = list(runs or (VOCODERS if args.study == "vocoder" else ()))
    if unknown := set(args.only or ()) - set(known):
        parser.error(f"no run {', '.join(sorted(unknown))} in {args.study}: {', '.join(known)}")
    if args.train:
        use_threads(1)  # ONNX Runtime knows no OMP_NUM_THREADS
        if runs:
            train(args.out, args.train, runs[args.train])
        else:
            train_ablated_vocoder(args.out, args.train)
        return
    if runs:
        probe(args.out, runs)

    def start(name: str) -> None:
        command = [sys.executable, __file__, args.study, str(args.out), "--train", name]
        subprocess.run(command, check=True, env=os.environ | {"OMP_NUM_THREADS": "1"})

    with ThreadPoolExecutor(args.jobs) as pool:
        list(pool.map(start, args.only or known))
    if runs:
        report(args.out, runs)
    elif args.study == "vocoder":
        report_vocoders(args.out, args.limit)
    else:
        report_snapshots(args.out, args.limit)


if __name__ == "__main__":
    main()
