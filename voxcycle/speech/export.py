"""From trained networks to voice files: the averaged generators with their statistics."""

import copy
import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

from safetensors.torch import load_file

from voxcycle.audio.mel import MelSpec
from voxcycle.speech.config import VoiceTrainingConfig
from voxcycle.speech.domains import VoiceData
from voxcycle.speech.selector import best_path
from voxcycle.training.state import TrainingState
from voxcycle.voices.formant_postfilter import sharpen
from voxcycle.voices.pretrained import Pretrained
from voxcycle.voices.voice import Voice, VoiceCard


def build_voices(
    module: TrainingState, config: VoiceTrainingConfig, spec: MelSpec, data: VoiceData
) -> dict[str, Voice]:
    """Return the voices around the averaged generators themselves, by network, target b first."""
    assert module.ema is not None
    stats_a, stats_b = data.stats_a, data.train_b.stats[0]
    sides = (
        ("g_ab", config.sex_b, stats_a, stats_b),
        ("g_ba", config.sex_a, stats_b, stats_a),
    )
    voices, names = {}, config.voice_names()
    # A pool is no voice: then there is one name, and the second side is left out.
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
            card,
            spec,
            source,
            target,
            config.any_to_one,
            generator,
            second_pass=config.strength,
        )
    return voices


def make_finish(
    voice: Voice, config: VoiceTrainingConfig, base: Pretrained | None
) -> Callable[[Any], Any]:
    """Return what makes the voice's generator of the trained one.

    It is blended with the base, and its formants are sharpened.
    """

    def finish(generator: Any) -> Any:
        if base is not None and config.base_share:
            generator = base.blend(generator, voice.target_stats, config.base_share)
        if config.sharpness:
            generator = sharpen(generator, voice.target_stats, config.sharpness)
        return generator

    return finish


def export_voices(
    module: TrainingState,
    config: VoiceTrainingConfig,
    spec: MelSpec,
    data: VoiceData,
    base: Pretrained | None,
    summary: dict[str, Any],
    chosen: dict[str, dict[str, Any]],
) -> list[Path]:
    """Write the voices into the run's folder, target b first.

    Args:
        module: the networks.
        config: of the run.
        spec: the mel analysis.
        data: both domains, for their statistics.
        base: what the training began with, if anything.
        summary: of the training, for the cards.
        chosen: by network, the step whose weights to take, and their scores; from
            `Selection.choose`. The last average is taken where a network is absent.
    """
    paths = []
    settings = json.loads(config.model_dump_json(exclude={"a", "b", "out", "start", "disguises"}))
    for network, voice in build_voices(module, config, spec, data).items():
        training = summary | {"config": settings}
        generator, best = voice.generator, chosen.get(network)
        if best is not None:
            training["selected"] = best
            if best["step"] != summary["steps"]:
                generator = copy.deepcopy(generator)
                generator.load_state_dict(load_file(best_path(config.out, network)))
        path = config.out / f"{voice.card.name}.safetensors"
        generator = make_finish(voice, config, base)(generator)
        card = replace(voice.card, training=training)
        replace(voice, card=card, generator=generator).save(path)
        paths.append(path)
    return paths
