"""Copy synthesis: recordings as their own mels through each vocoder, and their scores.

    python egs/kokoro/copy_synthesis.py --corpus CORPUS griffin-lim hifigan fast
    python egs/kokoro/copy_synthesis.py --corpus CORPUS --split eval --real REAL hifigan fast

Rows per vocoder (a name or a file) and speaker: those of the evaluation, and beside them the L1 of
log-mels and the log-magnitude distance at three STFT resolutions, both in nepers, against the
recording.
"""

import argparse
import json
from pathlib import Path

import numpy as np
import soundfile
import torch
from evaluate_kokoro import make_speaker
from rich.console import Console
from rich.progress import track
from speakers import SPLIT

from voxcycle.audio.f0 import extract_f0
from voxcycle.audio.mel import LogMel, MelSpec
from voxcycle.audio.resample import resample
from voxcycle.evaluation.cache import ContentCache
from voxcycle.evaluation.metrics.all_metrics import METRICS, Evaluator
from voxcycle.evaluation.score import score_systems
from voxcycle.evaluation.stats.summary import MEAN, MEASURES, markdown_table, print_value, summarize
from voxcycle.evaluation.systems import Sentence, Speaker, System, Wave, copy_synthesis
from voxcycle.files import cache_dir
from voxcycle.losses.spectral import multi_resolution_stft_loss
from voxcycle.vocoders.registry import load_vocoder

REAL_SPEAKERS = {"allison": "en", "dutch_woman": "nl", "dutch_man": "nl"}
N_REAL = 20
HEARD = [metric for metric in METRICS if metric != "distance"]
DISTANCES = ("mel L1", "log STFT")
METRICS_SHOWN = (
    *("distillmos", "dnsmos", "wer", "cer", "secs_source"),
    *("f0_rmse_semitones", "f0_gross_rate", "f0_voicing_error_rate"),
)


def list_speakers(args: argparse.Namespace, limit: int | None) -> tuple[Speaker, ...]:
    speakers = [make_speaker(args.corpus, s, args.split, limit) for s in SPLIT[args.split].speakers]
    for name, language in REAL_SPEAKERS.items() if args.real else ():
        clips = [Sentence(p.stem, p) for p in sorted((args.real / "wavs" / name).glob("*.flac"))]
        speakers.append(
            Speaker(name, language, tuple(clips[:N_REAL][:limit]), tuple(clips[N_REAL:]))
        )
    return tuple(speakers)


def measure_distances(
    audio: Wave, path: Path, sample_rate: int, spec: MelSpec
) -> tuple[float, ...]:
    """Return L1 of log-mels and of log magnitudes at three resolutions against the recording."""
    recording, _ = soundfile.read(path, dtype="float32")
    pair = [
        torch.from_numpy(resample(x, sample_rate, spec.sample_rate))[None]
        for x in (audio, recording)
    ]
    mels = [LogMel(spec)(x) for x in pair]
    log_magnitude = multi_resolution_stft_loss(*pair)["log_magnitude"]
    return (mels[0] - mels[1]).abs().mean().item(), log_magnitude.item()


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("vocoders", nargs="+", help="names or files")
    parser.add_argument("--corpus", type=Path, required=True)
    parser.add_argument("--real", type=Path, help="folder of egs/real: its speakers too")
    parser.add_argument("--split", choices=("valid", "eval"), default="valid")
    parser.add_argument("--limit", type=int, help="sentences per speaker")
    parser.add_argument("--metrics", nargs="+", choices=METRICS, default=HEARD, help="to score")
    parser.add_argument("--json", type=Path, help="where to write the summary")
    args = parser.parse_args()
    console, spec = Console(stderr=True), MelSpec()
    speakers = list_speakers(args, args.limit)
    paths = {(s.name, x.name): x.path for s in speakers for x in s.sentences}

    systems = [System("recording", speakers, lambda x, _: x, lambda x: extract_f0(x, spec))]
    for name in args.vocoders:
        vocoder = load_vocoder(name, spec)
        systems.append(
            System(
                name,
                speakers,
                lambda x, rate, v=vocoder: copy_synthesis(x, rate, v),
                lambda x: extract_f0(x, spec),
            )
        )
    evaluator = Evaluator(tuple(args.metrics), ContentCache(cache_dir("evaluation")))
    scores, distances = [], {}
    total = len(systems) * len(paths)
    for scored in track(
        score_systems(systems, None, evaluator, spec), "Scoring", total=total, console=console
    ):
        s = scored.scores
        scores.append(s)
        if scored.audio is not None:
            path = paths[s.speaker, s.sentence]
            distances.setdefault((s.row, s.speaker), []).append(
                measure_distances(scored.audio, path, scored.sample_rate, spec)
            )
    cells = [["vocoder", "speaker", *(MEASURES[m].heading for m in METRICS_SHOWN), *DISTANCES]]
    lines = []
    for line in summarize(scores, []):
        of = [
            value
            for (row, speaker), values in distances.items()
            for value in values
            if row == line.row and line.speaker in (speaker, MEAN)
        ]
        means = np.mean(of, 0).tolist() if of else [np.nan] * len(DISTANCES)
        lines.append(line.to_dict() | dict(zip(DISTANCES, means, strict=True)))
        shown = [print_value(line.values.get(m), MEASURES[m].form) for m in METRICS_SHOWN]
        name = line.row
        if "/" in name:  # a file: its folder distinguishes it
            name = "/".join(Path(name).with_suffix("").parts[-2:])
        cells.append([name, line.speaker, *shown, *(f"{m:.3f}" for m in means)])
    print(markdown_table(cells))
    if args.json:
        args.json.write_text(json.dumps(lines, indent=1) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
