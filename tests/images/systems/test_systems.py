"""What the systems of the lecture see, and what they refuse before anything is trained."""

from pathlib import Path

import numpy as np
import pytest
import torch

from voxcycle.images.image_files import write_image
from voxcycle.images.image_set import ImageSet
from voxcycle.images.systems.debiasing_vae import DebiasingVAEConfig
from voxcycle.images.systems.gan_ring import N_MODES, RADIUS, RingBatches, ring_centres
from voxcycle.images.systems.pix2pix import Pix2PixConfig
from voxcycle.images.systems.vae import VAEConfig


def test_a_discriminator_may_halve_down_to_one_pixel():
    own = {"discriminator_widths": (4, 4, 4, 4), "width": 4, "n_down": 3}
    config = Pix2PixConfig(data=Path(), out=Path(), **own)
    method = config.build((3, 8, 16), ())
    assert method.discriminator(torch.zeros(1, 6, 8, 16)).shape == (1, 1, 1, 2)
    with pytest.raises(ValueError, match="3 halvings of 16 x 7 pixels leave none; at most 3"):
        config.build((3, 7, 16), ())


def test_settings_of_runs_that_named_an_average(tmp_path):
    """The files of earlier trainings name `ema_decay` where nothing is averaged."""
    config = VAEConfig(data=tmp_path, out=tmp_path, ema_decay=0.999)
    assert config.ema_decay == 0.999 and "ema_decay" not in config.model_dump()


@pytest.fixture
def faces(tmp_path):
    """White faces and black objects, in folders whose order is not that of 0 and 1."""
    for i in range(4):
        write_image(tmp_path / "faces" / f"{i}.png", torch.ones(3, 8, 8))
        write_image(tmp_path / "objects" / f"{i}.png", -torch.ones(3, 8, 8))
    return tmp_path


def load_faces(data, **changed):
    return DebiasingVAEConfig(data=data, out=data, batch_size=4, **changed).load().batches


@pytest.mark.parametrize(("value", "brightness"), [("faces", 255), (0, 255), ("objects", 0)])
def test_faces_are_those_of_the_named_folder(faces, value, brightness):
    batches = load_faces(faces, face="class", face_value=value)
    assert set(batches.faces.unique().tolist()) == {brightness}
    assert set(np.unique(batches.others.pixels)) == {255 - brightness}


def test_folders_do_not_say_which_are_faces(faces):
    with pytest.raises(ValueError, match="face_value=faces or objects"):
        load_faces(faces, face="class")
    with pytest.raises(ValueError, match="face_value: no 'face': there are faces, objects"):
        load_faces(faces, face="class", face_value="face")
    write_image(faces / "cats" / "0.png", torch.zeros(3, 8, 8))
    with pytest.raises(ValueError, match="values cats, faces, objects; exactly two are needed"):
        load_faces(faces, face="class", face_value="faces")


def test_without_names_faces_are_the_ones(tmp_path):
    pixels = np.arange(6, dtype=np.uint8)[:, None, None, None].repeat(8, 2).repeat(8, 3)
    labels = np.array([[0, 0], [1, 0], [0, 0], [1, 0], [0, 0], [1, 0]])
    ImageSet(pixels, labels, ("face", "none")).save(tmp_path / "set.npz")
    assert load_faces(tmp_path / "set.npz").faces.unique().tolist() == [1, 3, 5]
    assert load_faces(tmp_path / "set.npz", face_value=0).faces.unique().tolist() == [0, 2, 4]
    with pytest.raises(ValueError, match="none has the values 0; exactly two are needed"):
        load_faces(tmp_path / "set.npz", face="none")


def test_centres_lie_evenly_on_the_circle():
    centres = ring_centres()
    np.testing.assert_allclose(centres[:3], [[2, 0], [2**0.5, 2**0.5], [0, 2]], atol=1e-12)
    np.testing.assert_allclose(np.linalg.norm(centres, axis=1), RADIUS)
    np.testing.assert_allclose(centres.mean(0), 0, atol=1e-12)


def test_a_batch_of_the_ring_is_a_function_of_seed_and_step():
    first, again = RingBatches(64, 3, 0.1)[7], RingBatches(64, 3, 0.1)[7]
    assert torch.equal(first.images, again.images)
    assert torch.equal(first.normal(4), again.normal(4))
    for other in (RingBatches(64, 3, 0.1)[8], RingBatches(64, 4, 0.1)[7]):
        assert not torch.equal(first.images, other.images)
        assert not torch.equal(first.normal(4), other.normal(4))


def test_points_have_the_clusters_moments():
    n, deviation = 20_000, 0.3
    batch = RingBatches(n, 0, deviation)[0]
    assert batch.images.shape == (n, 2, 1, 1)
    modes = batch.labels[:, 0]
    offsets = batch.images.flatten(1) - torch.from_numpy(ring_centres())[modes]
    # n / 8 points a cluster: the mean's standard error is .3 / sqrt(2500) = .006
    for i in range(N_MODES):
        own = offsets[modes == i]
        assert len(own) == pytest.approx(n / N_MODES, rel=0.1)
        assert own.mean(0).abs().max().item() < 0.03
        assert own.std(0).tolist() == pytest.approx([deviation] * 2, rel=0.07)
