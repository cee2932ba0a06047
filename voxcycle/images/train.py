"""`train_system`: any system of the lecture, from images to a model file."""

import functools
import json
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch

from voxcycle.artifacts import IMAGE_MODEL, building, check_sizes, read_artifact, write_artifact
from voxcycle.files import CONFIG_FILE
from voxcycle.images.systems import find_system
from voxcycle.images.systems.system import SystemConfig
from voxcycle.models.coders import Shape
from voxcycle.training.config import check_run, load_config, read_settings, save_config
from voxcycle.training.loop import fit, keeps_threads, prepare_run
from voxcycle.training.state import TrainingState, restore

MODEL_FILE = "model.safetensors"
# Settings that decide how large the networks are: bounded before anything is built.
SIZES = ("width", "max_width", "n_hidden", "n_latent", "n_blocks", "n_down", "n_mapping")


@dataclass(frozen=True)
class TrainedModel:
    """What a training made: the method and its file; steps in all, and what this call took."""

    method: Any
    path: Path
    n_steps: int
    n_new_steps: int
    seconds: float


def resolve_config(
    name: str, values: dict[str, Any], path: Path | None = None, resume: bool = False
) -> SystemConfig:
    """Return a system's settings: of a YAML file, overridden by `values`.

    The run's folder is `runs/NAME` by default; a resumed run knows the other settings.

    Raises:
        ValueError: one sentence per wrong field, no images, or nothing to resume.
    """
    kind = find_system(name)
    if path is not None:
        values = read_settings(path) | values
    values = {"out": Path("runs") / name} | values
    if resume:
        folder = Path(str(values["out"]))
        check_run(folder, resume)
        check_method(folder, name)
        values = read_settings(folder / CONFIG_FILE) | values
    if "data" in kind.model_fields and "data" not in values:
        raise ValueError("name the images: --data FOLDER")
    return load_config(kind, values)


def check_method(folder: Path, name: str) -> None:
    """ValueError where the run in a folder was begun with another method."""
    stored = read_settings(folder / CONFIG_FILE).get("method", name)
    if stored != name:
        raise ValueError(
            f"{folder}: this run was begun with {stored}, not {name}; go on with that, or name "
            "another folder with --out"
        )


@keeps_threads()
def train_system(name: str, config: SystemConfig, resume: bool = False) -> TrainedModel:
    """Train a system of `SYSTEMS` and write `model.safetensors` into the run's folder.

    `resume` continues from `last.ckpt`: the settings must be the run's, except for its length.

    Raises:
        ValueError: the data do not suffice, there is nothing to resume, a setting differs, or a
            run would be overwritten.
    """
    started = time.monotonic()
    find_system(name)
    if resume and (config.out / CONFIG_FILE).exists():
        check_method(config.out, name)
    config, checkpoint, console = prepare_run(config, resume)
    config = config.model_copy(update={"method": name})
    data = config.load()
    torch.manual_seed(config.seed)
    method = config.build(data.shape, data.n_values)
    module = TrainingState(method, config.ema_decay)
    if checkpoint:
        restore(module, checkpoint, resume)
    save_config(config)
    n_before = module.steps_done
    rerun = functools.partial(train_system, name, config, resume=True)
    fit(module, data.batches, config, console=console, rerun=rerun)
    if module.averaged is not None and module.ema is not None:  # the model has the means
        with torch.no_grad():
            means = module.ema.module.parameters()
            pairs = zip(module.averaged.parameters(), means, strict=True)
            for own, mean in pairs:
                own.copy_(mean)
    header = {
        "method": name,
        "config": json.loads(config.model_dump_json(exclude={"data", "out"})),
        "shape": data.shape,
        "n_values": data.n_values,
        "value_names": dict(data.value_names),
        "steps": module.steps_done,
    }
    arrays = {key: value.cpu().numpy() for key, value in method.state_dict().items()}
    path = config.out / MODEL_FILE
    write_artifact(path, IMAGE_MODEL, header, arrays)
    return TrainedModel(
        method=method.eval(),
        path=path,
        n_steps=module.steps_done,
        n_new_steps=module.steps_done - n_before,
        seconds=time.monotonic() - started,
    )


@dataclass(frozen=True)
class Model:
    """A trained system: its name, the method in evaluation mode, and what its file says.

    `value_names` are names of the values of factors, where they are known.
    """

    name: str
    method: Any
    shape: Shape
    steps: int
    value_names: dict[str, list[str]]


def load_model(path: Path) -> Model:
    """Read a model file of `train_system`.

    Raises:
        ArtifactError: it is missing, truncated, altered, newer, or of another kind.
    """
    artifact = read_artifact(path, IMAGE_MODEL)
    header, arrays = artifact.header, artifact.arrays
    with building(path, IMAGE_MODEL):
        kind = find_system(header["method"])
        values = header["config"]
        check_sizes({key: values[key] for key in SIZES if key in values})
        values |= {key: Path() for key in ("data", "out") if key in kind.model_fields}
        config = kind(**values)
        c, h, w = header["shape"]
        check_sizes({"shape": header["shape"], "n_values": header["n_values"]})
        method = config.build((c, h, w), header["n_values"])
        method.load_state_dict({key: torch.from_numpy(value) for key, value in arrays.items()})
        return Model(
            name=header["method"],
            method=method.eval().requires_grad_(False),
            shape=(c, h, w),
            steps=header["steps"],
            value_names=header.get("value_names", {}),
        )
