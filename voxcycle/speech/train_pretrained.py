"""`train_pretrained`: from folders of many speakers to the networks from which voices start."""

import functools
import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any, NamedTuple

import torch
from rich.console import Console
from torch import nn

from voxcycle.audio.mel import MelSpec
from voxcycle.audio.perturb import WARPS, Perturbation
from voxcycle.audio.stats import DomainStats, average_stats
from voxcycle.methods.cyclegan import CycleGAN, Teacher
from voxcycle.models.weights import store_network
from voxcycle.speech.config import PretrainedTrainingConfig
from voxcycle.speech.corpus import CorpusError, Split, check_apart, scan_folder
from voxcycle.speech.crops import UnpairedCrops
from voxcycle.speech.domains import MIN_POOL_SPEAKER_S, load_speaker, perturbations
from voxcycle.speech.embedding import add_embeddings, load_encoder, save_encoder
from voxcycle.speech.networks import (
    build_pretraining_method,
    check_pretrained,
    check_teachers,
    load_discriminator,
    load_generator,
    store_generator,
)
from voxcycle.speech.speaker_teacher import SpeakerTeacher
from voxcycle.speech.speakers import SHORT_SPEAKER_S, Speaker, shrink_stats
from voxcycle.training.config import save_config
from voxcycle.training.loop import fit, keeps_threads, prepare_run
from voxcycle.training.state import Snapshots, TrainingState, restore
from voxcycle.voices.pretrained import Pretrained
from voxcycle.voices.speaker_encoder import SpeakerEncoder

ENCODER_FILE = "speaker_encoder.safetensors"  # in the folder of a run, if it has one
# Settings that name local files; the trained file omits them.
PRIVATE = {"folders", "targets", "favourites", "out", "start", "pretrained", "encoder"}


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
    spec = MelSpec()
    config, checkpoint, console = prepare_run(config, resume, config.start)
    if len(config.folders) < 2:
        raise CorpusError("pretraining needs at least two folders, one per speaker")
    pretrained = Pretrained.load(config.pretrained) if config.pretrained else None
    if pretrained:
        check_pretrained(pretrained, config)
    encoder = find_encoder(config, pretrained)
    check_teachers(config, encoder)
    speakers = load_speakers(config.folders, spec, console, perturbations(config))
    if pretrained:
        reference = pretrained.reference  # its conditions are relative to this one
    else:
        reference = average_stats([speaker.stats for speaker in speakers])
    speakers = [shrink_stats(speaker, reference, spec) for speaker in speakers]
    teachers: dict[str, Teacher] = {}
    if encoder:
        speakers = [add_embeddings(speaker, encoder, spec) for speaker in speakers]
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
    snapshots = [Snapshots(path.with_suffix(""), config.snapshot_every, save)]
    hooks = snapshots if config.snapshot_every else []
    rerun = functools.partial(train_pretrained, config, resume=True)
    fit(module, crops, config, console=console, rerun=rerun, hooks=hooks)
    save(module, path)
    return TrainedNetworks(path, module.steps_done)


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


def load_speakers(
    folders: Sequence[Path],
    spec: MelSpec,
    console: Console,
    kinds: Sequence[Perturbation] = WARPS,
    hears: bool = True,
) -> list[Speaker]:
    """Load the speakers of the folders; those with too little speech are skipped and reported.

    Those with less than 30 s have warps only. `kinds` are the perturbations of the others. With
    `hears` they have content.

    Raises:
        CorpusError: fewer than two remain, folders share recordings, or one is missing.
    """
    check_apart(folders)
    speakers = []
    for folder in folders:
        try:
            corpus = scan_folder(folder, MIN_POOL_SPEAKER_S)
            own = WARPS if corpus.duration_s < SHORT_SPEAKER_S else kinds
            split = Split([clip.path for clip in corpus.clips], [], [])
            speaker, _ = load_speaker(
                folder.name, split, spec=spec, kinds=own, console=console, hears=hears
            )
            speakers.append(speaker)
        except CorpusError as error:
            if len(folders) <= 2 or not folder.is_dir():
                raise
            console.print(f"skipped: {error}", style="yellow", soft_wrap=True)
    if len(speakers) < 2:
        raise CorpusError("fewer than two of the speakers have enough usable speech")
    return speakers


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
