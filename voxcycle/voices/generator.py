"""G of a voice as numbers: what binds it to a speaker, mixes it with another, and runs it."""

import functools
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from voxcycle.audio.stats import DomainStats
from voxcycle.runtime.session import Session
from voxcycle.runtime.voice_generator import build_voice_generator, count_context_frames
from voxcycle.runtime.weights import StoredNetwork, current_name

FORMANT_POSTFILTER = 0.15  # the default gain
SMOOTHED_BANDS = 9
Frames = Mapping[str, NDArray[np.floating[Any]]]


@dataclass(frozen=True)
class Generator(StoredNetwork):
    """A generator: arguments and weights of `models.voice_generator.VoiceGenerator`."""

    @property
    def n_content(self) -> int:
        """Phonetic features that it takes; 0 where its source is the normalised mel."""
        return int(self.arguments.get("n_content", 0))

    @property
    def has_skip(self) -> bool:
        """Whether its output is the source mel plus a correction."""
        return bool(self.arguments.get("has_skip", True))

    @property
    def n_condition(self) -> int:
        """Size of the speaker condition, 0 once it is bound."""
        return int(self.arguments.get("n_condition", 0))

    @property
    def context_frames(self) -> int:
        """Frames to either side that an output frame depends on."""
        return count_context_frames(self.arguments)

    def check(self) -> None:
        """Raise ValueError unless arguments and weights fit together."""
        bound = self.bind(np.zeros(self.n_condition, np.float32)) if self.n_condition else self
        _ = bound._session  # whose graph is made here, once

    def run(self, inputs: Frames) -> dict[str, NDArray[np.float32]]:
        """Map `source` (F, n) and `excitation` (F, n_mels + 1) to `mel` (F, n_mels).

        Both mels are normalised. ValueError where the generator is not bound to a speaker.
        """
        if not self.arguments.get("n_excitation", 81):
            inputs = {"source": inputs["source"]}
        return self._session.run(inputs)

    @functools.cached_property
    def _session(self) -> Session:
        return Session(build_voice_generator(self.weights, **self.arguments))

    def bind(self, condition: NDArray[np.float32]) -> "Generator":
        """Return an unconditional copy with the outputs of this generator under one condition.

        What the condition (n_condition,) adds to a block is added to the bias of its norm.
        """
        weights = {current_name(name): array for name, array in self.weights.items()}
        for name in [name for name in weights if name.endswith(".condition.weight")]:
            bias = f"{name.removesuffix('.condition.weight')}.norm.bias"
            added = weights.pop(name).astype(np.float32) @ condition
            weights[bias] = weights[bias].astype(np.float32) + added
        return Generator(self.arguments | {"n_condition": 0}, weights)

    def blend(self, other: "Generator", share: float) -> "Generator":
        """Return this generator with a `share` (0 to 1) of the weights of another of its shape.

        A training of a few minutes forgets sounds that its few recordings lack; on the line between
        both weights most of them return before most of the similarity goes. Wortsman et al.,
        "Robust fine-tuning of zero-shot models" (2022).
        """
        weights = {}
        for name, own in self.weights.items():
            start, end = own.astype(np.float32), other.weights[name].astype(np.float32)
            weights[name] = start + np.float32(share) * (end - start)
        return Generator(self.arguments, weights)

    def filter_formants(self, stats: DomainStats, gain: float) -> "Generator":
        """Return a copy of a speaker's generator whose log-mels have more contrast over frequency.

        Losses that average over what could be said make formants flat. Take a frame's difference
        from the speaker's mean spectrum: what its mean over nine bands lacks is amplified by
        1 + `gain`, as by the postfilter of speech coders (Chen and Gersho, 1995). The filter is
        linear, as is the generator's last layer, so both become one layer and conversion costs the
        same. ValueError where the generator has a skip, which the filter would not reach.
        """
        if self.has_skip:
            raise ValueError("the formant postfilter needs a generator without a skip")
        identity = np.eye(len(stats.mel_std))
        padded = np.pad(identity, [(SMOOTHED_BANDS // 2,) * 2, (0, 0)], "edge")
        windows = np.lib.stride_tricks.sliding_window_view(padded, SMOOTHED_BANDS, axis=0)
        contrast = (identity - windows.mean(-1).T).T
        change = gain * contrast * stats.mel_std / stats.mel_std[:, None]  # of normalised mels
        weights = dict(self.weights)
        for name in ("out.weight", "out.bias"):
            values = weights[name].astype(np.float64)
            weights[name] = (values + change @ values).astype(np.float32)
        return Generator(self.arguments, weights)
