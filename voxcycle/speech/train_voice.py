"""`train_voice`: from two folders of recordings to voice files."""

import datetime
import functools
import time
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any, NamedTuple

import torch
from lightning.fabric.utilities import move_data_to_device
from rich.console import Console

from voxcycle.artifacts import VOICE, ArtifactError, read_header
from voxcycle.audio.mel import MelSpec
from voxcycle.evaluation.dataset import spread
from voxcycle.evaluation.systems import Speaker
from voxcycle.files import cache_dir, check_writable
from voxcycle.methods.cyclegan import Teacher
from voxcycle.runtime.session import use_threads
from voxcycle.speech.config import POSTPROCESSING, VoiceTrainingConfig
from voxcycle.speech.corpus import Split, check_apart
from voxcycle.speech.crops import UnpairedCrops
from voxcycle.speech.domains import Domains, find_domains, load_data
from voxcycle.speech.embedding import add_embeddings
from voxcycle.speech.export import averaged_generator, build_voices, export_voices, postprocess
from voxcycle.speech.networks import (
    build_method,
    check_pretrained,
    check_teachers,
    start_from_pretrained,
)
from voxcycle.speech.selector import (
    N_SENTENCES,
    UNKNOWN,
    Candidate,
    CheckpointSelector,
    best_path,
    make_speaker,
)
from voxcycle.speech.speaker_teacher import SpeakerTeacher
from voxcycle.speech.validation import VoiceValidation
from voxcycle.training.config import save_config
from voxcycle.training.loop import Hook, fit, keeps_threads, prepare_run
from voxcycle.training.state import TrainingState, restore
from voxcycle.vocoders import Vocoder
from voxcycle.vocoders.registry import DEFAULT_VOCODER, load_vocoder
from voxcycle.voices.generator import Generator
from voxcycle.voices.pretrained import PRETRAINED_FILE, Pretrained
from voxcycle.voices.voice import Voice, check_voice_name

DEFAULT_MINUTES = 15.0
PROBE_STEPS = 8
PROBE_WARM_UP = 4
MIN_SPEEDUP = 0.95  # a time must fall to this share to count as faster
OF_TRAINING = (
    *("seconds_of_last_call", "seconds_of_evaluation", "seconds_of_validation"),
    *("losses", "date"),
)
VALIDATE_EVERY = 100  # steps at least, but for shorter runs


class TrainedVoices(NamedTuple):
    """Result of a training: the voice files, target b first, and the iterations in all."""

    voices: list[Path]
    n_steps: int


@keeps_threads()
def train_voice(
    config: VoiceTrainingConfig, resume: bool = False, hooks: Sequence[Hook] = ()
) -> TrainedVoices:
    """Train a pair of voices, or one any-to-one voice, and write the voice files.

    The run's folder receives `config.yaml`, `split.json`, TensorBoard logs, `last.ckpt` and the
    voices.

    Args:
        config: see `VoiceTrainingConfig`.
        resume: continue from `last.ckpt` of the run's folder with its recorded settings and split;
            the number of steps and the facts about the voices may change. The run may have moved,
            and so may folders with the same recordings. The result equals that of an
            uninterrupted run with the same number of threads.
        hooks: called after every step, behind the validation.

    Raises:
        CorpusError: the folders share recordings, or there is too little usable speech; names files
            and reasons.
        ValueError: there is nothing to resume, a setting differs from the run's, or a finished run
            would be overwritten.
        OSError: the folder of the run or of the cache cannot be written to.
    """
    started = time.monotonic()
    spec = MelSpec()
    if not resume:
        check_apart([config.a, config.b])
    config, checkpoint, console = prepare_run(config, resume, config.start)
    _check_names(config)
    check_writable(cache_dir("features"))
    pretrained = None
    if not config.from_scratch:
        path = config.pretrained or PRETRAINED_FILE
        pretrained, sha256 = Pretrained.load(path), Pretrained.sha256(path)
        check_pretrained(pretrained, config)  # before the recordings are analysed
        if resume and config.pretrained_sha256 not in ("", sha256):
            raise ValueError(
                f"{config.out}: this run started from a different pretrained file than {path}; "
                "restore the original"
            )
        config = config.model_copy(update={"pretrained_sha256": sha256})
    check_teachers(config, pretrained.encoder if pretrained else None)
    if resume:
        domains = Domains.load(config)
    else:
        domains = find_domains(config, console)
    try:
        data = load_data(config, domains, spec, console)
    except KeyboardInterrupt:
        console.print("stopped during the analysis; start again: finished files are cached")
        raise

    teachers: dict[str, Teacher] = {}
    starts: dict[str, Generator] = {}
    if pretrained:
        if encoder := pretrained.encoder:
            data = data.describe(lambda speaker: add_embeddings(speaker, encoder, spec))
            teachers["speaker"] = SpeakerTeacher(encoder, spec)
        targets = {"g_ab": data.train_b, "g_ba": data.train_a[0]}
        starts = {g: pretrained.bind(s.stats, s.embedding) for g, s in targets.items()}
    reference = pretrained.reference if pretrained else None
    crops = UnpairedCrops(
        config, data.train_a, [data.train_b], spec=spec, prior=data.prior, reference=reference
    )
    torch.manual_seed(config.seed)
    method = build_method(config, spec, crops.n_condition, teachers)
    if pretrained and not config.start:
        speaker_a = None if config.any_to_one else data.train_a[0]
        start_from_pretrained(method, pretrained, speaker_a, data.train_b)
    module = TrainingState(method, config.ema_decay)
    if checkpoint:
        restore(module, checkpoint, resume)
    n_before = module.steps_done
    n_steps, n_threads = config.steps, config.threads
    if n_steps is None:
        n_more, n_threads = _resolve_minutes(config, crops, console, teachers)
        n_steps = module.steps_done + n_more
    config = config.model_copy(update={"steps": n_steps, "minutes": None, "threads": n_threads})
    domains.save(config.out)
    if not resume:
        for network in ("g_ab", "g_ba"):  # of a run that never reached a checkpoint
            best_path(config.out, network).unlink(missing_ok=True)
    save_config(config)
    selector = validation = None
    if config.samples:
        vocoder = load_vocoder(DEFAULT_VOCODER, spec)
        a, b = data.valid_a[0], data.valid_b
        validation = VoiceValidation(
            UnpairedCrops(
                config,
                data.valid_a,
                [data.valid_b],
                spec=spec,
                prior=data.prior,
                reference=crops.reference,
            ),
            {"g_ab": (a, b)} if config.any_to_one else {"g_ab": (a, b), "g_ba": (b, a)},
            vocoder,
            max(n_steps // config.samples, min(n_steps, VALIDATE_EVERY)),
        )
        selector = _selector(
            config,
            module,
            build_voices(module, config, spec, data),
            domains=domains,
            starts=starts,
            vocoder=vocoder,
            console=console,
        )
    own: list[Hook] = [hook for hook in (validation, selector) if hook]
    rerun = functools.partial(train_voice, config, resume=True)
    fit(module, crops, config, console=console, rerun=rerun, hooks=[*own, *hooks])
    chosen = selector.choose(module.steps_done) if selector else {}
    speakers = (*data.train_a, data.train_b)
    summary = {
        "steps": module.steps_done,
        "seconds_of_last_call": round(time.monotonic() - started),
        "seconds_of_evaluation": round(selector.seconds) if selector else 0,
        "seconds_of_validation": round(validation.seconds) if validation else 0,
        "seed": config.seed,
        "minutes_of_speech": {s.name: round(s.duration_s(spec) / 60, 2) for s in speakers},
        "date": datetime.date.today().isoformat(),
        "losses": {k: round(float(v), 4) for k, v in module.logged.items()},
    }
    if n_steps <= n_before:
        summary |= _former_training(config, module.steps_done)
    voices = export_voices(
        module, config, spec, data, starts=starts, summary=summary, chosen=chosen
    )
    return TrainedVoices(voices, n_steps)


def _former_training(config: VoiceTrainingConfig, n_steps: int) -> dict[str, Any]:
    """Return the training metadata of the previous export, for a call without new steps."""
    path = config.out / f"{config.voice_names()[0]}.safetensors"
    try:
        training = read_header(path, VOICE)["card"]["training"]
    except ArtifactError:  # none, or damaged: the export replaces it
        return {}
    if training.get("steps") != n_steps:
        return {}
    return {key: training[key] for key in OF_TRAINING if key in training}


def _check_names(config: VoiceTrainingConfig) -> None:
    names = config.voice_names()
    for name in names:
        check_voice_name(name, "set --name-a or --name-b: ")
    if len(set(names)) < len(names):
        raise ValueError(f"both voices are named {names[0]}: set --name-a or --name-b")


def _selector(
    config: VoiceTrainingConfig,
    module: TrainingState,
    voices: dict[str, Voice],
    *,
    domains: Domains,
    starts: dict[str, Generator],
    vocoder: Vocoder,
    console: Console,
) -> CheckpointSelector:
    def speakers(side: str, splits: dict[str, Split]) -> list[Speaker]:
        folder = config.out / "validation" / side
        language = config.language or UNKNOWN
        chosen = spread([name for name, split in splits.items() if split.valid], N_SENTENCES)
        made = [make_speaker(name, splits[name], language, folder / name) for name in chosen]
        # Of a pool, each speaker says one sentence.
        n_each = -(-N_SENTENCES // len(made))
        return [replace(speaker, sentences=speaker.sentences[:n_each]) for speaker in made]

    side_a, side_b = speakers("a", domains.a), speakers("b", domains.b)
    sides = {"g_ab": (side_a, side_b), "g_ba": (side_b, side_a)}
    candidates = [
        Candidate(
            network=network,
            sources=tuple(sides[network][0]),
            target=sides[network][1][0],
            voice=voice,
            module=averaged_generator(module, network),
            postprocess=functools.partial(
                postprocess, voice=voice, config=config, start=starts.get(network)
            ),
            postprocessing={key: getattr(config, key) for key in POSTPROCESSING},
        )
        for network, voice in voices.items()
    ]
    return CheckpointSelector(candidates, vocoder, config.out, console)


def measure_step_seconds(
    config: VoiceTrainingConfig,
    crops: UnpairedCrops,
    n_steps: int = PROBE_STEPS,
    teachers: Mapping[str, Teacher] | None = None,
) -> float:
    """Return the mean wall time of a step, on throw-away networks, after a short warm-up."""
    device = torch.device(config.accelerator)
    probe = TrainingState(build_method(config, crops.spec, crops.n_condition, teachers)).to(device)
    for step in range(PROBE_WARM_UP + n_steps):
        if step == PROBE_WARM_UP:
            started = time.perf_counter()
        batch = move_data_to_device(crops[step], device)
        probe.run_phases(batch)
    if config.accelerator == "cuda":
        torch.cuda.synchronize()
    return (time.perf_counter() - started) / n_steps


def _resolve_minutes(
    config: VoiceTrainingConfig,
    crops: UnpairedCrops,
    console: Console,
    teachers: Mapping[str, Teacher],
) -> tuple[int, int]:
    """Return how many steps fit into the minutes, and the number of threads.

    Unless the config names one, a single thread is tried beside all: on a busy CPU, threads that
    wait for one another can be slower.
    """
    n_threads = torch.get_num_threads()
    seconds = measure_step_seconds(config, crops, teachers=teachers)
    if n_threads > 1 and not config.threads and config.accelerator == "cpu":
        torch.set_num_threads(1)
        alone = measure_step_seconds(config, crops, teachers=teachers)
        if alone < MIN_SPEEDUP * seconds:
            console.print(f"one thread is faster here than {n_threads}")
            n_threads, seconds = 1, alone
        torch.set_num_threads(n_threads)
        use_threads(n_threads)
    minutes = config.minutes or DEFAULT_MINUTES
    n_steps = max(1, round(60 * minutes / seconds))
    console.print(f"{1 / seconds:.1f} steps/s: {minutes:g} minutes are {n_steps} steps")
    return n_steps, n_threads
