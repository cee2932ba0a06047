"""The encoder of Whisper (Radford et al., 2022), read from a CTranslate2 file and frozen.

It serves as a phonetic network: what it hears of a conversion is compared with what it hears of the
source. Reading the file executes nothing.
"""

import struct
from pathlib import Path
from typing import BinaryIO

import numpy as np
import torch
import torch.nn.functional as F
from numpy.typing import NDArray
from torch import Tensor, nn

FORMAT_VERSION = 6
_DTYPES = {0: np.float32, 1: np.int8, 2: np.int16, 3: np.int32, 4: np.float16}


def read_ctranslate2(path: Path) -> dict[str, NDArray]:
    """Return the variables of a CTranslate2 `model.bin` by name.

    The file holds a version, the name and revision of the model's kind, the number of variables,
    then for each its name, shape, type, length in bytes, and data, little-endian.

    Raises:
        ValueError: the file has another format, or a type that is unknown here.
    """
    variables = {}
    with path.open("rb") as file:
        version = _number(file, "I")
        if version != FORMAT_VERSION:
            raise ValueError(f"{path}: CTranslate2 format {version}, expected {FORMAT_VERSION}")
        _text(file)
        _number(file, "I")
        for _ in range(_number(file, "I")):
            name = _text(file)
            shape = [_number(file, "I") for _ in range(_number(file, "B"))]
            kind = _number(file, "B")
            data = file.read(_number(file, "I"))
            if kind not in _DTYPES:
                raise ValueError(f"{path}: {name} has the unknown type {kind}")
            variables[name] = np.frombuffer(data, _DTYPES[kind]).reshape(shape)
    return variables


def _number(file: BinaryIO, kind: str) -> int:
    return struct.unpack(f"<{kind}", file.read(struct.calcsize(f"<{kind}")))[0]


def _text(file: BinaryIO) -> str:
    return file.read(_number(file, "H")).rstrip(b"\0").decode()


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
    """Whisper's log-mels (100 frames per second) to features (50 positions per second).

    The longest input has twice as many frames as there are positions.
    """

    positions: Tensor

    def __init__(
        self,
        n_mels: int = 80,
        width: int = 384,
        n_layers: int = 4,
        n_heads: int = 6,
        n_positions: int = 1500,
    ) -> None:
        super().__init__()
        self.width = width
        self.conv1 = nn.Conv1d(n_mels, width, 3, padding=1)
        self.conv2 = nn.Conv1d(width, width, 3, stride=2, padding=1)
        self.register_buffer("positions", torch.zeros(n_positions, width))
        self.layers = nn.ModuleList(WhisperLayer(width, n_heads) for _ in range(n_layers))
        self.norm = nn.LayerNorm(width)

    def forward(self, log_mel: Tensor, n_layers: int | None = None) -> Tensor:
        """Map (B, n_mels, F) to (B, ceil(F / 2), width); or, with `n_layers`, what they leave."""
        x = F.gelu(self.conv2(F.gelu(self.conv1(log_mel)))).transpose(1, 2)
        x = x + self.positions[: x.shape[1]]
        for layer in self.layers[:n_layers]:
            x = layer(x)
        return self.norm(x) if n_layers is None else x

    @classmethod
    def from_ctranslate2(cls, path: Path) -> "WhisperEncoder":
        """Build the frozen encoder of a CTranslate2 file, in float32."""
        found = {
            name.removeprefix("encoder/"): value
            for name, value in read_ctranslate2(path).items()
            if name.startswith("encoder/")
        }
        n_layers = sum(name.endswith("ffn/linear_0/weight") for name in found)
        width, n_mels, _ = found["conv1/weight"].shape
        encodings = found["position_encodings/encodings"]
        encoder = cls(
            n_mels=n_mels,
            width=width,
            n_layers=n_layers,
            n_heads=int(found["num_heads"]),
            n_positions=len(encodings),
        )
        names = {"conv1": "conv1", "conv2": "conv2", "layer_norm": "norm"}
        for index in range(n_layers):
            theirs, ours = f"layer_{index}", f"layers.{index}"
            names |= {
                f"{theirs}/self_attention/layer_norm": f"{ours}.attention_norm",
                f"{theirs}/self_attention/linear_0": f"{ours}.query_key_value",
                f"{theirs}/self_attention/linear_1": f"{ours}.attention_out",
                f"{theirs}/ffn/layer_norm": f"{ours}.mlp_norm",
                f"{theirs}/ffn/linear_0": f"{ours}.expand",
                f"{theirs}/ffn/linear_1": f"{ours}.contract",
            }
        kinds = {"weight": "weight", "bias": "bias", "gamma": "weight", "beta": "bias"}
        state = {
            f"{ours}.{kinds[kind]}": torch.from_numpy(found[f"{theirs}/{kind}"].astype(np.float32))
            for theirs, ours in names.items()
            for kind in kinds
            if f"{theirs}/{kind}" in found
        }
        state["positions"] = torch.from_numpy(encodings.astype(np.float32))
        encoder.load_state_dict(state)
        return encoder.eval().requires_grad_(False)
