"""What the base alone is worth as it is trained: clones of speakers that it never heard.

    python egs/kokoro/base_curve.py --corpus CORPUS runs/base/base-*.safetensors

The pair's speakers (egs/kokoro_pair) are cloned from their training recordings, without training;
the validation speakers are converted to them, twenty sentences each.
"""

import argparse
import re
import tempfile
from pathlib import Path

from evaluate_kokoro import make_speaker
from speakers import SPLIT

from voxcycle.evaluation.metrics.all_metrics import QUICK_METRICS
from voxcycle.evaluation.report.terminal import evaluate_with_progress
from voxcycle.evaluation.run import default_cache_dir
from voxcycle.evaluation.stats.summary import MEAN, MEASURES, markdown_table, print_value
from voxcycle.speech.clone import clone_voice
from voxcycle.voices.library import load_voice
from voxcycle.voices.voice import VoiceCard

SHOWN = ("secs_target", "secs_source", "nearer_target", "wer", "distillmos")


def steps_of(path: Path) -> int:
    """Return the steps in the name of a snapshot, for its place in the table."""
    return int(re.findall(r"\d+", path.stem)[-1])


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("bases", nargs="+", type=Path)
    parser.add_argument("--corpus", type=Path, required=True)
    parser.add_argument("--limit", type=int, help="sentences per speaker")
    args = parser.parse_args()
    sources = tuple(
        make_speaker(args.corpus, s, "valid", args.limit) for s in SPLIT["valid"].speakers
    )
    cells = [["steps of the base", "target", *(MEASURES[name].heading for name in SHOWN)]]
    for path in sorted(args.bases, key=steps_of):
        for name in SPLIT["pair"].speakers:
            with tempfile.TemporaryDirectory() as temporary:
                made = Path(temporary) / "clone.safetensors"
                clone_voice(args.corpus / "pair" / name, VoiceCard("clone"), made, path)
                evaluation = evaluate_with_progress(
                    load_voice(made),
                    sources,
                    make_speaker(args.corpus, name, "valid", args.limit),
                    metrics=QUICK_METRICS,
                    cache_dir=default_cache_dir(),
                )
            line = next(
                line
                for line in evaluation.summary()
                if line.row == "clone" and line.speaker == MEAN
            )
            values = [print_value(line.values.get(key), MEASURES[key].form) for key in SHOWN]
            cells.append([f"{steps_of(path):,}", name, *values])
    print(markdown_table(cells))


if __name__ == "__main__":
    main()
