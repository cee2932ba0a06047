"""Stage 4: measure a voice on the Kokoro speakers of a split that it was not trained on.

    python egs/kokoro/evaluate_kokoro.py --voice VOICE --corpus CORPUS [--json out.json]

Centroids: on the split `eval`, of the speaker's 20 `valid` recordings; on the split `valid`, of the
speaker's other 19 `valid` recordings, the scored sentence left out.
"""

import argparse
import sys
from dataclasses import replace
from pathlib import Path

from speakers import SPLIT

from voxcycle.evaluation.metrics.all_metrics import METRICS, QUICK_METRICS
from voxcycle.evaluation.report.record import check_result_path, record_evaluation, result_id
from voxcycle.evaluation.report.terminal import evaluate_with_progress, print_evaluation
from voxcycle.evaluation.systems import Sentence, Speaker
from voxcycle.files import cache_dir
from voxcycle.voices.library import load_voice

QUICK_SENTENCES = 10
RESULTS = Path(__file__).parents[2] / "results"


def list_sentences(corpus: Path, speaker: str, kind: str) -> tuple[Sentence, ...]:
    paths = sorted((corpus / "wavs" / speaker / kind).glob("*.flac"))
    if not paths:
        raise SystemExit(f"{corpus}: no {kind} sentences of {speaker}; run synthesize.py first")
    return tuple(
        Sentence(f"{kind}/{p.stem}", p, p.with_suffix(".txt").read_text(encoding="utf-8").strip())
        for p in paths
    )


def make_speaker(corpus: Path, name: str, split: str, limit: int | None) -> Speaker:
    return Speaker(
        name=name,
        language="en",
        sentences=list_sentences(corpus, name, split)[:limit],
        references=list_sentences(corpus, name, "valid"),
    )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--voice", required=True, help="name or file of the voice")
    parser.add_argument("--target", help="its Kokoro speaker; default: the one of that name")
    parser.add_argument("--split", choices=("valid", "eval"), default="valid")
    parser.add_argument("--speakers", nargs="+", help="to convert; default: those of the split")
    parser.add_argument("--second-pass", type=float, help="0 to 1; default: the voice's own")
    parser.add_argument("--corpus", type=Path, required=True)
    parser.add_argument("--vocoder", default="hifigan")
    parser.add_argument("--limit", type=int, help="sentences per speaker")
    parser.add_argument("--quick", action="store_true", help="10 sentences, three metrics")
    parser.add_argument("--json", type=Path, help="file for every score")
    parser.add_argument("--result", type=Path, help="result file; default: results/ID.json")
    parser.add_argument("--cache", type=Path, default=cache_dir("evaluation"))
    args = parser.parse_args()
    voice = load_voice(args.voice)
    result = args.result or RESULTS / f"{result_id('kokoro', args.split, voice.card.name)}.json"
    check_result_path(result)
    if args.second_pass is not None:
        voice = replace(voice, second_pass=args.second_pass)
    target = args.target or next(
        (s for s in (*SPLIT["target"].speakers, *SPLIT["british"].speakers)
         if s.split("_")[1] == voice.card.name), None
    )  # fmt: skip
    if target is None:
        raise SystemExit(f"whose voice is {voice.card.name}? name the Kokoro speaker with --target")
    limit = args.limit or (QUICK_SENTENCES if args.quick else None)
    evaluation = evaluate_with_progress(
        voice,
        tuple(
            make_speaker(args.corpus, s, args.split, limit)
            for s in args.speakers or SPLIT[args.split].speakers
        ),
        make_speaker(args.corpus, target, args.split, limit),
        vocoder=args.vocoder,
        metrics=QUICK_METRICS if args.quick else METRICS,
        cache_dir=args.cache,
    )
    print_evaluation(evaluation)
    if args.json:
        evaluation.save(args.json)
    title = f"Voice {voice.card.name} on the Kokoro speakers of the split {args.split}"
    print(record_evaluation(result, evaluation, title), file=sys.stderr)


if __name__ == "__main__":
    main()
