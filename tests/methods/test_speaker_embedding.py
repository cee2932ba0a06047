import math

import pytest
import torch

from voxcycle.methods.speaker_embedding import margin_loss


def test_the_right_speaker_must_be_nearer_by_the_margin():
    # Cosines 0.8 and 0.6, scale 30, margin 0.2: both logits are 18, and the loss is ln 2.
    embedding = torch.tensor([[0.8, 0.6]])
    speakers = torch.tensor([[2.0, 0.0], [0.0, 0.5]])  # their lengths do not count
    loss = margin_loss(embedding, speakers, torch.tensor([0]))
    assert float(loss) == pytest.approx(math.log(2), abs=1e-5)
    other = margin_loss(embedding, speakers, torch.tensor([1]))
    assert float(other) == pytest.approx(math.log1p(math.exp(30 * (0.8 - 0.4))), abs=1e-4)
