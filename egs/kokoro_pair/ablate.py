"""What each part of the method is worth: variants at equal arithmetic, same pair, same sentences.

    python egs/kokoro_pair/ablate.py CORPUS OUT probe            # steps of each variant, idle
    python egs/kokoro_pair/ablate.py CORPUS OUT train NAME SEED  # one training, one thread
    python egs/kokoro_pair/ablate.py CORPUS OUT report           # the table of what is finished

A variant has as many steps as fit into 20 minutes of one thread at its own step time, measured
alone. `ablate.sh` runs all of it, two trainings at a time.
"""

import argparse
import json
import shutil
from pathlib import Path

import torch
from rich.console import Console

from voxcycle.audio.mel import MelSpec
from voxcycle.evaluation.dataset import list_sources, list_target
from voxcycle.evaluation.report.terminal import evaluate_with_progress
from voxcycle.evaluation.run import Evaluation, default_cache_dir
from voxcycle.evaluation.stats.summary import markdown_table, print_value
from voxcycle.speech.config import VoiceTrainingConfig
from voxcycle.speech.domains import find_domains, load_data
from voxcycle.speech.train_voice import measure_step_seconds, train_voice
from voxcycle.voices.library import load_voice

CPU_MINUTES = 20
N_TIMED_STEPS = 40
SPEAKERS = {"liam": ("af_kore", "am_liam"), "kore": ("am_liam", "af_kore")}  # voice: source, target
NO_ADVERSARIAL = {"adversarial_a": 0.0, "adversarial_b": 0.0}
VARIANTS: dict[str, dict[str, object]] = {
    "ours": {},
    "plain-identity": {"is_perturbed": False},
    "no-f0": {"uses_f0": False, "sees_excitation": False},
    "no-adversarial": NO_ADVERSARIAL,
    "no-cycle": {"cycle_a": 0.0, "cycle_b": 0.0},
    "no-masks": {"max_masked_frames": 0},
    "blind-judges": {"sees_excitation": False},
    "two-step": {"second_adversarial": 1.0},
    "published-losses": {
        "is_perturbed": False,
        "judges_identity": False,
        "adversarial_a": 1.0,
        "adversarial_b": 1.0,
        "cycle_a": 10.0,
        "cycle_b": 10.0,
        "identity_a": 5.0,
        "identity_b": 5.0,
        "second_adversarial": 1.0,
    },
}
COLUMNS = ("secs_target", "secs_source", "cer", "distillmos", "f0_rmse_semitones", "mcd_db")


def make_config(corpus: Path, out: Path, name: str, seed: int, steps: int) -> VoiceTrainingConfig:
    return VoiceTrainingConfig(
        a=corpus / "pair" / "af_kore",
        b=corpus / "pair" / "am_liam",
        name_a="kore",
        name_b="liam",
        language="en",
        out=out / f"{name}-{seed}",
        seed=seed,
        steps=steps,
        threads=1,
        from_scratch=True,
        prepares=False,
        samples=0,  # the last average is exported: no variant is chosen by judges
        **VARIANTS[name],
    )


def probe(corpus: Path, out: Path) -> None:
    """Measure the step time of every variant and write the steps that 20 minutes hold."""
    console, spec = Console(stderr=True), MelSpec()
    torch.set_num_threads(1)
    first = make_config(corpus, out, "ours", 0, 1)
    domains = find_domains(first, console)
    steps = {}
    for name in VARIANTS:
        config = make_config(corpus, out, name, 0, 1)
        crops = load_data(config, domains, spec, console).crops(config, spec, valid=False)
        seconds = measure_step_seconds(config, crops, N_TIMED_STEPS)
        steps[name] = round(60 * CPU_MINUTES / seconds)
        console.print(f"{name}: {1000 * seconds:.0f} ms a step, {steps[name]} steps")
    out.mkdir(parents=True, exist_ok=True)
    (out / "steps.json").write_text(json.dumps(steps, indent=1))


def train(corpus: Path, out: Path, name: str, seed: int) -> None:
    """Train a variant and evaluate both directions on the evaluation sentences."""
    steps = json.loads((out / "steps.json").read_text())[name]
    config = make_config(corpus, out, name, seed, steps)
    train_voice(config, resume=(config.out / "last.ckpt").exists())
    for voice, (source, target) in SPEAKERS.items():
        evaluation = evaluate_with_progress(
            load_voice(config.out / f"{voice}.safetensors"),
            list_sources(corpus / "eval" / source, "en", None, corpus / "eval" / target),
            list_target(corpus / "valid" / target, "en"),
            cache_dir=default_cache_dir(),
        )
        evaluation.save(config.out / f"{voice}.json")
    shutil.rmtree(config.out / "log", ignore_errors=True)


def report(out: Path) -> None:
    """Print a line per finished training and direction."""
    cells = [["variant", "seed", "steps", "voice", *COLUMNS]]
    steps = json.loads((out / "steps.json").read_text())
    for name in VARIANTS:
        for folder in sorted(out.glob(f"{name}-[0-9]*")):
            for voice in SPEAKERS:
                if (folder / f"{voice}.json").exists():
                    lines = Evaluation.load(folder / f"{voice}.json").summary()
                    values = next(line for line in lines if line.row == voice).values
                    printed = [print_value(values.get(column), "3") for column in COLUMNS]
                    seed = folder.name.rsplit("-", 1)[1]
                    cells.append([name, seed, str(steps[name]), voice, *printed])
    print(markdown_table(cells))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("corpus", type=Path)
    parser.add_argument("out", type=Path)
    parser.add_argument("stage", choices=("probe", "train", "report"))
    parser.add_argument("name", nargs="?", choices=VARIANTS)
    parser.add_argument("seed", nargs="?", type=int, default=0)
    args = parser.parse_args()
    if args.stage == "probe":
        probe(args.corpus, args.out)
    elif args.stage == "report":
        report(args.out)
    elif args.name is None:
        parser.error("train needs the name of a variant")
    else:
        train(args.corpus, args.out, args.name, args.seed)


if __name__ == "__main__":
    main()
