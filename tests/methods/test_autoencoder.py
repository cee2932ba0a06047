import pytest
import torch
from torch import nn

from voxcycle.methods.autoencoder import Autoencoder
from voxcycle.methods.batches import ImageBatch


def make_linear() -> Autoencoder:
    """Two pixels through one number: the best line through the data."""
    torch.manual_seed(0)
    encoder = nn.Sequential(nn.Flatten(), nn.Linear(2, 1, bias=False))
    decoder = nn.Sequential(nn.Linear(1, 2, bias=False), nn.Unflatten(1, (1, 1, 2)))
    return Autoencoder(encoder, decoder, 1, lr=0.02)


def batch_of(images: torch.Tensor) -> ImageBatch:
    return ImageBatch(images, torch.zeros(len(images), 0, dtype=torch.long), 0, 0)


def test_loss_by_hand() -> None:
    method = make_linear()
    with torch.no_grad():
        method.encoder[1].weight.copy_(torch.tensor([[1.0, 0.0]]))
        method.decoder[0].weight.copy_(torch.tensor([[1.0], [0.5]]))
    # (2, 3) has the code 2 and comes back as (2, 1): squared errors 0 and 4
    images = torch.tensor([2.0, 3.0]).reshape(1, 1, 1, 2)
    assert method.encode(images).item() == 2
    assert method.reconstruct(images).flatten().tolist() == [2.0, 1.0]
    assert method.losses(batch_of(images), {})["reconstruction"].item() == pytest.approx(2.0)


def test_a_linear_one_finds_the_first_principal_component(train) -> None:
    """Baldi and Hornik (1989): the error comes down to the smaller eigenvalue, halved."""
    generator = torch.Generator().manual_seed(0)
    data = torch.randn(256, 2, generator=generator) @ torch.tensor([[1.0, 0.6], [0.0, 0.3]])
    data -= data.mean(0)
    eigenvalues = torch.linalg.eigvalsh(data.T @ data / len(data))
    batch = batch_of(data.reshape(-1, 1, 1, 2))
    method = train(make_linear(), [batch] * 400).method
    loss = method.losses(batch, {})["reconstruction"].item()
    assert loss == pytest.approx(eigenvalues[0].item() / 2, rel=0.01)
