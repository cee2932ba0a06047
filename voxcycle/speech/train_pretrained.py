"""`train_base`: from folders of many speakers to the networks with which any voice can begin."""

import functools
import json
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from pydantic import Field

from voxcycle.audio.mel import MelSpec
from voxcycle.audio.stats import DomainStats, average_stats
from voxcycle.methods.cyclegan import CycleGAN
from voxcycle.speech.config import MelCycleGANConfig
from voxcycle.speech.corpus import CorpusError, Split, scan_folder
from voxcycle.speech.domains import (
    MIN_POOL_SPEAKER_S,
    equip,
    load_speaker,
    make_crops,
    perturbations,
)
from voxcycle.speech.networks import build_base_method
from voxcycle.training.checkpoint import Snapshots, restore
from voxcycle.training.config import save_config
from voxcycle.training.loop import fit, keeps_threads, prepare_run
from voxcycle.training.state import TrainingState
from voxcycle.voices.pretrained import Pretrained


class BaseTrainingConfig(MelCycleGANConfig):
    """What `train_base` needs to know; unknown keys are errors."""

    folders: tuple[Path, ...] = Field(description="recordings, one folder per speaker")
    steps: int = Field(20_000, ge=1, description="iterations")
    start: Path | None = Field(
        None, description="checkpoint of another run, whose networks and steps to begin with"
    )
    snapshot_every: int = Field(0, ge=0, description="steps between kept base files; 0: none")


@dataclass(frozen=True)
class TrainedBase:
    """What a training made: its file, the iterations in all, the wall time of this call."""

    path: Path
    n_steps: int
    seconds: float


@keeps_threads
def train_base(config: BaseTrainingConfig, resume: bool = False) -> TrainedBase:
    """Train a generator and a judge that are told the speaker; write `base.safetensors`.

    Both domains are all the speakers: every step converts crops of some to others and back.

    Args:
        config: see `BaseTrainingConfig`.
        resume: go on from `last.ckpt`; the settings must be the run's but for its length.

    Raises:
        CorpusError: there are too few speakers, or a folder has too little usable speech.
        ValueError: there is nothing to resume, a setting differs, or a run would be overwritten.
    """
    started = time.monotonic()
    spec = MelSpec()
    config, begun, console = prepare_run(config, resume, config.start)
    if len(config.folders) < 2:
        raise CorpusError("a base needs at least two folders, one per speaker")
    speakers = []
    for folder in config.folders:
        split = Split([clip.path for clip in scan_folder(folder, MIN_POOL_SPEAKER_S).clips], [], [])
        speaker, _ = load_speaker(folder.name, split, spec, perturbations(config), console)
        speakers.append(equip(speaker, split.train, config, spec, console))
    if config.disguises and not any(speaker.disguises for speaker in speakers):
        raise CorpusError(f"{config.disguises}: no folder there has the name of a speaker")
    reference = average_stats([speaker.stats[0] for speaker in speakers])
    crops = make_crops(speakers, speakers, spec, config, reference)
    torch.manual_seed(config.seed)
    module = TrainingState(build_base_method(config, spec), config.ema_decay)
    if begun:
        restore(module, begun, resume)
    about = {
        "speakers": [speaker.name for speaker in speakers],
        "config": json.loads(
            config.model_dump_json(exclude={"folders", "out", "start", "disguises"})
        ),
    }
    save_config(config)
    path = config.out / "base.safetensors"
    save = functools.partial(save_base, config=config, reference=reference, about=about)
    snapshots = [Snapshots(path.with_suffix(""), config.snapshot_every, save)]
    hooks = snapshots if config.snapshot_every else []
    rerun = functools.partial(train_base, config, resume=True)
    fit(module, crops, config, console=console, rerun=rerun, hooks=hooks)
    save(module, path)
    return TrainedBase(path, module.steps_done, time.monotonic() - started)


def save_base(
    module: TrainingState,
    path: Path,
    config: BaseTrainingConfig,
    reference: DomainStats,
    about: dict[str, Any],
) -> None:
    """Write the averaged generator and the judge."""
    assert module.ema is not None
    method = module.method
    assert isinstance(method, CycleGAN)
    Pretrained(
        module.ema.module["g_ab"],  # type: ignore[index]
        method.discriminators["d_b"],  # type: ignore[arg-type]
        MelSpec(),
        reference,
        about | {"steps": module.steps_done},
    ).save(path)
