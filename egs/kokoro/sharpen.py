"""Sharpen the formants of a voice file that was trained with sharpness=0.

Usage: sharpen.py VOICE SHARPNESS OUT.safetensors

Where the run is still there, `voxcycle train --resume ... sharpness=X` does it without rounding
twice.
"""

import sys
from dataclasses import replace
from pathlib import Path

from voxcycle.voices.formant_postfilter import sharpen
from voxcycle.voices.library import load_voice


def main() -> None:
    if len(sys.argv) != 4:
        raise SystemExit(__doc__)
    voice, sharpness, out = load_voice(sys.argv[1]), float(sys.argv[2]), Path(sys.argv[3])
    training = voice.card.training
    config = training.get("config", {})
    if config.get("sharpness"):
        raise SystemExit(f"{sys.argv[1]}: sharpened already, by {config['sharpness']}")
    card = replace(
        voice.card, training=training | {"config": config | {"sharpness": sharpness}}, scores={}
    )
    try:
        generator = sharpen(voice.generator, voice.target_stats, sharpness)
    except ValueError as error:
        raise SystemExit(f"{sys.argv[1]}: cannot be sharpened ({error})") from None
    out.parent.mkdir(parents=True, exist_ok=True)
    replace(voice, card=card, generator=generator).save(out)


if __name__ == "__main__":
    main()
