"""Naturalness: two networks that predict listeners' mean opinion scores, 1 (bad) to 5 (excellent).

They are predictors, not listeners: DistillMOS (Stahl and Gamper, "Distillation and Pruning for
Scalable Self-Supervised Representation-Based Speech Quality Assessment", 2025) for overall quality,
DNSMOS P.835 (Reddy et al., 2022), made for noise suppression, for noise and distortion.
"""

import contextlib
import io

import numpy as np
import torch
from numpy.typing import NDArray

from voxcycle.evaluation.optional_deps import METRIC_RATE, import_metric, package_folder

DNSMOS_WINDOW_S = 9.01
# The polynomial that maps the network's raw overall score to the P.835 scale (authors' code).
DNSMOS_OVERALL_FIT = (-0.06766283, 1.11546468, 0.04602535)


class DistillMOS:
    """DistillMOS variant 7, weights from its package."""

    def __init__(self) -> None:
        package = import_metric("distillmos")
        with contextlib.redirect_stdout(io.StringIO()):  # it prints its weights' path
            self._model = package.ConvTransformerSQAModel().eval()

    def score(self, speech: NDArray[np.float32]) -> float:
        """Return the predicted score of 16 kHz speech (T,); ValueError for digital silence."""
        if not np.any(speech):
            raise ValueError("digital silence has no quality")
        with torch.inference_mode():
            return float(self._model(torch.from_numpy(speech)[None]))


class DNSMOS:
    """The overall (OVRL) score of DNSMOS P.835, the ONNX network of the package `speechmos`.

    The package's own wrapper uses every core and computes a second network that is not needed.
    """

    def __init__(self) -> None:
        onnxruntime = import_metric("onnxruntime")
        failures = import_metric("onnxruntime.capi.onnxruntime_pybind11_state")
        self._failures = (failures.Fail, failures.InvalidArgument, failures.RuntimeException)
        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = 1
        path = package_folder("speechmos") / "dnsmos_models" / "sig_bak_ovr.onnx"
        self._session = onnxruntime.InferenceSession(path, options)

    def score(self, speech: NDArray[np.float32]) -> float:
        """Return the predicted overall score of 16 kHz speech (T,).

        Shorter speech is repeated to 9.01 s; windows move by a second and their scores are
        averaged. Raises ValueError for silence and for peaks above 1, which training lacked, and
        RuntimeError where the network fails.
        """
        peak = float(np.abs(speech).max(initial=0.0))
        if peak == 0:
            raise ValueError("digital silence has no quality")
        if peak > 1:
            raise ValueError(f"peak {peak:.3f} is above full scale")
        window = int(DNSMOS_WINDOW_S * METRIC_RATE)
        while len(speech) < window:
            speech = np.append(speech, speech)
        n_windows = int(len(speech) // METRIC_RATE - DNSMOS_WINDOW_S) + 1
        starts = [i * METRIC_RATE for i in range(n_windows)]
        batch = [speech[s : s + window] for s in starts if s + window <= len(speech)]
        try:
            raw = [self._session.run(None, {"input_1": x[None]})[0][0][2] for x in batch]
        except self._failures as error:  # onnxruntime's own, which do not derive from RuntimeError
            raise RuntimeError(f"DNSMOS failed: {error}") from error
        return float(np.mean(np.polyval(DNSMOS_OVERALL_FIT, np.array(raw))))
