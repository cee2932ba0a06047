import pytest
import torch

from voxcycle.models.autoencoder import build_decoder, build_encoder, n_halvings, to_images


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
        (build_encoder("mlp", (1, 8, 8), 7, 4), build_encoder("mlp", (1, 8, 8), 7, 4, 2)),
        (build_decoder("mlp", (1, 8, 8), 7, 4), build_decoder("mlp", (1, 8, 8), 7, 4, 2)),
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


@pytest.mark.parametrize("shape", [(1, 28, 28), (3, 32, 16), (3, 4, 4)])
def test_sides_must_be_powers_of_two(shape: tuple[int, int, int]) -> None:
    with pytest.raises(ValueError, match=f"{shape[2]} x {shape[1]}: convolutions need squares"):
        n_halvings(shape)


def test_probabilities_become_pixels() -> None:
    logits = torch.tensor([0.0, 100.0, -100.0, torch.logit(torch.tensor(0.75)).item()])
    assert to_images(logits).tolist() == pytest.approx([0, 1, -1, 0.5])
