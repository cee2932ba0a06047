import pytest
import torch

from voxcycle.models.coders import build_decoder
from voxcycle.models.dcgan import DCGANDiscriminator, DCGANGenerator, PointDiscriminator


@pytest.mark.parametrize("shape", [(1, 28, 28), (3, 32, 32)])
def test_shapes_and_range(shape):
    images = DCGANGenerator(shape, 4, 6)(torch.randn(5, 6))
    assert images.shape == (5, *shape)
    assert images.abs().max() <= 1
    assert DCGANDiscriminator(shape, 4)(images).shape == (5,)
    assert PointDiscriminator(8)(torch.randn(5, 2, 1, 1)).shape == (5,)


def test_both_players_hear_the_class():
    torch.manual_seed(0)
    shape = (3, 8, 8)
    generator, discriminator = DCGANGenerator(shape, 4, 6, 3), DCGANDiscriminator(shape, 4, 3)
    noise = torch.randn(1, 6).repeat(3, 1)
    images = generator(noise, torch.tensor([0, 1, 1]))
    torch.testing.assert_close(images[1], images[2])
    assert (images[0] - images[1]).abs().max() > 1e-3
    scores = discriminator(images[1:].repeat(2, 1, 1, 1), torch.tensor([0, 0, 1, 1]))
    torch.testing.assert_close(scores[0], scores[1])
    assert (scores[0] - scores[2]).abs() > 1e-4


def test_an_image_does_not_depend_on_its_batch_or_on_running_statistics():
    # which an average over parameters would miss
    assert not list(DCGANGenerator((3, 32, 32), 8, 6, 3).buffers())
    assert not list(build_decoder("mlp", (2, 1, 1), 8, 3).buffers())
    torch.manual_seed(0)
    generator, noise = DCGANGenerator((1, 8, 8), 8, 6), torch.randn(4, 6)
    torch.testing.assert_close(generator(noise)[:1], generator(noise[:1]))
