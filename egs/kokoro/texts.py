"""The sentences of the corpus: training texts from `fortunes`, parallel lists from sentences/."""

import random
import re
from pathlib import Path

TOPICS = (
    "art computers cookie education food fortunes humorists kids linuxcookie literature love magic "
    "medicine miscellaneous news people pets platitudes science sports startrek tao wisdom work"
).split()
PLAIN = re.compile(r"[A-Z][A-Za-z ,;'?!.]{34,109}[.?!]")


def parallel_sentences(name: str) -> list[str]:
    """Return the sentences of the parallel list `name` ("valid" or "eval")."""
    path = Path(__file__).parent / "sentences" / f"{name}.txt"
    return path.read_text(encoding="utf-8").splitlines()


def training_sentences(fortunes: Path, seed: int = 0) -> list[str]:
    """Return plain sentences of 36-111 characters from the fortune files, shuffled by `seed`."""
    found = set()
    for topic in TOPICS:
        text = (fortunes / topic).read_text(encoding="utf-8", errors="ignore")
        for entry in text.split("\n%\n"):
            sentence = " ".join(re.split(r"\n\s*-- ", entry)[0].split())
            if PLAIN.fullmatch(sentence) and not re.search(r"[A-Z]{2}|\.\.", sentence):
                found.add(sentence)
    found -= {s for name in ("valid", "eval") for s in parallel_sentences(name)}
    sentences = sorted(found)
    random.Random(seed).shuffle(sentences)
    return sentences
