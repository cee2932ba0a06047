"""Measure a voice on 20 clips each of four real speakers whom it was not trained on.

    python egs/real/evaluate_real.py --voice VOICE --real DIR --corpus CORPUS [--json out.json]

DIR was filled by fetch.sh; CORPUS is that of egs/kokoro, whose target speaker gives the centroid of
the target (20 `valid` recordings). A source's centroid is made of 20 other clips. The clips have no
text: words are compared with the recogniser's transcript of the unconverted clip.
"""

import argparse
import sys
from pathlib import Path

from speakers import N_SCORED, SPEAKERS

from voxcycle.evaluation.report.record import check_result_path, record_evaluation, result_id
from voxcycle.evaluation.report.terminal import evaluate_with_progress, print_evaluation
from voxcycle.evaluation.systems import Sentence, Speaker
from voxcycle.files import cache_dir
from voxcycle.voices.library import load_voice

RESULTS = Path(__file__).parents[2] / "results"
KOKORO_SPEAKERS = {
    "heart": "af_heart",
    "michael": "am_michael",
    "emma": "bf_emma",
    "george": "bm_george",
}


def make_source(folder: Path, name: str, limit: int | None) -> Speaker:
    clips = tuple(Sentence(p.stem, p) for p in sorted((folder / "wavs" / name).glob("*.flac")))
    if len(clips) <= N_SCORED:
        raise SystemExit(f"{folder}: too few clips of {name}; run fetch.sh {folder} first")
    return Speaker(name, SPEAKERS[name].language, clips[:N_SCORED][:limit], clips[N_SCORED:])


def make_target(corpus: Path, name: str, limit: int | None) -> Speaker:
    folder = corpus / "wavs" / name
    sentences = [
        Sentence(
            f"{p.parent.name}/{p.stem}",
            p,
            p.with_suffix(".txt").read_text(encoding="utf-8").strip(),
        )
        for kind in ("eval", "valid")
        for p in sorted((folder / kind).glob("*.flac"))
    ]
    scored = tuple(s for s in sentences if s.name.startswith("eval"))
    references = tuple(s for s in sentences if s.name.startswith("valid"))
    if not scored or not references:
        raise SystemExit(f"{corpus}: no recordings of {name}; run egs/kokoro first")
    return Speaker(name, "en", scored[:limit], references)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--voice", required=True, help="name or file of the voice")
    parser.add_argument("--target", help="its Kokoro speaker; default: the one of that name")
    parser.add_argument("--real", type=Path, required=True)
    parser.add_argument("--corpus", type=Path, required=True)
    parser.add_argument("--vocoder", default="hifigan")
    parser.add_argument("--limit", type=int, help="clips per speaker")
    parser.add_argument("--json", type=Path, help="file for every score")
    parser.add_argument("--result", type=Path, help="result file; default: results/ID.json")
    parser.add_argument("--cache", type=Path, default=cache_dir("evaluation"))
    args = parser.parse_args()
    voice = load_voice(args.voice)
    result = args.result or RESULTS / f"{result_id('real', voice.card.name)}.json"
    check_result_path(result)
    target = args.target or KOKORO_SPEAKERS.get(voice.card.name)
    if target is None:
        raise SystemExit(f"whose voice is {voice.card.name}? name the Kokoro speaker with --target")
    evaluation = evaluate_with_progress(
        voice,
        tuple(
            make_source(args.real, name, args.limit) for name, s in SPEAKERS.items() if s.n_clips
        ),
        make_target(args.corpus, target, args.limit),
        vocoder=args.vocoder,
        cache_dir=args.cache,
    )
    print_evaluation(evaluation)
    if args.json:
        evaluation.save(args.json)
    title = f"Voice {voice.card.name} on real speakers"
    print(record_evaluation(result, evaluation, title), file=sys.stderr)


if __name__ == "__main__":
    main()
