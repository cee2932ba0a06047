import pytest
import torch

from voxcycle.models.autoencoder import build_decoder, build_encoder, last_side, n_halvings


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
