"""All metrics of an evaluation, loaded on first use, their results cached."""

from collections.abc import Callable
from dataclasses import dataclass, field
from importlib.metadata import version
from pathlib import Path
from threading import Lock
from typing import Any

import numpy as np
from numpy.typing import NDArray

from voxcycle.evaluation.cache import ContentCache
from voxcycle.evaluation.metrics.asr import (
    BASE_PACKAGES,
    DEFAULT_MODEL,
    LANGUAGES,
    WhisperTranscriber,
    find_model,
)
from voxcycle.evaluation.metrics.distance import Cepstra, extract_cepstra, modulation_spectrum
from voxcycle.evaluation.metrics.naturalness import DNSMOS, DistillMOS
from voxcycle.evaluation.metrics.similarity import ResemblyzerEmbedder

METRICS = ("similarity", "words", "distillmos", "dnsmos", "pitch", "distance")
QUICK_METRICS = ("similarity", "words", "distillmos")


@dataclass
class Evaluator:
    """Computes all metrics on 16 kHz speech (T,), distances on audio of any rate. Thread-safe.

    Attributes:
        metrics: of `METRICS`; the others are neither loaded nor computed.
        cache: where results are kept.
        asr: name or folder of the recogniser, see `find_model`.
    """

    metrics: tuple[str, ...] = METRICS
    cache: ContentCache = field(default_factory=lambda: ContentCache(None))
    asr: str = DEFAULT_MODEL
    _asr_folder: Path | None = field(default=None, init=False, repr=False)
    _loaded: dict[str, Any] = field(default_factory=dict, init=False, repr=False)
    _loading: Any = field(default_factory=Lock, init=False, repr=False)

    def __post_init__(self) -> None:
        unknown = set(self.metrics) - set(METRICS)
        if unknown:
            raise ValueError(f"unknown metrics {sorted(unknown)}: known are {', '.join(METRICS)}")
        if self.asr != DEFAULT_MODEL:  # that one is joined when it is first needed
            self._asr_folder = find_model(self.asr)

    def _load(self, name: str, make: Callable[[], Any]) -> Any:
        """Return a network, loaded by the first thread that needs it; OSError where that fails."""
        with self._loading:
            if name not in self._loaded:
                try:
                    self._loaded[name] = make()
                except RuntimeError as error:
                    raise OSError(
                        f"the {name} could not be loaded ({error}); install the extra [eval] again"
                    ) from error
            return self._loaded[name]

    def _load_transcriber(self) -> WhisperTranscriber:
        def load() -> WhisperTranscriber:
            return WhisperTranscriber(self._asr_folder or find_model(self.asr))

        return self._load("transcriber", load)

    def knows(self, language: str) -> bool:
        """Return whether the recogniser is made for a language; all are for English."""
        if language == "en":
            return True
        return language in LANGUAGES and self._load_transcriber().is_multilingual

    def embed(self, speech: NDArray[np.float32]) -> NDArray[np.float32]:
        """Return the speaker embedding (256,)."""
        kind = f"prepared embedding, Resemblyzer {version('Resemblyzer')}"
        return self.cache.remember(
            kind, lambda: self._load("embedder", ResemblyzerEmbedder).embed(speech), speech
        )

    def transcribe(self, speech: NDArray[np.float32], language: str) -> str:
        """Return the transcript; ValueError if it is empty."""
        kind = f"transcript, faster-whisper {version('faster-whisper')}"

        def compute() -> str:
            return self._load_transcriber().transcribe(speech, language)

        text = str(self.cache.remember(kind, compute, self._describe_asr(), language, speech))
        if not text:
            raise ValueError("the recogniser heard no words")
        return text

    def _describe_asr(self) -> str:
        """Return a description that changes with the recogniser's weights."""
        if self._asr_folder is None:
            return f"Whisper base, {BASE_PACKAGES[0]} {version(BASE_PACKAGES[0])}"
        weights = (self._asr_folder / "model.bin").resolve()
        stat = weights.stat()
        return f"{weights}, {stat.st_size} bytes, {stat.st_mtime_ns}"

    def score_distillmos(self, speech: NDArray[np.float32]) -> float:
        """Return DistillMOS."""
        kind = f"DistillMOS {version('distillmos')}"
        score = self.cache.remember(
            kind, lambda: self._load("DistillMOS", DistillMOS).score(speech), speech
        )
        return float(score)

    def score_dnsmos(self, speech: NDArray[np.float32]) -> float:
        """Return DNSMOS OVRL."""
        kind = f"DNSMOS OVRL, speechmos {version('speechmos')}"
        score = self.cache.remember(
            kind, lambda: self._load("DNSMOS", DNSMOS).score(speech), speech
        )
        return float(score)

    def extract_cepstra(self, audio: NDArray[np.float32], sample_rate: int) -> Cepstra:
        """Return mel-cepstra and F0 of audio (T,)."""

        def compute() -> NDArray[np.float64]:
            cepstra = extract_cepstra(audio, sample_rate)
            return np.column_stack([cepstra.frames, cepstra.f0_hz])

        columns = self.cache.remember("mel-cepstra 1", compute, str(sample_rate), audio)
        return Cepstra(columns[:, :-1], columns[:, -1])

    def modulation_spectrum(
        self, audio: NDArray[np.float32], sample_rate: int
    ) -> NDArray[np.float64]:
        """Return the modulation spectrum of audio (T,)."""
        return modulation_spectrum(self.extract_cepstra(audio, sample_rate))
