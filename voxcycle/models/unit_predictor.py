"""The unit predictor: from a recogniser's features to phonetic units, whoever speaks."""

import torch.nn.functional as F
from torch import Tensor, nn


class UnitPredictor(nn.Module):
    """Two convolutions over time.

    Args:
        n_features: of the recogniser.
        n_units: units.
        width: channels between the convolutions.
        kernel: positions that the first one sees, odd.
    """

    def __init__(self, n_features: int, n_units: int, width: int = 256, kernel: int = 5) -> None:
        super().__init__()
        self.arguments = {
            "n_features": n_features,
            "n_units": n_units,
            "width": width,
            "kernel": kernel,
        }
        self.norm = nn.LayerNorm(n_features)
        self.convolution = nn.Conv1d(n_features, width, kernel, padding=kernel // 2)
        self.out = nn.Linear(width, n_units)

    def forward(self, features: Tensor) -> Tensor:
        """Map features (B, P, D) to logits (B, P, K)."""
        hidden = self.convolution(self.norm(features).transpose(1, 2)).transpose(1, 2)
        return self.out(F.gelu(hidden))
