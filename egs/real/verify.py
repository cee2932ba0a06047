"""Measure how well a speaker encoder tells speakers apart whom no training heard.

    python egs/real/verify.py ENCODER --conditions OUT --real FOLDER [--result ID]

Every recording of OUT (made by conditions.py) is compared with the speakers' other clean clips: the
equal error rate of its own speaker against all others, by the encoder's embeddings and, as the
baseline, by the statistics that are the condition of networks without it.
"""

import argparse
import json
import time
from collections import defaultdict
from pathlib import Path

import numpy as np
from record import record
from yardstick import SPEC, read_rows

from voxcycle.artifacts import SPEAKER_ENCODER, read_artifact
from voxcycle.audio.stats import DomainStats, add_sums, estimate_stats, sum_frames
from voxcycle.console import late_progress
from voxcycle.evaluation.metrics.similarity import centroid, cosine, equal_error_rate
from voxcycle.evaluation.report.results import Value
from voxcycle.speech.embedding import embed_segments, load_encoder
from voxcycle.speech.features import Features, extract_features
from voxcycle.voices.pretrained import PRETRAINED_FILE, Pretrained, speaker_condition

Vector = np.ndarray


def describe_statistics(recordings: list[Features], reference: DomainStats) -> Vector:
    """Return the condition that statistics alone make of recordings."""
    sums = [sum_frames(r.mels[0].astype(np.float32), r.f0_hz, r.speech) for r in recordings]
    return speaker_condition(estimate_stats(add_sums(sums), reference), reference)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("encoder", type=Path, help="made by recipes/train_speaker_encoder.py")
    parser.add_argument("--conditions", type=Path, required=True, help="made by conditions.py")
    parser.add_argument("--real", type=Path, required=True)
    parser.add_argument("--only", default="", help="conditions, with commas")
    parser.add_argument("--result", help="ID of the result file to write under results/")
    args = parser.parse_args()
    started = time.monotonic()
    encoder, reference = load_encoder(args.encoder), Pretrained.load(PRETRAINED_FILE).reference
    only = [name for name in args.only.split(",") if name]
    rows = read_rows(args.conditions, args.real, 1, ["clean", *only] if only else [])
    rows = [row for row in rows if row.condition != "sparse"]  # hardly any speech is in them

    def describe(path: Path) -> tuple[Features, Vector, Vector]:
        features = extract_features(path, SPEC)
        embedding = centroid(list(embed_segments(encoder, [features], SPEC)))
        return features, embedding, describe_statistics([features], reference)

    with late_progress("recordings", len(rows)) as advance:
        found = {}
        for row in rows:
            found[row.path] = describe(row.path)
            advance()
    enrolled: dict[str, list[tuple[Path, Features, Vector]]] = defaultdict(list)
    for row in rows:
        if row.condition == "clean":
            enrolled[row.speaker].append((row.clean, *found[row.path][:2]))
    enrolled = {name: clips for name, clips in enrolled.items() if len(clips) > 1}
    rows = [row for row in rows if row.speaker in enrolled]
    genuine: dict[str, dict[str, list[float]]] = defaultdict(lambda: defaultdict(list))
    impostors: dict[str, dict[str, list[float]]] = defaultdict(lambda: defaultdict(list))
    for row in rows:
        _, embedding, statistics = found[row.path]
        for speaker, clips in enrolled.items():
            others = [clip for clip in clips if clip[0] != row.clean]
            scores = genuine if speaker == row.speaker else impostors
            known = describe_statistics([features for _, features, _ in others], reference)
            own = cosine(embedding, centroid([vector for *_, vector in others]))
            scores["encoder"][row.condition].append(own)
            scores["statistics"][row.condition].append(cosine(statistics, known))
    summary: list[dict[str, Value]] = []
    for condition in dict.fromkeys(row.condition for row in rows):
        summary.append(
            {
                "row": condition,
                "n_clips": float(len(genuine["encoder"][condition])),
                **{
                    f"eer_{name}": round(
                        equal_error_rate(genuine[name][condition], impostors[name][condition]), 4
                    )
                    for name in ("encoder", "statistics")
                },
            }
        )
        print(json.dumps(summary[-1]), flush=True)
    if args.result:
        about = read_artifact(args.encoder, SPEAKER_ENCODER).header["about"]
        record(
            args.result,
            f"Speaker verification, {args.conditions.name} speakers, equal error rates",
            rows=summary,
            recordings=[row.clean for row in rows],
            started=started,
            seed=about["config"]["seed"],
            steps=about["steps"],
        )


if __name__ == "__main__":
    main()
