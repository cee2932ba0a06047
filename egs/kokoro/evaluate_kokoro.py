"""Stage 4: measure a voice on the Kokoro speakers of a split, or on real speakers.

    python egs/kokoro/evaluate_kokoro.py --voice VOICE --corpus CORPUS [--json out.json]
    python egs/kokoro/evaluate_kokoro.py --voice VOICE --corpus CORPUS --real REAL

No voice was trained on the source speakers. The centroid of a Kokoro speaker is that of the 20
`valid` recordings, without the scored one. REAL is filled by egs/real/fetch.sh: of each real
speaker 20 clips are scored, and 20 others make the centroid. Real clips have no text: their words
are compared with the recogniser's transcript of the unconverted clip.
"""

import argparse
import sys
from dataclasses import replace
from pathlib import Path

from ship import SCORED_VOCODER
from speakers import SPLIT

from voxcycle.evaluation.metrics.all_metrics import METRICS, QUICK_METRICS
from voxcycle.evaluation.report.record import check_result_path, record_evaluation, result_id
from voxcycle.evaluation.report.results import Bar
from voxcycle.evaluation.report.terminal import evaluate_with_progress, print_evaluation
from voxcycle.evaluation.run import Evaluation
from voxcycle.evaluation.stats.summary import MEAN
from voxcycle.evaluation.systems import UNCONVERTED, Sentence, Speaker, system_name
from voxcycle.files import cache_dir
from voxcycle.voices.library import load_voice

QUICK_SENTENCES = 10
N_REAL = 20
REAL_SPEAKERS = {"allison": "en", "carlo": "it", "dutch_woman": "nl", "dutch_man": "nl"}
MAX_LOST = 0.015  # word error rate above that of the unconverted speech
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


def make_real_speaker(real: Path, name: str, limit: int | None) -> Speaker:
    clips = tuple(Sentence(p.stem, p) for p in sorted((real / "wavs" / name).glob("*.flac")))
    if len(clips) <= N_REAL:
        raise SystemExit(f"{real}: too few clips of {name}; run egs/real/fetch.sh {real} first")
    return Speaker(name, REAL_SPEAKERS[name], clips[:N_REAL][:limit], clips[N_REAL:])


def make_bars(evaluation: Evaluation, voice: str) -> list[Bar]:
    """Return what a shipped voice has to reach on the evaluation speakers."""
    means = {line.row: line.values for line in evaluation.summary() if line.speaker == MEAN}
    own, most = means[voice], round(means[UNCONVERTED]["wer"] + MAX_LOST, 5)

    def bar(what: str, key: str, spec: str, least: float) -> Bar:
        value = round(own[key], 5)
        return Bar(what=what, measured=value, at_least=least, spec=spec, passes=value >= least)

    wer = round(own["wer"], 5)
    words = f"word error rate, at most {MAX_LOST} above the unconverted speech"
    return [
        bar("similarity to the target (SECS), mean", "secs_target", ".3f", 0.88),
        bar("sentences nearer the target than the source", "nearer_target", ".1%", 0.99),
        Bar(what=words, measured=wer, at_most=most, spec=".3f", passes=wer <= most),
        bar("naturalness (DistillMOS), mean", "distillmos", ".2f", 4.35),
    ]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--voice", required=True, help="name or file of the voice")
    parser.add_argument("--target", help="its Kokoro speaker; default: the one of that name")
    parser.add_argument("--split", choices=("valid", "eval"), default="valid")
    parser.add_argument("--speakers", nargs="+", help="to convert; default: those of the split")
    parser.add_argument("--real", type=Path, help="folder of egs/real: convert its speakers")
    parser.add_argument("--second-pass", type=float, help="0 to 1; default: the voice's own")
    parser.add_argument("--corpus", type=Path, required=True)
    parser.add_argument("--vocoder", default=SCORED_VOCODER)
    parser.add_argument("--limit", type=int, help="sentences per speaker")
    parser.add_argument("--quick", action="store_true", help="10 sentences, three metrics")
    parser.add_argument("--json", type=Path, help="file for every score")
    parser.add_argument("--result", type=Path, help="result file; default: results/ID.json")
    parser.add_argument("--cache", type=Path, default=cache_dir("evaluation"))
    args = parser.parse_args()
    voice = load_voice(args.voice)
    kind = "real" if args.real else f"kokoro-{args.split}"
    result = args.result or RESULTS / f"{result_id(kind, voice.card.name)}.json"
    check_result_path(result)
    if args.second_pass is not None and not voice.generator.n_content:
        voice = replace(voice, second_pass=args.second_pass)
    known = (*SPLIT["target"].speakers, *SPLIT["british"].speakers)
    by_voice = {speaker.split("_")[1]: speaker for speaker in known}
    target = args.target or by_voice.get(voice.card.name)
    if target is None:
        raise SystemExit(f"whose voice is {voice.card.name}? name the Kokoro speaker with --target")
    limit = args.limit or (QUICK_SENTENCES if args.quick else None)
    if args.real:
        names = args.speakers or REAL_SPEAKERS
        sources = [make_real_speaker(args.real, name, limit) for name in names]
    else:
        names = args.speakers or SPLIT[args.split].speakers
        sources = [make_speaker(args.corpus, name, args.split, limit) for name in names]
    evaluation = evaluate_with_progress(
        voice,
        tuple(sources),
        make_speaker(args.corpus, target, "eval" if args.real else args.split, limit),
        vocoder=args.vocoder,
        metrics=QUICK_METRICS if args.quick else METRICS,
        cache_dir=args.cache,
    )
    print_evaluation(evaluation)
    if args.json:
        evaluation.save(args.json)
    on = "real speakers" if args.real else f"the Kokoro speakers of the split {args.split}"
    title = f"Voice {voice.card.name} on {on}"
    is_shipped = args.split == "eval" and not args.real and args.vocoder == SCORED_VOCODER
    bars = make_bars(evaluation, system_name(voice)) if is_shipped else []
    print(record_evaluation(result, evaluation, title, bars=bars), file=sys.stderr)


if __name__ == "__main__":
    main()
