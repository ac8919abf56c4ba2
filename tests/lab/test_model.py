import torch
from torch import Generator

from ralign.lab.vocabulary import WORDS


def draw(model, generator, *, group, words=5, prompts=3, read=7, banned=None):
    prompt = torch.randint(len(WORDS), (prompts, read), generator=generator)
    noise = torch.rand(prompts, group, words, len(WORDS), generator=generator)
    return prompt, noise, model.sample(prompt, noise, banned)


def test_training_sees_the_probabilities_that_sampling_drew_from(model, generator):
    prompt, _, samples = draw(model, generator, group=4)
    logits = model(prompt, samples.words)
    log_probs = logits.log_softmax(-1).gather(-1, samples.words[..., None]).squeeze(-1)
    torch.testing.assert_close(log_probs, samples.log_probs)


def test_a_completion_does_not_depend_on_its_siblings(model, generator):
    prompt, noise, samples = draw(model, generator, group=4)
    for member in range(4):
        alone = model.sample(prompt, noise[:, member : member + 1])
        assert torch.equal(alone.words[:, 0], samples.words[:, member])
        torch.testing.assert_close(
            model(prompt, samples.words)[:, member : member + 1],
            model(prompt, samples.words[:, member : member + 1]),
        )


def test_a_word_does_not_depend_on_later_words(model, generator):
    prompt, _, samples = draw(model, generator, group=1)
    changed = samples.words.clone()
    changed[:, :, 3:] = 0
    torch.testing.assert_close(model(prompt, samples.words)[:, :, :4], model(prompt, changed)[:, :, :4])
    assert not torch.allclose(model(prompt, samples.words)[:, :, 4], model(prompt, changed)[:, :, 4])


def test_the_gumbel_draw_follows_the_distribution(model, generator):
    prompt = torch.randint(len(WORDS), (1, 7), generator=generator)
    noise = torch.rand(1, 4_000, 1, len(WORDS), generator=generator)
    words = model.sample(prompt, noise).words.flatten()
    expected = model(prompt, words[None, :1, None])[0, 0, 0].softmax(-1)
    # 0.033 is four standard deviations of a share of a half.
    drawn = torch.bincount(words, minlength=len(WORDS)) / len(words)
    torch.testing.assert_close(drawn, expected, atol=0.033, rtol=0)


def test_a_banned_word_is_never_drawn(model):
    banned = torch.arange(len(WORDS)) % 2 == 0
    _, _, samples = draw(model, Generator().manual_seed(1), group=16, banned=banned)
    assert (samples.words % 2 == 1).all()
