"""Shared start and end of every recipe of the lecture: arguments, settings, the result."""

import argparse
import json
import shutil
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import torch
import yaml
from torch import Tensor

from voxcycle.evaluation.stats.bounds import Bound, Result, print_bounds
from voxcycle.evaluation.stats.cost import describe_machine
from voxcycle.files import CONFIG_FILE, replacing
from voxcycle.images.image_set import ImageSet, load_images
from voxcycle.images.systems import find_system
from voxcycle.images.systems.system import SystemConfig
from voxcycle.images.train import MODEL_FILE, Model, TrainedModel, load_model, train_system
from voxcycle.methods.classifier import ClassifierTraining
from voxcycle.training.config import load_config, parse_overrides, resume_config

TIMES_FILE = "seconds.json"  # of every training of a recipe
SETTINGS = Path(__file__).parents[2] / "egs" / "images"


@dataclass(frozen=True)
class Recipe:
    """A running recipe."""

    name: str  # its settings are in egs/images/NAME.yaml
    data: Path  # the folder that egs/images/prepare.py made
    out: Path  # for trainings, pictures and `result.json`
    words: tuple[str, ...] = ()  # settings of the command line
    started: float = field(default_factory=time.monotonic)

    def load_images(self, name: str) -> ImageSet:
        """Read a set, such as "fashion/test"."""
        return load_images(self.data / f"{name}.npz")

    def resolve_config(self, method: str, **changed: Any) -> SystemConfig:
        """Return the settings: of the YAML file, then `changed`, then of the command line.

        `data`, where there are any, are under the recipe's data, and `out` under its folder.
        """
        values = self._read_settings() | changed | parse_overrides(list(self.words))
        if "data" in values:
            values["data"] = self.data / values["data"]
        values["out"] = self.out / values.get("out", "run")
        return load_config(find_system(method), values)

    def _read_settings(self) -> dict[str, Any]:
        path = SETTINGS / f"{self.name}.yaml"
        return yaml.safe_load(path.read_text(encoding="utf-8"))

    def train(self, method: str, **changed: Any) -> TrainedModel:
        """Train with the settings of `resolve_config`; an interrupted training goes on."""
        return self._train(method, self.resolve_config(method, **changed))

    def train_in_parts(
        self, method: str, parts: Sequence[float], **changed: Any
    ) -> dict[int, Model]:
        """Train as `train` does; return the model at some parts of the way, 1 the end, by steps.

        Raises:
            ValueError: the folder holds a training that has passed one of them unseen.
        """
        config = self.resolve_config(method, **changed)
        if (config.out / CONFIG_FILE).exists():
            resume_config(config)  # the parts that are there must be of these settings
        models = {}
        for n_steps in (max(1, round(part * config.steps)) for part in parts):
            path = config.out / f"step-{n_steps}.safetensors"
            if not path.exists():
                stopped = config.model_copy(update={"steps": n_steps})
                trained = self._train(method, stopped)
                if trained.n_steps > n_steps:
                    raise ValueError(
                        f"{config.out}: this training has {trained.n_steps} steps and was not kept "
                        f"at {n_steps}; name another folder with out=NAME, or remove it"
                    )
                with replacing(path) as partial:
                    shutil.copyfile(trained.path, partial)
            models[n_steps] = load_model(path)
        return models

    @torch.enable_grad()  # a recipe may run without
    def _train(self, method: str, config: SystemConfig) -> TrainedModel:
        """Train, or go on, and note the wall time of what was trained."""
        trained = train_system(method, config, resume=(config.out / "last.ckpt").exists())
        if trained.n_new_steps:
            times = self._wall_times()
            name = str(config.out.relative_to(self.out))
            times[name] = times.get(name, 0.0) + trained.seconds
            with replacing(self.out / TIMES_FILE) as partial:
                partial.write_text(json.dumps(times))
        return trained

    def _wall_times(self) -> dict[str, float]:
        """Return the seconds that each training under `out` took, all calls together."""
        path = self.out / TIMES_FILE
        return json.loads(path.read_text()) if path.exists() else {}

    def classifier(self, data: str = "avatars") -> ClassifierTraining:
        """Return the classifier of a set's factors; all recipes with one OUT share it.

        The first recipe trains it in OUT/classifier/DATA, by `egs/images/classifier.yaml` alone:
        settings of the command line are ignored.
        """
        shared = replace(self, name="classifier", out=self.out.parent / "classifier", words=())
        path = shared.out / data / MODEL_FILE
        if not path.exists():
            shared.train("classifier", data=f"{data}/train.npz", out=data)
        return load_model(path).method

    def finish(
        self, bounds: Sequence[Bound], pictures: Mapping[str, str], n_steps: int, seed: int = 0
    ) -> None:
        """Write and print the result; exit code 1 where a bound fails.

        `pictures` are file names in `out` with captions; steps and seed are those of the training
        that is shown.
        """
        command = " ".join(["python", f"recipes/images/{self.name}.py", "DATA", "OUT", *self.words])
        times = self._wall_times()
        settings = self._read_settings() | parse_overrides(list(self.words))
        n_threads = settings.get("threads") or torch.get_num_threads()
        Result(
            system=self.name,
            command=command,
            n_steps=n_steps,
            n_trainings=len(times),
            seconds=round(sum(times.values()), 1),
            seed=seed,
            bounds=list(bounds),
            pictures=dict(pictures),
            machine=describe_machine() | {"threads": n_threads},
        ).save(self.out)
        holds = print_bounds(list(bounds))
        for name in pictures:
            print(self.out / name)
        print(f"{self.out / 'result.json'}  ({time.monotonic() - self.started:.0f} s)")
        sys.exit(0 if holds else 1)


def begin(name: str, description: str | None) -> Recipe:
    """Read the command line of a recipe: DATA OUT [key=value ...]."""
    parser = argparse.ArgumentParser(
        description=description, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("data", type=Path, help="the folder that egs/images/prepare.py made")
    parser.add_argument("out", type=Path, help="folder for results; a subfolder is made in it")
    parser.add_argument("settings", nargs="*", help="key=value, of voxcycle images train")
    args = parser.parse_args()
    return Recipe(name, args.data, args.out / name, tuple(args.settings))


@torch.no_grad()
def in_batches(network: Callable[..., Tensor], *inputs: Tensor) -> Tensor:
    """Return a network's outputs for 250 examples at a time."""
    parts = zip(*(x.split(250) for x in inputs), strict=True)
    return torch.cat([network(*part) for part in parts])
