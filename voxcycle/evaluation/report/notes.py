"""What a reader of an evaluation's numbers should know: what they stand on, where that differs."""

from collections.abc import Collection, Sequence

from voxcycle.evaluation.stats.scores import UtteranceScores
from voxcycle.evaluation.systems import STANDARD_SYSTEMS

REFERENCES = {"text": "the text", "source": "what the recogniser hears in the recording"}


def find_notes(scores: Sequence[UtteranceScores], metrics: Collection[str]) -> list[str]:
    """Return what the words are compared with and what covers only some sentences.

    Args:
        scores: of utterances.
        metrics: those of `METRICS` that were wanted.

    Returns:
        One sentence part each.
    """
    rows: dict[str, list[UtteranceScores]] = {}
    for s in scores:
        rows.setdefault(s.row, []).append(s)
    notes = []
    for kind, meaning in REFERENCES.items():
        named = [row for row, own in rows.items() if any(s.words_reference == kind for s in own)]
        if named:
            notes.append(f"words count against {meaning}: {', '.join(named)}")
    has_words = any(s.words for s in scores if s.row not in STANDARD_SYSTEMS)
    if "words" in metrics and not has_words:
        notes.append(
            "no words count: without texts the recogniser has to know the language, and with or "
            "without them to follow the recordings"
        )
    coverage: dict[str, list[str]] = {}
    for row, own in rows.items():
        n = sum(s.mcd_db is not None for s in own)
        if 0 < n < len(own):
            coverage.setdefault(f"MCD of {n} of {len(own)} sentences", []).append(row)
    return notes + [f"{told}: {', '.join(named)}" for told, named in coverage.items()]
