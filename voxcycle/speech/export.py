"""From trained networks to voice files: the averaged generators with their statistics."""

import json
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

from safetensors.numpy import load_file
from torch import nn

from voxcycle.audio.mel import MelSpec
from voxcycle.speech.config import VoiceTrainingConfig
from voxcycle.speech.domains import VoiceData
from voxcycle.speech.networks import store_generator
from voxcycle.speech.selector import best_path
from voxcycle.training.state import TrainingState
from voxcycle.voices.generator import Generator
from voxcycle.voices.voice import Voice, VoiceCard


def build_voices(
    module: TrainingState, config: VoiceTrainingConfig, spec: MelSpec, data: VoiceData
) -> dict[str, Voice]:
    """Return the voices of the averaged generators as they are now, by network, b first."""
    stats_a, stats_b = data.stats_a, data.train_b.stats
    sides = (("g_ab", config.sex_b, stats_a, stats_b), ("g_ba", config.sex_a, stats_b, stats_a))
    voices, names = {}, config.voice_names()
    # A pool has no voice: then there is one name, and zip ends before the second side.
    for name, (network, sex, source, target) in zip(names, sides, strict=False):
        card = VoiceCard(
            name=name,
            language=config.language,
            sex=sex,
            source=next((other for other in names if other != name), ""),
            licence=config.licence,
            consent=config.consent,
        )
        voices[network] = Voice(
            card=card,
            spec=spec,
            source_stats=source,
            target_stats=target,
            is_any_to_one=config.any_to_one,
            generator=store_generator(averaged_generator(module, network)),
        )
    return voices


def averaged_generator(module: TrainingState, network: str) -> nn.Module:
    """Return the running average of a generator."""
    assert module.ema is not None
    return module.ema.module[network]  # type: ignore[index]


def postprocess(
    generator: Generator, voice: Voice, config: VoiceTrainingConfig, start: Generator | None
) -> Generator:
    """Return the voice's generator: the trained one blended with its start, then filtered."""
    if start is not None and config.pretrained_share:
        generator = generator.blend(start, config.pretrained_share)
    if config.formant_postfilter:
        generator = generator.filter_formants(voice.target_stats, config.formant_postfilter)
    return generator


def export_voices(
    module: TrainingState,
    config: VoiceTrainingConfig,
    spec: MelSpec,
    data: VoiceData,
    *,
    starts: Mapping[str, Generator],
    summary: dict[str, Any],
    chosen: dict[str, dict[str, Any]],
) -> list[Path]:
    """Write the voices into the run's folder, target b first.

    Args:
        module: the networks.
        config: of the run.
        spec: the mel analysis.
        data: both domains, for their statistics.
        starts: the pretrained generators from which they started, if any.
        summary: of the training, for the cards.
        chosen: from `CheckpointSelector.choose`; absent networks export their last average.
    """
    paths = []
    settings = json.loads(config.model_dump_json(exclude={"a", "b", "out", "start", "pretrained"}))
    for network, voice in build_voices(module, config, spec, data).items():
        training = summary | {"config": settings}
        generator, best = voice.generator, chosen.get(network)
        if best is not None:
            training["selected"] = best
            if best["step"] != summary["steps"]:
                weights = load_file(best_path(config.out, network))
                generator = replace(generator, weights=weights)
        path = config.out / f"{voice.card.name}.safetensors"
        generator = postprocess(generator, voice, config, starts.get(network))
        card = replace(voice.card, training=training)
        replace(voice, card=card, generator=generator).save(path)
        paths.append(path)
    return paths
