import torch

from voxcycle.models.factor_classifier import N_FEATURES, Classifier


def test_a_classifier_has_a_head_per_factor_on_common_features() -> None:
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
