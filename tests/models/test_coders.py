import pytest
import torch

from voxcycle.models.coders import (
    build_decoder,
    build_encoder,
    last_side,
    n_halvings,
    to_images,
)


@pytest.mark.parametrize(
    ("side", "halvings", "last"), [(8, 1, 4), (28, 2, 7), (32, 3, 4), (48, 3, 6), (64, 4, 4)]
)
def test_sides_are_halved_until_they_are_four_to_seven(side: int, halvings: int, last: int) -> None:
    assert n_halvings((3, side, side)) == halvings
    assert last_side((3, side, side)) == last


@pytest.mark.parametrize("shape", [(1, 30, 30), (3, 32, 16), (3, 4, 4), (3, 36, 36)])
def test_other_images_are_refused(shape: tuple[int, int, int]) -> None:
    with pytest.raises(ValueError, match="set size"):
        n_halvings(shape)


@pytest.mark.parametrize("kind", ["mlp", "conv"])
@pytest.mark.parametrize("side", [28, 32])
def test_decoders_mirror_encoders(kind: str, side: int) -> None:
    shape = (1, side, side)
    code = build_encoder(kind, shape, 4, 5)(torch.zeros(3, *shape))  # type: ignore[arg-type]
    assert code.shape == (3, 5)
    assert build_decoder(kind, shape, 4, 5)(code).shape == (3, *shape)  # type: ignore[arg-type]


def n_parameters(network: torch.nn.Module) -> int:
    return sum(p.numel() for p in network.parameters())


def test_mlp_by_hand() -> None:
    encoder = build_encoder("mlp", (1, 28, 28), 400, 32)
    decoder = build_decoder("mlp", (1, 28, 28), 400, 16)
    assert n_parameters(encoder) == 784 * 400 + 400 + 400 * 32 + 32
    assert n_parameters(decoder) == 16 * 400 + 400 + 400 * 784 + 784
    with torch.no_grad():
        image = torch.ones(1, 1, 28, 28)
        hidden = (encoder[1].weight.sum(1) + encoder[1].bias).relu()
        expected = encoder[3].weight @ hidden + encoder[3].bias
        assert torch.allclose(encoder(image)[0], expected, atol=1e-5)


def test_hidden_layers_are_added_between() -> None:
    for one, two in (
        (
            build_encoder("mlp", (1, 8, 8), 7, 4),
            build_encoder("mlp", shape=(1, 8, 8), width=7, n_out=4, n_hidden=2),
        ),
        (
            build_decoder("mlp", (1, 8, 8), 7, 4),
            build_decoder("mlp", shape=(1, 8, 8), width=7, n_latent=4, n_hidden=2),
        ),
    ):
        assert n_parameters(two) - n_parameters(one) == 7 * 7 + 7


@pytest.mark.parametrize("side", [8, 16, 32])
def test_convolutions_end_at_four(side: int) -> None:
    encoder = build_encoder("conv", (3, side, side), 4, 5)
    decoder = build_decoder("conv", (3, side, side), 4, 5)
    n_layers = {8: 1, 16: 2, 32: 3}[side]
    convolutions = [m for m in encoder if isinstance(m, torch.nn.Conv2d)]
    assert [m.out_channels for m in convolutions] == [4, 8, 16][:n_layers]
    images = torch.randn(2, 3, side, side)
    assert encoder(images).shape == (2, 5)
    assert decoder(encoder(images)).shape == images.shape


def test_the_decoder_ends_linearly() -> None:
    """Logits go below zero and above one; no normalisation is behind the last layer."""
    for kind in ("mlp", "conv"):
        decoder = build_decoder(kind, (1, 8, 8), 4, 3)
        logits = decoder(100 * torch.randn(64, 3))
        assert logits.min() < -1 and logits.max() > 1
    assert isinstance(decoder[-1], torch.nn.ConvTranspose2d)


def test_probabilities_become_pixels() -> None:
    logits = torch.tensor([0.0, 100.0, -100.0, torch.logit(torch.tensor(0.75)).item()])
    assert to_images(logits).tolist() == pytest.approx([0, 1, -1, 0.5])
