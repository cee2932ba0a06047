import math

import pytest
import torch
from torch import nn

from voxcycle.methods.batches import ImageBatch
from voxcycle.methods.classifier import NOISE, ClassifierTraining
from voxcycle.models.coders import Classifier


class Recorder(nn.Module):
    """Keeps what it sees; its logits are constants."""

    def __init__(self):
        super().__init__()
        self.logits = nn.ParameterList([torch.zeros(3), torch.zeros(2)])
        self.seen = torch.empty(0)

    def forward(self, images):
        self.seen = images
        return [logits.expand(len(images), -1) for logits in self.logits]


def make_batch(n=8):
    generator = torch.Generator().manual_seed(0)
    images = torch.rand(n, 1, 8, 8, generator=generator) * 2 - 1
    labels = (images.mean((1, 2, 3)) > 0).long()[:, None]
    return ImageBatch(images, labels, step=0, seed=1)


def test_the_loss_is_the_mean_over_factors_and_knows_the_noise():
    network = Recorder()
    method = ClassifierTraining(network)
    # nothing known: ln 3 for the factor, ln 2 for "is it noisy"
    loss = method.losses(make_batch(), {})["cross_entropy"]
    assert loss.item() == pytest.approx((math.log(3) + math.log(2)) / 2)
    # half of the batch is noisy: being sure of either costs (ln(1 + e^-2) + ln(1 + e^2)) / 2
    network.logits[1].data = torch.tensor([0.0, 2.0])
    loss = method.losses(make_batch(), {})["cross_entropy"]
    noise = (math.log(1 + math.exp(-2)) + math.log(1 + math.exp(2))) / 2
    assert loss.item() == pytest.approx((math.log(3) + noise) / 2)
    # predictions leave the noise out
    network.logits[0].data = torch.tensor([0.0, 5.0, 1.0])
    assert method.predict(torch.zeros(4, 1, 8, 8)).tolist() == [[1]] * 4


def test_every_second_image_is_noisy_within_bounds():
    network, batch = Recorder(), make_batch(64)
    ClassifierTraining(network).losses(batch, {})
    added = (network.seen - batch.images).flatten(1).std(1)
    assert torch.equal(added[::2], torch.zeros(32))
    # 64 pixels: the deviation of an image's noise is known to a tenth or so, three of these
    assert added[1::2].min().item() > 0.1 * NOISE * 0.7
    assert added[1::2].max().item() < NOISE * 1.3
    again = Recorder()
    ClassifierTraining(again).losses(batch, {})
    assert torch.equal(again.seen, network.seen)  # of the batch's seed alone


def test_it_learns_bright_from_dark(train):
    torch.manual_seed(0)
    level = torch.arange(32) % 2

    def make(step):
        noise = torch.randn(32, 1, 8, 8, generator=torch.Generator().manual_seed(step))
        return ImageBatch(
            (level - 0.5)[:, None, None, None] + 0.3 * noise, level[:, None], step, step
        )

    method = ClassifierTraining(Classifier((1, 8, 8), [2, 2], 4), lr=1e-2)
    train(method, map(make, range(40))).method.eval()
    images = torch.tensor([-0.5, 0.5]).repeat(8)[:, None, None, None] * torch.ones(16, 1, 8, 8)
    assert method.predict(images)[:, 0].tolist() == [0, 1] * 8
