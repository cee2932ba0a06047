"""Apply the formant postfilter to a voice file that was trained with formant_postfilter=0.

Usage: formant_postfilter.py VOICE GAIN OUT.safetensors

Where the run still exists, `voxcycle train --resume ... formant_postfilter=X` avoids a second
rounding.
"""

import sys
from dataclasses import replace
from pathlib import Path

from voxcycle.voices.formant_postfilter import filter_formants
from voxcycle.voices.library import load_voice


def main() -> None:
    if len(sys.argv) != 4:
        raise SystemExit(__doc__)
    voice, share, out = load_voice(sys.argv[1]), float(sys.argv[2]), Path(sys.argv[3])
    training = voice.card.training
    config = training.get("config", {})
    # Older voices call the setting sharpness.
    if before := config.get("formant_postfilter", config.get("sharpness", 0.0)):
        raise SystemExit(f"{sys.argv[1]}: already filtered, by {before}")
    card = replace(
        voice.card,
        training=training | {"config": config | {"formant_postfilter": share}},
        scores={},
    )
    try:
        generator = filter_formants(voice.generator, voice.target_stats, share)
    except ValueError as error:
        raise SystemExit(f"{sys.argv[1]}: cannot be filtered ({error})") from None
    out.parent.mkdir(parents=True, exist_ok=True)
    replace(voice, card=card, generator=generator).save(out)


if __name__ == "__main__":
    main()
