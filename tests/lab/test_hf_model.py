import pytest
import torch

from ralign.lab.hf_model import STOP, TransformersGPT, word_tokenizer
from ralign.lab.vocabulary import WORDS


@pytest.fixture
def prompt(generator):
    return torch.randint(len(WORDS), (3, 7), generator=generator)


def sequences(prompt, completions):
    """Every completion behind its own copy of its prompt, as transformers takes them."""
    copies = prompt[:, None].expand(-1, completions.shape[1], -1)
    return torch.cat([copies, completions], dim=-1).flatten(0, 1)


def test_both_models_give_the_same_logits(model, prompt, generator):
    completions = torch.randint(len(WORDS), (3, 4, 5), generator=generator)
    found = TransformersGPT(model)(sequences(prompt, completions)).logits[:, 6:-1]
    torch.testing.assert_close(found.view(3, 4, 5, -1), model(prompt, completions), atol=1e-5, rtol=1e-5)


def test_the_weights_are_the_gpts_own(model, prompt):
    twin = TransformersGPT(model)
    assert {id(weight) for weight in twin.parameters()} == {id(weight) for weight in model.parameters()}
    twin(prompt).logits.sum().backward()
    assert all(weight.grad is not None for weight in model.parameters())


def test_only_the_logits_that_are_asked_for(model, prompt):
    twin = TransformersGPT(model)
    torch.testing.assert_close(twin(prompt, logits_to_keep=1).logits, twin(prompt).logits[:, -1:])


def test_the_cache_changes_no_word(model, prompt):
    twin, read = TransformersGPT(model), prompt
    for _ in range(5):
        read = torch.cat([read, twin(read).logits[:, -1:].argmax(-1)], dim=1)
    mask = torch.ones_like(prompt)
    assert torch.equal(twin.generate(prompt, attention_mask=mask, max_new_tokens=5, do_sample=False), read)


def test_padding_is_refused(model, prompt):
    mask = torch.ones_like(prompt)
    mask[0, 0] = 0
    with pytest.raises(ValueError, match="is padded"):
        TransformersGPT(model)(prompt, attention_mask=mask)


def test_every_word_is_one_token_and_the_stop_lies_beyond_them():
    tokenizer, text = word_tokenizer(), " ".join(WORDS)
    assert tokenizer(text)["input_ids"] == list(range(len(WORDS)))
    assert tokenizer.decode(range(len(WORDS))) == text
    assert tokenizer.eos_token == STOP
    assert tokenizer.eos_token_id == tokenizer.pad_token_id == len(WORDS)
