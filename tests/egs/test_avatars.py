"""The drawn faces of egs/images."""

import numpy as np
import pytest

pytest.importorskip("python_avatars")


@pytest.fixture
def avatars(lecture):
    import avatars

    return avatars


def test_faces_are_a_function_of_the_seed(avatars):
    one, two, other = (avatars.draw_faces(6, np.random.default_rng(s)) for s in (3, 3, 4))
    assert one == two != other
    images, again = avatars.render_all(one, 32), avatars.render_all(two, 32)
    assert images.pixels.dtype == np.uint8 and images.pixels.shape == (6, 3, 32, 32)
    np.testing.assert_array_equal(images.pixels, again.pixels)
    assert images.factors == tuple(avatars.FACTORS)
    for face, labels in zip(one, images.labels, strict=True):
        assert list(face.factors.values()) == labels.tolist()
    assert len({image.tobytes() for image in images.pixels}) == 6


@pytest.mark.parametrize(
    ("factor", "names", "rows", "columns"),  # where on the face the factor is, of 32 x 32 pixels
    [
        ("accessory", ("NONE", "SUNGLASSES"), (5, 18), (5, 27)),  # eyes, in the upper half
        ("nose", ("DEFAULT", "SMALL"), (10, 18), (11, 21)),
    ],
)
def test_twins_differ_in_their_factor_alone(avatars, factor, names, rows, columns):
    faces = avatars.draw_faces(5, np.random.default_rng(0), has_ground=True, accessory=0)
    a, b = (
        avatars.render_all([f.but(**{factor: avatars.value(factor, name)}) for f in faces], 32)
        for name in names
    )
    inside = np.zeros((32, 32), bool)
    inside[slice(*rows), slice(*columns)] = True
    is_changed = (a.pixels != b.pixels).any(1)
    assert is_changed.any((1, 2)).all() and not is_changed[:, ~inside].any()
    is_other = (a.labels != b.labels).any(0)
    assert [name for name, other in zip(a.factors, is_other, strict=True) if other] == [factor]


def test_factors_are_drawn_as_they_are_said_to_be(avatars):
    faces = avatars.draw_faces(400, np.random.default_rng(0), skin=[1, 4])
    drawn = {name: np.array([face.factors[name] for face in faces]) for name in avatars.VALUES}
    assert set(drawn["skin"]) == {1, 4}
    hair = {avatars.VALUES["hair"][i].name for i in drawn["hair"]}
    assert len(hair) > 20 and not hair & avatars.HATS
    # half of the faces have none; the other half draws from all values, none included
    share = 0.5 + 0.5 / len(avatars.VALUES["accessory"])
    assert (drawn["accessory"] == 0).mean() == pytest.approx(share, abs=0.1)  # four deviations
    assert all(face.ground == (255, 255, 255) for face in faces)


def test_the_ground_is_behind_the_face(avatars):
    faces = avatars.draw_faces(3, np.random.default_rng(5), has_ground=True)
    for face in faces:
        assert avatars.render(face, 16)[:, 0, 0].tolist() == list(face.ground)
