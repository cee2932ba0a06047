import pytest
import torch

from voxcycle.models.voice_generator import VoiceGenerator


def make_inputs(n_frames, n_condition=0):
    generator = torch.Generator().manual_seed(1)
    return {
        "source": torch.randn(2, 80, n_frames, generator=generator),
        "excitation": torch.randn(2, 81, n_frames, generator=generator),
        "condition": torch.randn(2, n_condition, generator=generator) if n_condition else None,
    }


@pytest.fixture
def generator():
    """A generator whose weights are all in use, as after training."""
    torch.manual_seed(0)
    built = VoiceGenerator(width=32, n_blocks=3, n_condition=6)
    for parameter in built.parameters():
        torch.nn.init.normal_(parameter, std=0.3)
    return built.eval()


@pytest.mark.parametrize("n_condition", [0, 162])
def test_the_default_generator_has_the_parameters_of_the_formula(n_condition):
    width, kernel, hidden, n_mels = 192, 7, 3 * 192, 80
    n_inputs = n_mels + 1 + (n_mels + 1)  # mel, mask, excitation with its flag
    block = width * kernel + width  # depthwise
    block += 2 * width  # LayerNorm
    block += width * hidden + hidden + hidden * width + width  # MLP
    block += n_condition * width
    expected = n_inputs * width + width + 6 * block + 2 * width + width * n_mels + n_mels
    built = VoiceGenerator(n_condition=n_condition)
    assert sum(p.numel() for p in built.parameters()) == expected
    if not n_condition:
        assert expected == 1_390_352


@pytest.mark.parametrize("n_content", [0, 79])
def test_arguments_rebuild_the_generator(n_content):
    built = VoiceGenerator(width=32, n_blocks=3, n_condition=6, has_skip=False, n_content=n_content)
    rebuilt = VoiceGenerator(**built.arguments)
    rebuilt.load_state_dict(built.state_dict())
    inputs = make_inputs(20, 6)
    torch.testing.assert_close(rebuilt(**inputs), built(**inputs), atol=0, rtol=0)


def test_content_is_normed_and_its_level_is_not():
    torch.manual_seed(0)
    built = VoiceGenerator(width=32, n_blocks=1, has_skip=False, n_content=79)
    inputs = make_inputs(20)
    features, level = inputs["source"].split([79, 1], 1)
    louder = inputs | {"source": torch.cat([3 * features + 2, level], 1)}
    torch.testing.assert_close(built(**louder), built(**inputs), atol=1e-4, rtol=1e-4)
    higher = inputs | {"source": torch.cat([features, level + 1], 1)}
    assert (built(**higher) - built(**inputs)).abs().mean() > 0.01
    with pytest.raises(ValueError, match="a skip needs"):
        VoiceGenerator(n_content=79)


def test_untrained_generators_with_and_without_the_skip():
    torch.manual_seed(0)
    inputs = make_inputs(64)
    difference = (VoiceGenerator()(**inputs) - inputs["source"]).detach()
    # The last layer starts at deviation 0.01 over 192 unit-variance channels: about 0.14.
    assert difference.std() == pytest.approx(0.01 * 192**0.5, rel=0.2)
    torch.manual_seed(0)
    built = VoiceGenerator(width=32, n_blocks=1, has_skip=False)
    with_skip = VoiceGenerator(**built.arguments | {"has_skip": True})
    with_skip.load_state_dict(built.state_dict())
    inputs = make_inputs(20)
    torch.testing.assert_close(with_skip(**inputs), built(**inputs) + inputs["source"])
    # its last layer starts as any other does: an output of about unit deviation
    assert built(**inputs).std().item() == pytest.approx(1.0, rel=0.2)


def test_masked_frames_are_not_read_and_no_mask_keeps_all(generator):
    inputs = make_inputs(40, 6)
    mask = torch.ones(2, 1, 40)
    mask[:, :, 15:25] = 0
    changed = inputs | {"source": inputs["source"].clone()}
    changed["source"][:, :, 15:25] = 100.0
    torch.testing.assert_close(
        generator(**inputs, mask=mask), generator(**changed, mask=mask), atol=0, rtol=0
    )
    whole = generator(**inputs)
    assert not torch.allclose(whole, generator(**inputs, mask=mask))
    all_kept = generator(**inputs, mask=torch.ones(2, 1, 40))
    torch.testing.assert_close(whole, all_kept, atol=0, rtol=0)


def test_the_condition_and_an_excitation_matter(generator):
    inputs = make_inputs(30, 6)
    for name in ("condition", "excitation"):
        changed = inputs | {name: inputs[name] + 1}
        assert (generator(**changed) - generator(**inputs)).abs().mean() > 0.01
    torch.manual_seed(0)
    built = VoiceGenerator(width=16, n_blocks=1, n_excitation=0)
    inputs = make_inputs(12)
    changed = inputs | {"excitation": inputs["excitation"] + 1}
    torch.testing.assert_close(built(**inputs), built(**changed), atol=0, rtol=0)


def test_context_frames_make_a_chunk_equal_the_whole(generator):
    assert generator.context_frames == 3 * 3 == VoiceGenerator(n_blocks=3).context_frames
    inputs = make_inputs(80, 6)
    context = generator.context_frames

    def cut(first, last):
        return inputs | {k: inputs[k][..., first:last] for k in ("source", "excitation")}

    whole = generator(**inputs)[..., 30:50]
    chunk = generator(**cut(30 - context, 50 + context))[..., context:-context]
    torch.testing.assert_close(chunk, whole, atol=1e-5, rtol=1e-5)
    short = generator(**cut(30 - context + 1, 50 + context))[..., context - 1 : -context]
    assert not torch.allclose(short[..., 0], whole[..., 0], atol=1e-5)  # every frame is needed
