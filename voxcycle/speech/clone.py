"""`clone_voice`: a voice without training, the pretrained generator bound to recordings."""

import datetime
import tempfile
from pathlib import Path

from voxcycle.console import open_console
from voxcycle.files import check_writable
from voxcycle.speech.corpus import scan_folder
from voxcycle.speech.embedding import add_embeddings
from voxcycle.speech.features import extract_features
from voxcycle.speech.prepare import prepare
from voxcycle.speech.speakers import build_speaker
from voxcycle.voices.generator import FORMANT_POSTFILTER
from voxcycle.voices.pretrained import PRETRAINED_FILE, Pretrained
from voxcycle.voices.voice import Voice, VoiceCard, check_voice_name

MIN_SPEECH_S = 10.0


def clone_voice(
    folder: Path,
    card: VoiceCard,
    path: Path,
    pretrained_path: Path = PRETRAINED_FILE,
    prepares: bool = True,
) -> Path:
    """Write an any-to-one voice of the speaker of a folder.

    The pretrained generator knows a speaker by statistics (level and variation of each band, range
    of the pitch) and, if it has a speaker encoder, by an embedding. A trained pair is more similar
    to its speakers.

    Args:
        folder: recordings of one speaker, or a single one, at least ten seconds of speech.
        card: name and provenance.
        path: the voice file.
        pretrained_path: made by `recipes/train_pretrained.py`.
        prepares: cut and screen the recordings first, as `voxcycle prepare` does.

    Raises:
        CorpusError: there is too little usable speech.
        ValueError: the name cannot be a file's, or `pretrained_path` is no pretrained file.
        OSError: the folder of `path` cannot be written to.
    """
    check_voice_name(card.name)
    check_writable(path.parent)
    pretrained = Pretrained.load(pretrained_path)
    console = open_console()
    with tempfile.TemporaryDirectory(prefix="voxcycle-") as temporary:
        clips = folder
        if prepares:
            clips = Path(temporary) / "clips"
            prepare(folder, clips, MIN_SPEECH_S, console)
        corpus = scan_folder(clips, MIN_SPEECH_S)
        features = [extract_features(clip.path, pretrained.spec) for clip in corpus.clips]
        speaker = build_speaker(card.name, features, pretrained.spec)
        if pretrained.encoder:
            speaker = add_embeddings(speaker, pretrained.encoder, pretrained.spec)
    stats = speaker.stats
    formant_postfilter = 0.0 if pretrained.generator.has_skip else FORMANT_POSTFILTER
    summary = {
        "steps": 0,
        "pretrained": pretrained.about,
        "config": {"formant_postfilter": formant_postfilter},
        "minutes_of_speech": {card.name: round(corpus.duration_s / 60, 2)},
        "date": datetime.date.today().isoformat(),
    }
    generator = pretrained.bind(stats, speaker.embedding)
    if formant_postfilter:
        generator = generator.filter_formants(stats, formant_postfilter)
    Voice(
        card=VoiceCard(**vars(card) | {"training": summary}),
        spec=pretrained.spec,
        source_stats=pretrained.reference,
        target_stats=stats,
        is_any_to_one=True,
        generator=generator,
    ).save(path)
    return path
