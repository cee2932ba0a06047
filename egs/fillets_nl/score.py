"""Score both voices of the pair on the test clips: similarity, words against the ASR of the source.

Usage: score.py DATA, the folder that run.sh filled. Reference clips (centroids) are training clips,
scored clips are test clips. Writes DATA/<voice>.json beside the printed table.
"""

import sys
from pathlib import Path

from voxcycle.evaluation.evaluate import default_cache_dir
from voxcycle.evaluation.rows import Sentence, Speaker
from voxcycle.evaluation.terminal import evaluate_with_progress, print_evaluation
from voxcycle.voices.registry import load_voice

N_REFERENCES = 20


def make_speaker(data: Path, name: str) -> Speaker:
    scored = sorted((data / "test" / name).glob("*.flac"))
    references = sorted((data / "train" / name).glob("*.flac"))[:N_REFERENCES]
    if not scored or not references:
        raise SystemExit(f"{data}: no clips of the {name}; run the first stages of run.sh")
    return Speaker(
        f"dutch_{name}",
        "nl",
        tuple(Sentence(p.stem, p) for p in scored),
        tuple(Sentence(p.stem, p) for p in references),
    )


def main() -> None:
    data = Path(sys.argv[1])
    woman, man = make_speaker(data, "woman"), make_speaker(data, "man")
    for source, target in ((woman, man), (man, woman)):
        voice = load_voice(data / "run" / f"{target.name}.safetensors")
        evaluation = evaluate_with_progress(
            voice, (source,), target, vocoder="hifigan", cache_dir=default_cache_dir()
        )
        print_evaluation(evaluation)
        evaluation.save(data / f"{target.name}.json")


if __name__ == "__main__":
    main()
