"""`train_pretrained`: from folders of many speakers to the networks from which voices start."""

import functools
import json
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any, NamedTuple

import torch
from rich.console import Console
from torch import nn

from voxcycle.audio.mel import MelSpec
from voxcycle.audio.stats import DomainStats, average_stats
from voxcycle.methods.cyclegan import CycleGAN, Teacher
from voxcycle.models.weights import store_network
from voxcycle.speech.config import PretrainedTrainingConfig
from voxcycle.speech.corpus import CorpusError
from voxcycle.speech.crops import UnpairedCrops
from voxcycle.speech.embedding import add_embeddings, load_encoder, save_encoder
from voxcycle.speech.networks import (
    build_pretraining_method,
    check_pretrained,
    check_teachers,
    load_discriminator,
    load_generator,
    store_generator,
)
from voxcycle.speech.packs import read_speakers
from voxcycle.speech.speaker_teacher import SpeakerTeacher, TorchEmbedder
from voxcycle.speech.speakers import Speaker, shrink_stats
from voxcycle.training.config import save_config
from voxcycle.training.loop import Hook, find_deadline, fit, keeps_threads, prepare_run
from voxcycle.training.records import LOG_FILE, LogLines, RegularSaves
from voxcycle.training.state import Snapshots, TrainingState, restore
from voxcycle.voices.pretrained import Pretrained
from voxcycle.voices.speaker_encoder import SpeakerEncoder

ENCODER_FILE = "speaker_encoder.safetensors"  # in the folder of a run, if it has one
# Settings that name local files; the trained file omits them.
PRIVATE = {"folders", "pack", "targets", "favourites", "out", "start", "pretrained", "encoder"}


class TrainedNetworks(NamedTuple):
    """Result of a training: its file, and the iterations in all."""

    path: Path
    n_steps: int


@keeps_threads()
def train_pretrained(config: PretrainedTrainingConfig, resume: bool = False) -> TrainedNetworks:
    """Train a generator and a discriminator conditioned on the speaker.

    Domain a holds all speakers, and so does domain b unless `targets` names some: every step
    converts crops of some to others and back. The run's folder receives `pretrained.safetensors`.

    Args:
        config: see `PretrainedTrainingConfig`.
        resume: continue from `last.ckpt` with the settings of the run; its length may change.

    Raises:
        CorpusError: there are too few speakers, or a folder has too little usable speech.
        ValueError: there is nothing to resume, a setting differs, or a run would be overwritten.
    """
    started = time.monotonic()
    spec = MelSpec()
    config, checkpoint, console = prepare_run(config, resume, config.start)
    if len(config.folders) < 2 and not config.pack:
        raise CorpusError("pretraining needs at least two folders, one per speaker")
    pretrained = Pretrained.load(config.pretrained) if config.pretrained else None
    if pretrained:
        check_pretrained(pretrained, config)
    encoder = find_encoder(config, pretrained)
    check_teachers(config, encoder)
    speakers = find_speakers(config, spec, console)
    if pretrained:
        reference = pretrained.reference  # its conditions are relative to this one
    else:
        reference = average_stats([speaker.stats for speaker in speakers])
    speakers = [shrink_stats(speaker, reference, spec) for speaker in speakers]
    teachers: dict[str, Teacher] = {}
    if encoder:
        embedder = TorchEmbedder(encoder) if config.pack else encoder
        speakers = [add_embeddings(speaker, embedder, spec) for speaker in speakers]
        teachers["speaker"] = SpeakerTeacher(encoder, spec)
    wanted = {folder.name for folder in config.targets}
    targets = [speaker for speaker in speakers if speaker.name in wanted or not wanted]
    if not targets:
        raise CorpusError("none of the targets is among the folders with enough speech")
    crops = UnpairedCrops(
        config,
        speakers,
        targets,
        spec=spec,
        prior=reference,
        favourites=find_favourites(config.favourites, targets),
        favourite_share=config.favourite_share,
    )
    torch.manual_seed(config.seed)
    method = build_pretraining_method(config, spec, crops.n_condition, teachers)
    if pretrained:
        start_with(method.generators["g_ab"], load_generator(pretrained.generator))
        start_with(method.discriminators["d_b"], load_discriminator(pretrained))
    module = TrainingState(method, config.ema_decay)
    if checkpoint:
        restore(module, checkpoint, resume)
    about = {
        "speakers": [speaker.name for speaker in speakers],
        "config": json.loads(config.model_dump_json(exclude=PRIVATE)),
    }
    save_config(config)
    if encoder and not (config.out / ENCODER_FILE).exists():  # for `--resume`
        save_encoder(encoder, config.out / ENCODER_FILE, {})
    path = config.out / "pretrained.safetensors"
    save = functools.partial(save_networks, reference=reference, about=about, encoder=encoder)
    hooks: list[Hook] = []
    if config.snapshot_every:
        hooks.append(Snapshots(path.with_suffix(""), config.snapshot_every, save))
    if config.pack:
        hooks += [RegularSaves(path, save), LogLines(config.out / LOG_FILE, config.log_every)]
    fit(
        module,
        crops,
        config,
        console=console,
        rerun=functools.partial(train_pretrained, config, resume=True),
        hooks=hooks,
        deadline=find_deadline(started, config.time_limit_min),
    )
    save(module, path)
    return TrainedNetworks(path, module.steps_done)


def find_speakers(
    config: PretrainedTrainingConfig, spec: MelSpec, console: Console
) -> list[Speaker]:
    """Return the speakers of the config's pack, or of its folders."""
    if config.pack:
        with console.status("hearing the recordings"):
            speakers = read_speakers(config.pack, spec, torch.device(config.accelerator))
        minutes = sum(speaker.duration_s(spec) for speaker in speakers) / 60
        console.print(f"{len(speakers)} speakers, {minutes:.0f} minutes")
        return speakers
    # These read audio files; a training from a pack needs no libraries for that.
    from voxcycle.speech.domains import perturbations
    from voxcycle.speech.pool import load_speakers

    return load_speakers(config.folders, spec, console, perturbations(config))


def find_encoder(
    config: PretrainedTrainingConfig, pretrained: Pretrained | None
) -> SpeakerEncoder | None:
    """Return the speaker encoder of the run, of `config.encoder`, or of `pretrained`, if any.

    Raises:
        ValueError: the pretrained networks know another's embeddings.
    """
    kept = config.out / ENCODER_FILE
    path = kept if kept.exists() else config.encoder
    known = pretrained.encoder if pretrained else None
    encoder = load_encoder(path) if path else known
    if known and encoder:
        own, others = encoder.to_fp16(), known.to_fp16()
        if own.keys() != others.keys() or any((own[k] != others[k]).any() for k in own):
            raise ValueError(
                "the setting `encoder` is not the speaker encoder of the pretrained networks: "
                "leave it out"
            )
    return encoder


def find_favourites(folders: Sequence[Path], targets: Sequence[Speaker]) -> list[Speaker]:
    """Return the targets of some folders; CorpusError where one is missing."""
    found = {speaker.name: speaker for speaker in targets}
    if missing := sorted({folder.name for folder in folders} - found.keys()):
        raise CorpusError(
            f"{missing[0]}: a favourite must be one of the targets with enough speech"
        )
    return [found[folder.name] for folder in folders]


def start_with(network: nn.Module, pretrained: nn.Module) -> None:
    """Copy the weights of a network; what its condition lacks has no effect at first."""
    weights, own = pretrained.state_dict(), network.state_dict()
    for name in weights:
        if "condition" in name:
            n_new = own[name].shape[1] - weights[name].shape[1]
            assert n_new >= 0
            weights[name] = nn.functional.pad(weights[name], (0, n_new))
    network.load_state_dict(weights)


def save_networks(
    module: TrainingState,
    path: Path,
    *,
    reference: DomainStats,
    about: dict[str, Any],
    encoder: SpeakerEncoder | None,
) -> None:
    """Write the averaged generator, the discriminator and the speaker encoder, if any."""
    assert module.ema is not None
    method = module.method
    assert isinstance(method, CycleGAN)
    Pretrained(
        generator=store_generator(module.ema.module["g_ab"]),  # type: ignore[index]
        discriminator=store_network(method.discriminators["d_b"]),
        spec=MelSpec(),
        reference=reference,
        about=about | {"steps": module.steps_done},
        encoder=encoder,
    ).save(path)
