"""A voice as ONNX graphs and tables, for programs in other languages; and its check."""

import hashlib
import json
import math
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

import voxcycle
from voxcycle.audio.activity import find_activity
from voxcycle.audio.excitation import clear_below_f0, comb_table, excitation_mel
from voxcycle.audio.f0 import MIN_CONFIDENCE, TRACKER, transform_f0
from voxcycle.audio.level import ANALYSIS_LEVEL_DB
from voxcycle.audio.mel import LogMel, MelSpec, hann
from voxcycle.audio.mixdown import load_mono
from voxcycle.audio.source_signals import NOISE_BLOCK_FRAMES
from voxcycle.audio.stats import estimate_stats, sum_frames
from voxcycle.conversion.stages import mel_source
from voxcycle.files import replacing
from voxcycle.runtime.graph import Graph
from voxcycle.runtime.session import Session
from voxcycle.runtime.source_filter import LOG_F0_MEAN, LOG_F0_STD, build_filters
from voxcycle.runtime.voice_generator import build_voice_generator
from voxcycle.runtime.whisper_encoder import build_whisper_encoder
from voxcycle.vocoders.registry import load_vocoder
from voxcycle.vocoders.source_filter import SourceFilter
from voxcycle.voices.content import (
    LEVEL_RANGE,
    LEVEL_UNIT_DB,
    MEAN_PRIOR,
    WHISPER_FRAME_RATE,
    PhoneticEncoder,
    band_offsets,
    centre_content,
    load_phonetic_encoder,
    read_phonetic_encoder,
)
from voxcycle.voices.library import find_voice
from voxcycle.voices.voice import Voice

FORMAT = 1
GENERATOR, CONTENT, FILTERS = "generator.onnx", "content.onnx", "filters.onnx"
TABLES, DOCUMENT, README = "tables.safetensors", "voice.json", "README.md"
GUIDE = Path(__file__).with_name("export_readme.md")
Wave = NDArray[np.float32]


class ExportError(ValueError):
    """A folder that cannot be written or checked; the message says what to do."""


@dataclass(frozen=True)
class Difference:
    """How far an exported graph is from the voice's own network, on one recording.

    Attributes:
        name: of the graph, or "waveform" for all of them in a row.
        largest: absolute difference of an output.
        relative_db: mean square of the difference over that of the output.
    """

    name: str
    largest: float
    relative_db: float


def export_voice(voice: Voice, vocoder: SourceFilter, out: Path, is_int8: bool = False) -> None:
    """Write the graphs of a voice and a vocoder, tables, `voice.json` and a README to a folder.

    With `is_int8` layers multiply by weights of eight bits: files are half as large. ExportError
    where the folder holds other files.
    """
    voice.spec.require_same(vocoder.spec, f"the voice {voice.card.name}", "the vocoder")
    _check_folder(out)
    networks = _build(voice, vocoder, is_int8)
    out.mkdir(parents=True, exist_ok=True)
    for name, graph in networks.items():
        with replacing(out / name) as partial:
            partial.write_bytes(graph.to_bytes())
    _write_tables(voice, out / TABLES)
    (out / README).write_text(GUIDE.read_text("utf-8"), "utf-8")
    files = [*networks, TABLES, README]
    document = _describe(voice, vocoder, is_int8) | {
        "files": {name: hashlib.sha256((out / name).read_bytes()).hexdigest() for name in files}
    }
    with replacing(out / DOCUMENT) as partial:  # last: a folder with it is whole
        partial.write_text(json.dumps(document, indent=1), "utf-8")


def load_exportable(name: str, spec: MelSpec) -> SourceFilter:
    """Load a vocoder whose graph is exported: a source-filter one; ExportError for another."""
    vocoder = load_vocoder(name, spec)
    if not isinstance(vocoder, SourceFilter):
        raise ExportError(f"vocoder {name}: only fast, or a file of its kind, is exported")
    return vocoder


class Verified(NamedTuple):
    """Differences of an export, and waveforms (T,) by the voice's own and the exported networks.

    Their sample rate is in Hz.
    """

    differences: list[Difference]
    own: Wave
    exported: Wave
    sample_rate: int


def verify_export(
    folder: Path, recording: Path, seconds: float, voice_path: Path | None = None
) -> Verified:
    """Compare exported graphs with the voice that they came from, on the start of a recording.

    Without `voice_path` the voice is the installed one of its name. ExportError where a file is
    missing or altered, or the voice is another one.
    """
    document = _read_document(folder)
    voice = Voice.load(voice_path or find_voice(document["card"]["name"]))
    if voice.path is None or _hash(voice.path) != document["voice_sha256"]:
        raise ExportError(
            f"{folder}: made from another file than {voice.path}; name its own with --voice, or "
            "export it again"
        )
    vocoder = load_exportable(document["vocoder"]["name"], voice.spec)
    rate = voice.spec.sample_rate
    waveform = load_mono(recording, rate)[: round(seconds * rate)]
    files = {name: folder / name for name in document["files"] if name.endswith(".onnx")}
    own = _render(voice, vocoder, _build(voice, vocoder), waveform)
    exported = _render(voice, vocoder, files, waveform)
    differences = [_compare(name, own[name], exported[name]) for name in own]
    return Verified(differences, own["waveform"], exported["waveform"], rate)


def _build(voice: Voice, vocoder: SourceFilter, is_int8: bool = False) -> dict[str, Graph]:
    networks = {}
    generator = voice.generator
    if generator.n_content:
        stored = read_phonetic_encoder().stored
        networks[CONTENT] = build_whisper_encoder(
            stored.weights, Graph(is_int8), **stored.arguments
        )
    networks[GENERATOR] = build_voice_generator(
        generator.weights, Graph(is_int8), **generator.arguments
    )
    networks[FILTERS] = build_filters(
        vocoder.network.weights, voice.spec, Graph(is_int8), **vocoder.network.arguments
    )
    return networks


def _write_tables(voice: Voice, path: Path) -> None:
    """Write the arrays that a program needs beside the graphs."""
    from safetensors.numpy import save

    spec = voice.spec
    log_f0, combs = comb_table(spec)
    tables = {
        "mel_filters": LogMel(spec).filters,  # (n_mels, n_fft / 2 + 1)
        "window": hann(spec.n_fft).astype(np.float32),
        "comb_log_f0": log_f0,
        "combs": combs,  # (R, n_mels)
    }
    if voice.generator.n_content:
        tables["content_mean"] = load_phonetic_encoder().mean
        tables["band_offsets"] = band_offsets(spec)
    with replacing(path) as partial:
        partial.write_bytes(save(tables))


def _describe(voice: Voice, vocoder: SourceFilter, is_int8: bool) -> dict[str, Any]:
    return {
        "format": FORMAT,
        "made_by": f"voxcycle {voxcycle.__version__}",
        "is_int8": is_int8,
        "card": asdict(voice.card),
        "voice_sha256": _hash(voice.path) if voice.path else "",
        "mel": voice.spec.to_dict(),
        "analysis_level_dbfs": ANALYSIS_LEVEL_DB,
        "is_any_to_one": voice.is_any_to_one,
        "source_stats": voice.source_stats.to_dict(),
        "target_stats": voice.target_stats.to_dict(),
        "f0": {"tracker": TRACKER, "min_confidence": MIN_CONFIDENCE},
        "content": {
            "features": voice.generator.n_content,
            "frame_rate": WHISPER_FRAME_RATE,
            "mean_prior_frames": MEAN_PRIOR,
            "level_unit_db": LEVEL_UNIT_DB,
            "level_range": LEVEL_RANGE,
        },
        "generator": {
            **voice.generator.arguments,
            "context_frames": voice.generator.context_frames,
        },
        "vocoder": {
            **vocoder.network.arguments,
            "name": vocoder.name,
            "context_frames": vocoder.context_frames,
            "look_ahead_frames": vocoder.look_ahead_frames,
            "log_f0_mean": LOG_F0_MEAN,
            "log_f0_std": LOG_F0_STD,
            "noise_block_frames": NOISE_BLOCK_FRAMES,
        },
    }


def _render(
    voice: Voice, vocoder: SourceFilter, graphs: dict[str, Any], recording: Wave
) -> dict[str, NDArray[np.float32]]:
    """Convert a waveform at the rate of the analysis, in one piece; returns what each stage gave.

    Level and pauses stay as the networks leave them.
    """
    spec, sessions = voice.spec, {name: Session(graph) for name, graph in graphs.items()}
    found = find_activity(recording, spec)
    mel = LogMel(spec)(found.level(recording))
    stats = voice.source_stats
    if voice.is_any_to_one:
        stats = estimate_stats(sum_frames(mel, found.f0_hz, found.speech), stats)
    f0_hz = transform_f0(found.f0_hz, stats, voice.target_stats)
    outputs: dict[str, NDArray[np.float32]] = {}
    source = mel_source(stats)(mel)
    if CONTENT in sessions:
        packaged = load_phonetic_encoder()
        encoder = PhoneticEncoder(None, packaged.mean, sessions[CONTENT])
        heard = encoder.listen(mel, spec)
        outputs[CONTENT] = heard
        source = centre_content(heard, encoder.find_centre(heard, found.speech))
    inputs = {"source": source, "excitation": excitation_mel(f0_hz, spec)}
    if not voice.generator.arguments.get("n_excitation", 81):
        del inputs["excitation"]
    outputs[GENERATOR] = sessions[GENERATOR].run(inputs)["mel"]
    renderer = SourceFilter(vocoder.network, spec, filters=sessions[FILTERS])
    log_mel = clear_below_f0(voice.target_stats.denormalize(outputs[GENERATOR]), f0_hz, spec)
    outputs["waveform"] = renderer.decode(log_mel, f0_hz)
    return outputs


def _compare(name: str, own: NDArray[np.float32], exported: NDArray[np.float32]) -> Difference:
    difference = exported.astype(np.float64) - own
    error, power = (float(np.mean(np.square(x))) for x in (difference, own))
    ratio = max(error / max(power, 1e-20), 1e-20)
    return Difference(name, float(np.abs(difference).max()), 10 * math.log10(ratio))


def _check_folder(out: Path) -> None:
    """Raise ExportError where a folder holds what no earlier export wrote."""
    if out.is_dir() and any(out.iterdir()) and not (out / DOCUMENT).exists():
        raise ExportError(f"{out}: holds other files; name a new folder")


def _read_document(folder: Path) -> dict[str, Any]:
    try:
        document = json.loads((folder / DOCUMENT).read_text("utf-8"))
        files = dict(document["files"])
        _ = document["card"]["name"], document["voice_sha256"], document["vocoder"]["name"]
    except FileNotFoundError:
        raise ExportError(
            f"{folder}: no export is there; make one with `voxcycle export`"
        ) from None
    except (OSError, ValueError, KeyError, TypeError, RecursionError) as error:
        raise ExportError(
            f"{folder / DOCUMENT}: damaged ({error}); export the voice again"
        ) from None
    for name, sha256 in files.items():
        path = folder / Path(name).name
        if not path.is_file() or _hash(path) != sha256:
            raise ExportError(f"{path}: missing or altered; export the voice again")
    return document


def _hash(path: Path) -> str:
    return hashlib.sha256(path.read_bytes()).hexdigest()
