"""Stage 5: put a voice into the package, with its measured scores, and renew the self-test.

Usage: ship.py VOICE.safetensors EVAL.json   (EVAL.json from evaluate_kokoro.py --split eval of
the same voice, through HiFi-GAN)
"""

import json
import sys
from dataclasses import replace
from pathlib import Path

from voxcycle.artifacts import VOICE, read_header
from voxcycle.conversion.self_test import PACKAGE, VOICES_DIR, write_self_test
from voxcycle.evaluation.stats.summary import MEAN
from voxcycle.voices.voice import Voice

SCORED_VOCODER = "hifigan"  # whatever the default is: cards stay comparable
N_UTTERANCES = 80  # 20 sentences of each evaluation speaker
SHOWN = ("secs_target", "secs_source", "nearer_target", "wer", "distillmos", "dnsmos")


def main() -> None:
    if len(sys.argv) != 3:
        raise SystemExit(__doc__)
    path, scores_path = Path(sys.argv[1]), Path(sys.argv[2])
    evaluation = json.loads(scores_path.read_text(encoding="utf-8"))
    voice, about = Voice.load(path), evaluation["about"]
    measured = (about["voice_sha256"], about.get("second_pass"))
    if measured != (read_header(path, VOICE)["sha256"], voice.second_pass):
        raise SystemExit(f"{scores_path} measured another voice than {path}: evaluate it again")
    (mean,) = (
        line
        for line in evaluation["summary"]
        if line["row"] == voice.card.name and line["speaker"] == MEAN
    )
    if about["vocoder"] != SCORED_VOCODER or mean["n_sentences"] < N_UTTERANCES:
        raise SystemExit(
            f"{scores_path}: {mean['n_sentences']} utterances through {about['vocoder']}; the "
            f"card has the scores of {N_UTTERANCES} through {SCORED_VOCODER}"
        )
    scores = {key: round(mean[key], 3) for key in SHOWN} | {"vocoder": SCORED_VOCODER}
    target = PACKAGE / VOICES_DIR / f"{voice.card.name}.safetensors"
    replace(voice, card=replace(voice.card, scores=scores)).save(target)
    write_self_test(PACKAGE)
    print(f"{target}: {scores}")


if __name__ == "__main__":
    main()
