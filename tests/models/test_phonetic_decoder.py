import torch

from voxcycle.models.phonetic_decoder import PhoneticDecoder


@torch.no_grad()
def test_every_input_reaches_the_output_and_no_frame_beyond_the_context():
    torch.manual_seed(0)
    decoder = PhoneticDecoder(12, 5, n_mels=8, width=16, n_blocks=2).eval()
    content, excitation, condition = (
        torch.randn(2, 13, 40),
        torch.randn(2, 9, 40),
        torch.randn(2, 5),
    )
    read = decoder(content, excitation, condition)
    assert read.shape == (2, 8, 40)
    for number, rows in ((0, slice(0, 6)), (0, slice(12, 13)), (1, slice(0, 9))):
        inputs = [content.clone(), excitation.clone()]
        inputs[number][0, rows, 20] += 1
        moved = (decoder(*inputs, condition) - read).abs().amax(1)
        assert moved[0, 20] > 1e-4
        assert moved[0, 27:].max() == 0 and moved[1].max() == 0  # two blocks see six frames
    other = condition.clone()
    other[0] += 1
    moved = (decoder(content, excitation, other) - read).abs().amax(1)
    assert moved[0].min() > 1e-5 and moved[1].max() == 0
