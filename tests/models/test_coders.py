import pytest
import torch

from voxcycle.models.coders import (
    N_FEATURES,
    Classifier,
    build_decoder,
    build_encoder,
    last_side,
    n_halvings,
    to_images,
)


@pytest.mark.parametrize(
    ("side", "halvings", "last"), [(8, 1, 4), (28, 2, 7), (32, 3, 4), (48, 3, 6), (64, 4, 4)]
)
def test_sides_are_halved_until_they_are_four_to_seven(side, halvings, last):
    assert n_halvings((3, side, side)) == halvings
    assert last_side((3, side, side)) == last


@pytest.mark.parametrize("shape", [(1, 30, 30), (3, 32, 16), (3, 4, 4), (3, 36, 36)])
def test_other_images_are_refused(shape):
    with pytest.raises(ValueError, match="set size"):
        n_halvings(shape)


@pytest.mark.parametrize("kind", ["mlp", "conv"])
@pytest.mark.parametrize("side", [8, 16, 28, 32])
def test_decoders_mirror_encoders_and_end_linearly(kind, side):
    """Logits go below zero and above one; no normalisation is behind the last layer."""
    shape = (3, side, side)
    encoder, decoder = build_encoder(kind, shape, 4, 5), build_decoder(kind, shape, 4, 5)
    assert encoder(torch.randn(2, *shape)).shape == (2, 5)
    logits = decoder(100 * torch.randn(64, 5))
    assert logits.shape == (64, *shape)
    assert logits.min() < -1 and logits.max() > 1
    if kind == "conv":
        assert isinstance(decoder[-1], torch.nn.ConvTranspose2d)
        convolutions = [m for m in encoder if isinstance(m, torch.nn.Conv2d)]
        assert [m.out_channels for m in convolutions] == [4, 8, 16][: n_halvings(shape)]


def n_parameters(network):
    return sum(p.numel() for p in network.parameters())


def test_mlp_and_pixels_by_hand():
    encoder = build_encoder("mlp", (1, 28, 28), 400, 32)
    decoder = build_decoder("mlp", (1, 28, 28), 400, 16)
    assert n_parameters(encoder) == 784 * 400 + 400 + 400 * 32 + 32
    assert n_parameters(decoder) == 16 * 400 + 400 + 400 * 784 + 784
    with torch.no_grad():
        image = torch.ones(1, 1, 28, 28)
        hidden = (encoder[1].weight.sum(1) + encoder[1].bias).relu()
        expected = encoder[3].weight @ hidden + encoder[3].bias
        assert torch.allclose(encoder(image)[0], expected, atol=1e-5)
    logits = torch.tensor([0.0, 100.0, -100.0, torch.logit(torch.tensor(0.75)).item()])
    assert to_images(logits).tolist() == pytest.approx([0, 1, -1, 0.5])


@pytest.mark.parametrize("build", [build_encoder, build_decoder])
def test_hidden_layers_are_added_between(build):
    one, two = (build("mlp", (1, 8, 8), 7, 4, **more) for more in ({}, {"n_hidden": 2}))
    assert n_parameters(two) - n_parameters(one) == 7 * 7 + 7


def test_a_classifier_has_a_head_per_factor_on_common_features():
    torch.manual_seed(0)
    network = Classifier((1, 28, 28), [10, 2], width=4).eval()
    images = torch.randn(3, 1, 28, 28)
    features = network.features(images)
    assert features.shape == (3, N_FEATURES)
    logits = network(images)
    assert [x.shape for x in logits] == [(3, 10), (3, 2)]
    for head, own in zip(network.heads, logits, strict=True):
        expected = features.clamp(min=0) @ head.weight.T + head.bias
        torch.testing.assert_close(own, expected)
