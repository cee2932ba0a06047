"""`train_system`: any system of the lecture, from images to a model file."""

import json
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import load_file, save_file
from torch import nn

from voxcycle.files import replacing
from voxcycle.images.systems import find_system
from voxcycle.images.systems.system import ImageData, SystemConfig
from voxcycle.methods.phase import PhasedModule
from voxcycle.models.coders import Shape
from voxcycle.training.callbacks import restore
from voxcycle.training.config import (
    CONFIG_FILE,
    check_run,
    load_config,
    read_settings,
    save_config,
)
from voxcycle.training.loop import begin, fit, keeps_threads

FORMAT = 1  # of the model file
MODEL_FILE = "model.safetensors"


@dataclass(frozen=True)
class TrainedModel:
    """The result of a training.

    Attributes:
        method: with its final weights.
        path: of its file.
        n_steps: iterations in all.
        n_new_steps: those of this call.
        seconds: wall time of this call.
    """

    method: Any
    path: Path
    n_steps: int
    n_new_steps: int
    seconds: float


def resolve_config(
    name: str, values: dict[str, Any], path: Path | None = None, resume: bool = False
) -> SystemConfig:
    """Return a system's settings: of a YAML file, overridden by `values`.

    The default folder of the run is `runs/NAME`; a resumed run supplies the other settings.

    Raises:
        ValueError: one sentence per wrong field, no images, or nothing to resume.
    """
    kind = find_system(name).config
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


@keeps_threads
def train_system(name: str, config: SystemConfig, resume: bool = False) -> TrainedModel:
    """Train a system of the lecture and write `model.safetensors` into the run's folder.

    Args:
        name: key of `SYSTEMS`.
        config: of the system's own kind.
        resume: go on from `last.ckpt`; the settings must be the run's but for its length.

    Raises:
        ValueError: too few images, there is nothing to resume, a setting differs, or a
            run would be overwritten.
    """
    started = time.monotonic()
    system = find_system(name)
    if resume and (config.out / CONFIG_FILE).exists():
        check_method(config.out, name)
    config, checkpoint, console = begin(config, resume)
    config = config.model_copy(update={"method": name})
    data = system.load(config)
    torch.manual_seed(config.seed)
    method = system.build(config, data.shape, data.n_values)
    module = PhasedModule(method, config.ema_decay)
    if checkpoint:
        restore(module, checkpoint)
    save_config(config)
    n_before = int(module.steps_done)
    fit(module, data.batches, config, resume, [], console)
    use_average(module)
    path = config.out / MODEL_FILE
    save_model(name, config, method, data, int(module.steps_done), path)
    n_steps, seconds = int(module.steps_done), time.monotonic() - started
    return TrainedModel(
        method.eval(), path, n_steps, n_new_steps=n_steps - n_before, seconds=seconds
    )


def use_average(module: PhasedModule) -> None:
    """Copy the averaged parameters into the method; do not train it further."""
    if module.ema is None:
        return
    averaged = module.method.averaged()  # type: ignore[operator]
    with torch.no_grad():
        for own, mean in zip(averaged.parameters(), module.ema.module.parameters(), strict=True):
            own.copy_(mean)


def save_model(
    name: str,
    config: SystemConfig,
    method: nn.Module,
    data: ImageData,
    n_steps: int,
    path: Path,
) -> None:
    """Write weights and all that is needed to build the method again; renamed when whole."""
    header = {
        "format": FORMAT,
        "method": name,
        "config": json.loads(config.model_dump_json(exclude={"data", "out"})),
        "shape": data.shape,
        "n_values": data.n_values,
        "value_names": dict(data.value_names),
        "steps": n_steps,
    }
    tensors = {key: value.contiguous() for key, value in method.state_dict().items()}
    with replacing(path) as partial:
        save_file(tensors, partial, metadata={"voxcycle_lecture": json.dumps(header)})


@dataclass(frozen=True)
class Model:
    """A trained system.

    Attributes:
        name: of the system.
        method: in evaluation mode.
        shape: channels, height and width of its images.
        steps: iterations of its training.
        value_names: names of the values of factors, of those where they are known.
    """

    name: str
    method: Any
    shape: Shape
    steps: int
    value_names: dict[str, list[str]]


def load_model(path: Path) -> Model:
    """Read what `save_model` wrote; nothing is executed. ValueError where it is another file."""
    try:
        with safe_open(path, framework="pt") as opened:
            header = json.loads((opened.metadata() or {})["voxcycle_lecture"])
        if header["format"] != FORMAT:
            raise ValueError(f"format {header['format']}, this version reads {FORMAT}")
        system = find_system(header["method"])
        values = header["config"]
        values |= {key: Path() for key in ("data", "out") if key in system.config.model_fields}
        config = system.config(**values)
        c, h, w = header["shape"]
        method = system.build(config, (c, h, w), header["n_values"])
        method.load_state_dict(load_file(path))
    except (OSError, SafetensorError, KeyError, TypeError, ValueError, RuntimeError) as error:
        reason = (str(error).splitlines() or [""])[0]
        raise ValueError(
            f"{path}: not a model of voxcycle images, or damaged ({reason})"
        ) from error
    method = method.eval().requires_grad_(False)
    names = header.get("value_names", {})
    return Model(header["method"], method, (c, h, w), header["steps"], names)
