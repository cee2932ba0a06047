import pytest
import torch

from voxcycle.models.image_translators import ResidualBlock, ResNetGenerator, UNet


def make_images(n, n_channels=3):
    return torch.rand(n, n_channels, 16, 16, generator=torch.Generator().manual_seed(0)) * 2 - 1


def test_networks_have_the_parameters_of_the_formula():
    # 3-4-8-16 down and, but for the innermost, twice as many channels up, 4 x 4 kernels and biases
    down = 16 * (3 * 4 + 4 * 8 + 8 * 16) + 4 + 8 + 16
    up = 16 * (16 * 8 + 16 * 4 + 8 * 3) + 8 + 4 + 3
    assert sum(p.numel() for p in UNet(3, width=4, n_down=3).parameters()) == down + up
    # the width stops at eight times the first: 2, 4, 8, 16, 16
    assert [layer.out_channels for layer in UNet(3, 2, 5).down] == [2, 4, 8, 16, 16]
    f = 4
    ends = 49 * (3 * f + f * 3) + f + 3
    resampling = 2 * 9 * (f * 2 * f + 2 * f * 4 * f) + 2 * f + 4 * f + 2 * f + f
    blocks = 2 * 2 * (9 * (4 * f) ** 2 + 4 * f)
    net = ResNetGenerator(3, f, n_blocks=2)
    assert sum(p.numel() for p in net.parameters()) == ends + resampling + blocks


@pytest.mark.parametrize("n_used", [0, 1, 2])
def test_every_level_of_the_unet_reaches_the_output(n_used):
    """With all paths between the halves cut but one, the input still shows in the output."""
    torch.manual_seed(0)
    net = UNet(3, width=4, n_down=3)
    with torch.no_grad():
        for i, layer in enumerate(net.up):
            n_skip = 0 if i == 2 else len(layer.weight) // 2
            if i != n_used:  # the second half of the inputs is the skip; the innermost has none
                layer.weight[len(layer.weight) - n_skip if n_skip else 0 :] = 0
        one, two = net(make_images(2))
        assert not torch.allclose(one, two, atol=1e-4)
        net.up[n_used].weight.zero_()
        one, two = net(make_images(2))
        torch.testing.assert_close(one, two)


@pytest.mark.parametrize("build", [UNet, ResNetGenerator])
def test_an_image_does_not_depend_on_its_batch(build):
    torch.manual_seed(0)
    net = build(3, 4, 3)
    images = make_images(3)
    together = net(images)
    assert together.shape == images.shape
    assert build is ResNetGenerator or together.abs().max() <= 1
    torch.testing.assert_close(together[1:2], net(images[1:2]), atol=1e-5, rtol=1e-5)
    assert not torch.allclose(together[0], together[1], atol=1e-3)
    assert all(layer.running_mean is None for layer in net.modules() if hasattr(layer, "momentum"))


def test_the_resnet_and_its_blocks_correct_their_input():
    net = ResNetGenerator(3, 4, n_blocks=1)
    torch.nn.init.zeros_(net[-1].weight)
    torch.nn.init.constant_(net[-1].bias, 0.25)
    images = make_images(2)
    torch.testing.assert_close(net(images), images + 0.25)
    block = ResidualBlock(4)
    x = make_images(2, 4)
    assert not torch.allclose(block(x), x)
    torch.nn.init.zeros_(block.layers[-2].weight)
    torch.testing.assert_close(block(x), x)


def test_sides_that_cannot_be_halved_are_refused():
    with pytest.raises(ValueError, match="images of 12 x 16: sides must be multiples of 8"):
        UNet(1, 4, 3)(torch.zeros(1, 1, 16, 12))
    with pytest.raises(ValueError, match="images of 30 x 30: sides must be multiples of 4"):
        ResNetGenerator(1, 4, 1)(torch.zeros(1, 1, 30, 30))
