"""From trained networks to voice files: the averaged generators with their statistics."""

import copy
import json
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

from safetensors.torch import load_file

from voxcycle.audio.mel import MelSpec
from voxcycle.speech.config import VoiceTrainingConfig
from voxcycle.speech.domains import VoiceData
from voxcycle.speech.selector import best_path
from voxcycle.training.state import TrainingState
from voxcycle.voices.formant_postfilter import filter_formants
from voxcycle.voices.pretrained import Pretrained
from voxcycle.voices.voice import Voice, VoiceCard


def build_voices(
    module: TrainingState, config: VoiceTrainingConfig, spec: MelSpec, data: VoiceData
) -> dict[str, Voice]:
    """Return the voices around the averaged generators themselves, by network, target b first."""
    assert module.ema is not None
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
        generator = module.ema.module[network]  # type: ignore[index]
        voices[network] = Voice(
            card=card,
            spec=spec,
            source_stats=source,
            target_stats=target,
            is_any_to_one=config.any_to_one,
            generator=generator,
        )
    return voices


def postprocess(
    generator: Any, voice: Voice, config: VoiceTrainingConfig, start: Pretrained | None
) -> Any:
    """Return the voice's generator: the trained one blended with its start, then filtered."""
    if start is not None and config.pretrained_share:
        generator = start.blend(generator, config.pretrained_share)
    if config.formant_postfilter:
        generator = filter_formants(generator, voice.target_stats, config.formant_postfilter)
    return generator


def export_voices(
    module: TrainingState,
    config: VoiceTrainingConfig,
    spec: MelSpec,
    data: VoiceData,
    *,
    starts: Mapping[str, Pretrained],
    summary: dict[str, Any],
    chosen: dict[str, dict[str, Any]],
) -> list[Path]:
    """Write the voices into the run's folder, target b first.

    Args:
        module: the networks.
        config: of the run.
        spec: the mel analysis.
        data: both domains, for their statistics.
        starts: the pretrained networks from which each generator started, if any.
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
                generator = copy.deepcopy(generator)
                generator.load_state_dict(load_file(best_path(config.out, network)))
        path = config.out / f"{voice.card.name}.safetensors"
        generator = postprocess(generator, voice, config, starts.get(network))
        card = replace(voice.card, training=training)
        replace(voice, card=card, generator=generator).save(path)
        paths.append(path)
    return paths
