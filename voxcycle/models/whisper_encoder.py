"""The first layers of Whisper's encoder (Radford et al., 2022): it tells sounds apart."""

from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from voxcycle.runtime.whisper_encoder import encode_positions


class WhisperLayer(nn.Module):
    """A pre-norm transformer layer: self-attention, then a two-layer MLP."""

    def __init__(self, width: int, n_heads: int) -> None:
        super().__init__()
        self.n_heads = n_heads
        self.attention_norm = nn.LayerNorm(width)
        self.query_key_value = nn.Linear(width, 3 * width)
        self.attention_out = nn.Linear(width, width)
        self.mlp_norm = nn.LayerNorm(width)
        self.expand = nn.Linear(width, 4 * width)
        self.contract = nn.Linear(4 * width, width)

    def forward(self, x: Tensor) -> Tensor:
        """Map (B, P, width) to the same shape."""
        projected = self.query_key_value(self.attention_norm(x))
        heads = projected.unflatten(2, (3, self.n_heads, -1)).permute(2, 0, 3, 1, 4)
        attended = F.scaled_dot_product_attention(*heads)  # (B, n_heads, P, width / n_heads)
        x = x + self.attention_out(attended.transpose(1, 2).flatten(2))
        return x + self.contract(F.gelu(self.expand(self.mlp_norm(x))))


class WhisperEncoder(nn.Module):
    """Whisper's log-mels (100 frames per second) to features (50 positions per second)."""

    def __init__(
        self, n_mels: int = 80, width: int = 384, n_layers: int = 3, n_heads: int = 6
    ) -> None:
        super().__init__()
        self.arguments: dict[str, Any] = {
            "n_mels": n_mels,
            "width": width,
            "n_layers": n_layers,
            "n_heads": n_heads,
        }
        self.conv1 = nn.Conv1d(n_mels, width, 3, padding=1)
        self.conv2 = nn.Conv1d(width, width, 3, stride=2, padding=1)
        self.layers = nn.ModuleList(WhisperLayer(width, n_heads) for _ in range(n_layers))
        self._positions = torch.zeros(0, width)

    def forward(self, log_mel: Tensor) -> Tensor:
        """Map (B, n_mels, F) to (B, ceil(F / 2), width), what the last layer leaves."""
        x = F.gelu(self.conv2(F.gelu(self.conv1(log_mel)))).transpose(1, 2)
        x = x + self._encode_positions(x.shape[1], x.shape[2], x.device).to(x.dtype)
        for layer in self.layers:
            x = layer(x)
        return x

    def _encode_positions(self, n_positions: int, width: int, device: torch.device) -> Tensor:
        """Return `encode_positions`, kept for the next call: copying it would stall a GPU."""
        if len(self._positions) != n_positions or self._positions.device != device:
            self._positions = torch.from_numpy(encode_positions(n_positions, width)).to(device)
        return self._positions
