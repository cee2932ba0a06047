"""Griffin-Lim: phase found by iteration; needs no weights."""

import numpy as np
from numpy.typing import NDArray

from voxcycle.audio.blas import one_blas_thread
from voxcycle.audio.mel import MelSpec, hann, mel_filterbank
from voxcycle.vocoders import ChunkPosition

N_ITERATIONS = 32
N_UPDATES = 30  # of the mel inversion: mel error under 0.1 dB on speech
MOMENTUM = 0.99
MIN_WEIGHT = 1e-6  # of overlapping windows


class GriffinLim:
    """The fast Griffin-Lim algorithm (Perraudin et al., 2013) on inverted mels; see `Vocoder`.

    Results repeat. Phases depend on the whole call: chunks agree with the whole in spectrum only.
    """

    follows_f0 = False

    def __init__(self, spec: MelSpec) -> None:
        self.name = "griffin-lim"
        self.spec = spec
        self.context_frames = self.look_ahead_frames = 2 * spec.n_fft // spec.hop_length
        self.filters = mel_filterbank(spec).astype(np.float64)  # (n_mels, n_freq)
        with one_blas_thread():
            self.inverse = np.linalg.pinv(self.filters)
        before = (spec.n_fft - spec.win_length) // 2
        after = spec.n_fft - spec.win_length - before
        self.window = np.pad(hann(spec.win_length), (before, after))

    def decode(
        self,
        log_mel: NDArray[np.float32],
        f0_hz: NDArray[np.float32] | None = None,
        position: ChunkPosition | None = None,
    ) -> NDArray[np.float32]:
        """Render (F, n_mels) to (F * hop_length,); F0 and position are not used."""
        magnitude = self.invert_mels(log_mel)
        spectrum, former = magnitude.astype(complex), np.zeros(magnitude.shape, complex)
        for _ in range(N_ITERATIONS):
            rebuilt = self._analyse(self._synthesize(spectrum))
            moved = rebuilt - MOMENTUM / (1 + MOMENTUM) * former
            former = rebuilt
            spectrum = magnitude * moved / np.maximum(np.abs(moved), 1e-16)
        return self._synthesize(spectrum).astype(np.float32)

    def invert_mels(self, log_mel: NDArray[np.float32]) -> NDArray[np.float64]:
        """Return non-negative magnitudes (F, n_freq) of these log-mels (F, n_mels).

        The pseudo-inverse, then multiplicative updates (Lee & Seung, 2001), which keep the sign.
        """
        mel = np.exp(log_mel.astype(np.float64))
        with one_blas_thread():
            magnitude = np.maximum(mel @ self.inverse.T, 1e-8)
            wanted = mel @ self.filters
        for _ in range(N_UPDATES):
            with one_blas_thread():
                got = magnitude @ self.filters.T @ self.filters
            magnitude = magnitude * wanted / np.maximum(got, 1e-12)
        return magnitude

    def _analyse(self, waveform: NDArray[np.float64]) -> NDArray[np.complex128]:
        """Return the STFT (F, n_freq) on the frames of `LogMel`, silence beyond both ends."""
        pad = (self.spec.n_fft - self.spec.hop_length) // 2
        padded = np.pad(waveform, pad)
        frames = np.lib.stride_tricks.sliding_window_view(padded, self.spec.n_fft)
        return np.fft.rfft(frames[:: self.spec.hop_length] * self.window)

    def _synthesize(self, spectrum: NDArray[np.complex128]) -> NDArray[np.float64]:
        """Return the waveform (F * hop_length,) whose STFT is nearest."""
        n_fft, hop, n_frames = self.spec.n_fft, self.spec.hop_length, len(spectrum)
        frames = np.fft.irfft(spectrum, n_fft) * self.window
        waveform = np.zeros(n_fft + (n_frames - 1) * hop)
        weight = np.zeros_like(waveform)
        for index, frame in enumerate(frames):
            waveform[index * hop : index * hop + n_fft] += frame
            weight[index * hop : index * hop + n_fft] += self.window**2
        pad = (n_fft - hop) // 2
        return (waveform / np.maximum(weight, MIN_WEIGHT))[pad : len(waveform) - pad]
