"""Notes on an evaluation's numbers: the reference of the words, and incomplete coverage."""

from collections.abc import Collection, Sequence

from voxcycle.evaluation.stats.scores import UtteranceScores
from voxcycle.evaluation.systems import STANDARD_SYSTEMS

REFERENCES = {"text": "the text", "source": "the recogniser's transcript of the recording"}


def find_notes(scores: Sequence[UtteranceScores], metrics: Collection[str]) -> list[str]:
    """Return the reference of the words, and the metrics that cover only some sentences.

    Args:
        scores: of utterances.
        metrics: those of `METRICS` that were requested.

    Returns:
        One phrase each.
    """
    rows: dict[str, list[UtteranceScores]] = {}
    for s in scores:
        rows.setdefault(s.row, []).append(s)
    notes = []
    for kind, meaning in REFERENCES.items():
        named = [row for row, own in rows.items() if any(s.words_reference == kind for s in own)]
        if named:
            notes.append(f"words are compared with {meaning}: {', '.join(named)}")
    has_words = any(s.words for s in scores if s.row not in STANDARD_SYSTEMS)
    if "words" in metrics and not has_words:
        notes.append(
            "no words are counted: the recogniser cannot follow the recordings, or there is no "
            "text and it does not know the language"
        )
    coverage: dict[str, list[str]] = {}
    for row, own in rows.items():
        n = sum(s.mcd_db is not None for s in own)
        if 0 < n < len(own):
            coverage.setdefault(f"MCD of {n} of {len(own)} sentences", []).append(row)
    return notes + [f"{note}: {', '.join(named)}" for note, named in coverage.items()]
