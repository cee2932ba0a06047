"""Copy synthesis: recordings as their own mels through each vocoder, and their scores.

    python egs/kokoro/copy_synthesis.py --corpus CORPUS griffin-lim hifigan fast
    python egs/kokoro/copy_synthesis.py --corpus CORPUS --split eval --real REAL hifigan fast

Rows per vocoder (a name or a file) and speaker: those of the evaluation, and beside them the L1 of
log-mels and the log-magnitude distance at three STFT resolutions, both in nepers, against the
recording. They are printed and written to a result file.
"""

import argparse
import sys
import time
from datetime import UTC, datetime
from pathlib import Path

import numpy as np
import soundfile
import torch
from evaluate_kokoro import RESULTS, make_real_speaker, make_speaker
from rich.console import Console
from rich.progress import track
from speakers import SPLIT

from voxcycle.audio.f0 import extract_f0
from voxcycle.audio.mel import LogMel, MelSpec
from voxcycle.audio.resample import resample
from voxcycle.evaluation.cache import ContentCache
from voxcycle.evaluation.metrics.all_metrics import METRICS, Evaluator
from voxcycle.evaluation.report.record import check_result_path, make_row, record_evaluation
from voxcycle.evaluation.run import PACKAGED_ASR, Evaluation
from voxcycle.evaluation.score import score_systems
from voxcycle.evaluation.stats.cost import describe_machine
from voxcycle.evaluation.stats.summary import MEAN, MEASURES, markdown_table, print_value
from voxcycle.evaluation.systems import System, Wave, copy_synthesis
from voxcycle.files import cache_dir
from voxcycle.losses.spectral import multi_resolution_stft_loss
from voxcycle.vocoders.registry import load_vocoder

REAL = ("allison", "dutch_woman", "dutch_man")
HEARD = [metric for metric in METRICS if metric != "distance"]
DISTANCES = ("mel L1", "log STFT")
METRICS_SHOWN = (
    *("distillmos", "dnsmos", "wer", "cer", "secs_source"),
    *("f0_rmse_semitones", "f0_gross_rate", "f0_voicing_error_rate"),
)


def measure_distances(
    audio: Wave, path: Path, sample_rate: int, spec: MelSpec
) -> tuple[float, ...]:
    """Return L1 of log-mels and of log magnitudes at three resolutions against the recording."""
    recording, _ = soundfile.read(path, dtype="float32")
    pair = [resample(x, sample_rate, spec.sample_rate) for x in (audio, recording)]
    mels = [LogMel(spec)(x) for x in pair]
    tensors = [torch.from_numpy(x)[None] for x in pair]
    log_magnitude = multi_resolution_stft_loss(*tensors)["log_magnitude"]
    return float(np.abs(mels[0] - mels[1]).mean()), log_magnitude.item()


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
    parser.add_argument("--result", type=Path, help="result file; default: results/ID.json")
    args = parser.parse_args()
    result = args.result or RESULTS / f"copy-synthesis-{args.split}.json"
    check_result_path(result)
    started, spec = time.perf_counter(), MelSpec()
    speakers = [
        *(make_speaker(args.corpus, s, args.split, args.limit) for s in SPLIT[args.split].speakers),
        *(make_real_speaker(args.real, name, args.limit) for name in REAL if args.real),
    ]
    paths = {(s.name, x.name): x.path for s in speakers for x in s.sentences}
    renders = {"recording": lambda x, _: x}
    for name in args.vocoders:
        vocoder = load_vocoder(name, spec)
        renders[name] = lambda x, rate, v=vocoder: copy_synthesis(x, rate, v)
    systems = [
        System(name, tuple(speakers), render, lambda x: extract_f0(x, spec))
        for name, render in renders.items()
    ]
    evaluator = Evaluator(tuple(args.metrics), ContentCache(cache_dir("evaluation")))
    scores, distances = [], {}
    for scored in track(
        score_systems(systems, None, evaluator, spec),
        "Scoring",
        total=len(systems) * len(paths),
        console=Console(stderr=True),
    ):
        s = scored.scores
        scores.append(s)
        if scored.audio is not None:
            found = measure_distances(
                scored.audio, paths[s.speaker, s.sentence], scored.sample_rate, spec
            )
            for speaker in (s.speaker, MEAN):
                distances.setdefault((s.row, speaker), []).append(found)
    about = {
        "training": None,
        "vocoder": ", ".join(args.vocoders),
        "asr": PACKAGED_ASR,
        "metrics": args.metrics,
        "date": datetime.now(UTC).isoformat(timespec="seconds"),
        "wall_s": round(time.perf_counter() - started, 1),
        "machine": describe_machine(),
    }
    evaluation = Evaluation(about, scores)
    cells = [["vocoder", "speaker", *(MEASURES[m].heading for m in METRICS_SHOWN), *DISTANCES]]
    rows = []
    for line in evaluation.summary():
        of = distances.get((line.row, line.speaker))
        means = np.mean(of, 0).tolist() if of else [np.nan] * len(DISTANCES)
        rows.append(make_row(line, **dict(zip(DISTANCES, means, strict=True))))
        shown = [print_value(line.values.get(m), MEASURES[m].form) for m in METRICS_SHOWN]
        name = line.row
        if "/" in name:  # a file: its folder distinguishes it
            name = "/".join(Path(name).with_suffix("").parts[-2:])
        cells.append([name, line.speaker, *shown, *(f"{m:.3f}" for m in means)])
    print(markdown_table(cells))
    title = f"Copy synthesis of the split {args.split}{' and real speakers' if args.real else ''}"
    print(record_evaluation(result, evaluation, title, rows), file=sys.stderr)


if __name__ == "__main__":
    main()
