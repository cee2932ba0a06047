import numpy as np
import pytest
import torch
from PIL import Image

from voxcycle.images.image_files import read_image, write_image
from voxcycle.images.image_set import ImageSet, find_value, load_domains, load_images, name_values

NAMES = {"form": ("round", "süß")}


def paint(path, colour, size=(4, 4)):
    path.parent.mkdir(parents=True, exist_ok=True)
    mode = "RGBA" if len(colour) == 4 else "RGB"
    Image.new(mode, size, colour).save(path)


def numbered(n):
    """Image i is grey of value i; its label is i."""
    pixels = np.arange(n, dtype=np.uint8).repeat(4).reshape(n, 1, 2, 2)
    return ImageSet(pixels, np.arange(n)[:, None], ("number",))


def test_a_folder_is_read_in_the_order_of_its_names(tmp_path):
    paint(tmp_path / "b.png", (0, 0, 255))
    paint(tmp_path / "a.PNG", (255, 0, 0))
    paint(tmp_path / "c.bmp", (0, 51, 0))
    (tmp_path / "notes.txt").write_text("not read")
    found = load_images(tmp_path)
    assert found.pixels[:, :, 0, 0].tolist() == [[255, 0, 0], [0, 0, 255], [0, 51, 0]]
    assert found.shape == (3, 4, 4)
    assert found.labels.shape == (3, 0) and found.factors == ()
    # 0 is -1, 255 is 1, 51 is a fifth of the way
    torch.testing.assert_close(found.images([2])[0, :, 0, 0], torch.tensor([-1.0, -0.6, -1.0]))


def test_subfolders_are_the_values_of_the_factor_class(tmp_path):
    for folder, n in (("cats", 2), ("dogs/small", 1), ("ants", 1)):
        for i in range(n):
            paint(tmp_path / folder / f"{i}.png", (i, 0, 0))
    found = load_images(tmp_path)
    assert found.factors == ("class",)
    assert found.factor("class").tolist() == [0, 1, 1, 2]
    assert found.values("class") == {0: "ants", 1: "cats", 2: "dogs/small"}
    with pytest.raises(ValueError, match="no factor 'colour': known are class"):
        found.factor("colour")


def test_the_layout_of_horse2zebra(tmp_path):
    for folder, n, red in (("trainA", 2, 10), ("trainB", 3, 20), ("testA", 1, 30)):
        for i in range(n):
            paint(tmp_path / folder / f"n{i}.jpg", (red, red, red))
    a, b = load_domains(tmp_path)
    assert (len(a), len(b)) == (2, 3)
    assert a.pixels[0, 0, 0, 0] == 10 and b.pixels[0, 0, 0, 0] == 20
    with pytest.raises(ValueError, match="has no testB; two domains are the folders"):
        load_domains(tmp_path, "test")
    numbered(4).save(tmp_path / "testB.npz")  # a set in one file serves as a folder does
    a, b = load_domains(tmp_path, "test", size=2, n_channels=1)
    assert (len(a), len(b), b.factors) == (1, 4, ("number",))


def test_celeba_as_it_comes(tmp_path):
    for name, red in (("000001.jpg", 100), ("000002.jpg", 200)):
        paint(tmp_path / "img_align_celeba" / name, (red, 0, 0), (8, 10))
    (tmp_path / "list_attr_celeba.txt").write_text(
        "2\nSmiling Male \n000001.jpg -1  1\n000002.jpg  1 -1\n"
    )
    found = load_images(tmp_path, size=8)
    assert found.factors == ("Smiling", "Male")
    assert found.labels.tolist() == [[0, 1], [1, 0]]
    assert found.shape == (3, 8, 8)
    assert abs(int(found.pixels[1, 0, 4, 4]) - 200) <= 3  # JPEG
    parts = tmp_path / "list_eval_partition.txt"
    parts.write_text("000001.jpg 2\n000002.jpg 0\n")
    found = load_images(tmp_path, size=8)
    assert found.labels.tolist() == [[1, 0]] and len(found) == 1  # only what is to be trained on
    assert abs(int(found.pixels[0, 0, 4, 4]) - 200) <= 3
    for second, words in (
        ("000002.jpg 1", "no image of list_attr_celeba.txt is in"),
        ("000002.jpg", "000002.jpg has not one part, 0, 1 or 2"),
    ):
        parts.write_text(f"000001.jpg 2\n{second}\n")
        with pytest.raises(ValueError, match=f"partition.txt: {words}"):
            load_images(tmp_path, size=8)


@pytest.mark.parametrize(
    ("text", "words"),
    [
        *((text, "no images; a line of factors") for text in ("", "2\n", "2\nSmiling Male\n\n")),
        *(
            (f"1\nSmiling Male\n1.jpg {row}\n", "1.jpg has not one -1 or 1 for each")
            for row in ("1", "1 x")
        ),
    ],
)
def test_a_torn_list_of_celeba(tmp_path, text, words):
    paint(tmp_path / "img_align_celeba" / "1.jpg", (0, 0, 0))
    (tmp_path / "list_attr_celeba.txt").write_text(text)
    with pytest.raises(ValueError, match=f"list_attr_celeba.txt: {words}"):
        load_images(tmp_path)


def test_npz_there_and_back(tmp_path):
    images, path = numbered(5), tmp_path / "sub" / "set.npz"
    images.save(path)
    found = load_images(path)
    np.testing.assert_array_equal(found.pixels, images.pixels)
    np.testing.assert_array_equal(found.labels, images.labels)
    assert found.factors == images.factors
    with pytest.raises(ValueError, match=r"set\.npz: sets in \.npz are not scaled; .*size=7"):
        load_images(path, size=7)
    some = found.subset(np.array([3, 1]))
    assert some.factor("number").tolist() == [3, 1]
    assert ((some.images()[:, 0, 0, 0] + 1) * 127.5).round().tolist() == [3, 1]
    assert some.values("number") == {1: "1", 3: "3"}  # they have no names


def test_npz_keeps_the_names_of_values(tmp_path):
    labels = np.array([[1, 0], [0, 5], [1, 2]])
    named = ImageSet(np.zeros((3, 1, 2, 2), np.uint8), labels, ("form", "size"), NAMES)
    named.save(tmp_path / "set.npz")
    found = load_images(tmp_path / "set.npz").subset(np.array([2, 0]))
    assert found.value_names == NAMES and found.values("form") == {1: "süß"}
    assert found.select(["size"]).value_names == {}
    assert found.select(["form"]).value_names == NAMES
    assert found.select(["size"]).labels.tolist() == [[2], [0]]
    assert found.select([]).labels.shape == (2, 0)
    old = {"pixels": named.pixels, "labels": labels, "factors": np.array(["form", "size"])}
    np.savez(tmp_path / "old.npz", **old)  # as they were before values had names
    assert load_images(tmp_path / "old.npz").value_names == {}


@pytest.mark.parametrize(
    ("changed", "words"),
    [
        *((content, "") for content in (b"no archive", b"PK\x03\x04 a torn archive", b"")),
        ({"pixels": np.zeros((5, 2, 2), np.uint8)}, r"pixels are uint8 \(5, 2, 2\), not uint8"),
        ({"pixels": np.zeros((5, 1, 2, 2))}, r"pixels are float64 \(5, 1, 2, 2\), not uint8"),
        ({"pixels": np.zeros((5, 2, 2, 3), np.uint8)}, r"not uint8 \(N, 1 or 3, height, width\)"),
        ({"pixels": np.zeros((0, 1, 2, 2), np.uint8)}, "there are no images in it"),
        ({"labels": np.zeros(5, int)}, r"labels are int64 \(5,\), not whole numbers \(5, 1\)"),
        ({"labels": np.zeros((4, 1), int)}, r"labels are int64 \(4, 1\), not"),
        ({"labels": np.zeros((5, 1))}, r"labels are float64 \(5, 1\), not whole numbers"),
        ({"value_names": "[1]"}, "has no attribute 'items'"),
        ({"value_names": "{"}, "Expecting property name"),
        ({"value_names": '{"form": ["a"]}'}, "no factor 'form': known are number"),
        ({"value_names": '{"number": []}'}, "the factor number has more values than names"),
        ({"factors": np.array(["a", "b"])}, r"int64 \(5, 1\), not whole numbers \(5, 2\)"),
    ],
)
def test_a_file_that_is_no_set(tmp_path, changed, words):
    path = tmp_path / "set.npz"
    if isinstance(changed, bytes):
        path.write_bytes(changed)
    else:
        whole = {"pixels": np.zeros((5, 1, 2, 2), np.uint8), "labels": np.zeros((5, 1), int)}
        np.savez(path, **(whole | {"factors": np.array(["number"])} | changed))
    with pytest.raises(ValueError, match=r"set\.npz: not a set of images in \.npz .*" + words):
        load_images(path)


def test_what_cannot_be_read_is_named(tmp_path):
    with pytest.raises(ValueError, match="no such folder"):
        load_images(tmp_path / "nowhere")
    with pytest.raises(ValueError, match="no images; .*png"):
        load_images(tmp_path)
    paint(tmp_path / "a.png", (0, 0, 0))
    for content in (b"a text", (tmp_path / "a.png").read_bytes()[:40]):
        (tmp_path / "b.png").write_bytes(content)
        with pytest.raises(ValueError, match=r"b\.png: not an image that can be read"):
            load_images(tmp_path)


def test_sizes_that_differ_need_one_for_all(tmp_path):
    paint(tmp_path / "a.png", (0, 0, 0), (6, 4))
    paint(tmp_path / "b.png", (255, 0, 0), (16, 8))
    (tmp_path / "c.png").write_text("not reached: sizes are compared as they are read")
    for _ in range(2):
        with pytest.raises(ValueError, match=r"b\.png: 16 x 8 pixels, unlike a\.png; name a size"):
            load_images(tmp_path)
        (tmp_path / "c.png").unlink(missing_ok=True)
    assert load_images(tmp_path, size=8).shape == (3, 8, 8)


def test_reading_shows_how_far_it_is_once_it_takes_long(tmp_path, monkeypatch, capsys):
    for i in range(3):
        paint(tmp_path / f"{i}.png", (0, 0, 0))
    monkeypatch.setenv("FORCE_COLOR", "1")  # rich takes that for a terminal
    load_images(tmp_path)
    assert capsys.readouterr() == ("", "")
    monkeypatch.setattr("voxcycle.console.PATIENCE_S", -1.0)
    load_images(tmp_path)
    out, err = capsys.readouterr()
    assert out == "" and "reading images" in err and "/3" in err
    monkeypatch.delenv("FORCE_COLOR")
    load_images(tmp_path)
    assert capsys.readouterr() == ("", "")  # a pipe or a log gets none


def test_the_largest_square_in_the_middle_is_kept(tmp_path):
    picture = Image.new("RGB", (12, 4), "black")
    picture.paste("white", (4, 0, 8, 4))
    picture.save(tmp_path / "a.png")
    assert read_image(tmp_path / "a.png", (4, 4)).min() == 255  # the black sides are gone
    wide = read_image(tmp_path / "a.png", (4, 8))  # as high, two black columns left on either side
    assert wide[0, 0].tolist() == [0, 0, 255, 255, 255, 255, 0, 0]
    assert read_image(tmp_path / "a.png", (2, 1)).min() == 255


def test_sixteen_bits_become_eight(tmp_path):
    # 65535 / 255 = 257 to a step
    levels = np.array([[0, 257], [128 * 257, 65535]], np.uint16)
    Image.fromarray(levels).save(tmp_path / "a.png")
    assert read_image(tmp_path / "a.png")[2].tolist() == [[0, 1], [128, 255]]
    assert read_image(tmp_path / "a.png", n_channels=1)[0].tolist() == [[0, 1], [128, 255]]


def test_a_camera_held_sideways(tmp_path):
    """Orientation 6: the stored picture is to be turned by 90 degrees clockwise."""
    stored = Image.new("RGB", (4, 2), "black")
    stored.putpixel((0, 0), (255, 255, 255))
    exif = Image.Exif()
    exif[0x0112] = 6
    stored.save(tmp_path / "a.png", exif=exif)
    found = read_image(tmp_path / "a.png")
    assert found.shape == (3, 4, 2)
    assert found[0].tolist() == [[0, 255], [0, 0], [0, 0], [0, 0]]  # top left is now top right


def test_transparency_is_laid_on_white(tmp_path):
    # nothing, and a fifth of red: 255 - 0.2 * 255 elsewhere
    for alpha, expected in ((0, [255, 255, 255]), (51, [255, 204, 204])):
        paint(tmp_path / "b.png", (255, 0, 0, alpha))
        assert read_image(tmp_path / "b.png")[:, 0, 0].tolist() == expected
    # brightness of (255, 204, 204) by ITU-R 601: 0.299 * 255 + 0.701 * 204 = 219.2
    assert read_image(tmp_path / "b.png", n_channels=1)[:, 0, 0].tolist() == [219]


@pytest.mark.parametrize("n_channels", [1, 3])
def test_writing_and_reading_an_image(tmp_path, n_channels):
    levels = torch.randint(256, (n_channels, 5, 4), generator=torch.Generator().manual_seed(0))
    write_image(tmp_path / "new" / "a.png", levels / 127.5 - 1)
    found = read_image(tmp_path / "new" / "a.png", n_channels=n_channels)
    np.testing.assert_array_equal(found, levels.numpy())


def test_values_are_named_and_found_by_name_and_by_number():
    values = {0: "cats", 1: "2", 2: "dogs"}
    assert [find_value(x, values) for x in ("cats", "dogs", "2", 2, 0, "1")] == [0, 2, 1, 1, 0, 1]
    with pytest.raises(ValueError, match="no 'birds': there are cats, 2, dogs"):
        find_value("birds", values)
    assert name_values([0, 7], ()) == {0: "0", 7: "7"}  # without names
    assert name_values([1], ("cats", "dogs")) == {1: "dogs"}
