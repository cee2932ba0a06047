import math

import pytest
import torch

from voxcycle.methods.speaker_embedding import prototypical_loss


def test_the_loss_by_hand():
    # Cosines of the first ones with the second ones: 0.8 and 0; 0.6 and 1.
    one = torch.tensor([[1.0, 0.0], [0.0, 1.0]])
    two = torch.tensor([[0.8, 0.6], [0.0, 1.0]])
    rows = [math.log1p(math.exp(10 * (0.0 - 0.8))), math.log1p(math.exp(10 * (0.6 - 1.0)))]
    columns = [math.log1p(math.exp(10 * (0.6 - 0.8))), math.log1p(math.exp(10 * (0.0 - 1.0)))]
    wanted = (sum(rows) / 2 + sum(columns) / 2) / 2
    assert float(prototypical_loss(one, two, torch.tensor(10.0))) == pytest.approx(wanted, rel=1e-5)
