"""The lab's GPT as a transformers causal language model, and its vocabulary as a transformers tokenizer.

`TransformersGPT` holds the very tensors of a `GPT`, not copies: what an engine trains is the GPT itself, and nothing
is converted back. Only the layout differs. The GPT computes a prompt once for its whole group of completions; a
transformers model is given every completion as a sequence of its own, prompt included.
Sequences of one batch have one length, as everywhere in the lab; padding is refused.
"""

from typing import Any, Final

import torch
import torch.nn.functional as F  # noqa: N812 (everyone's name for it)
from jaxtyping import Float, Int
from tokenizers import AddedToken, Tokenizer
from tokenizers.models import WordLevel
from tokenizers.pre_tokenizers import WhitespaceSplit
from torch import Tensor, nn
from transformers import (
    DynamicCache,
    GenerationMixin,
    PreTrainedConfig,
    PreTrainedModel,
    PreTrainedTokenizerFast,
)
from transformers.modeling_outputs import BaseModelOutputWithPast, CausalLMOutputWithPast

from ralign.lab.model import GPT, Attention, Block
from ralign.lab.vocabulary import WORDS

# Its id lies beyond the model's vocabulary: the model can neither read nor write it, so that all judgments have their
# eight words, as in the lab's own loop.
STOP: Final = "<stop>"
"""The end-of-sequence token, for engines that ask for one."""


class TransformersConfig(PreTrainedConfig):
    """A GPT's size in transformers' names."""

    model_type = "ralign-lab"

    vocab_size: int = len(WORDS)
    hidden_size: int = 0
    num_hidden_layers: int = 0
    num_attention_heads: int = 0
    max_position_embeddings: int = 0
    eos_token_id: int = len(WORDS)  # STOP
    pad_token_id: int = len(WORDS)
    tie_word_embeddings: bool = False


# No architecture of transformers fits (the nearest, NanoChat, has rotary positions), hence a forward pass of our own.
# It is the arithmetic of `ralign.lab.model` on transformers' cache: a test holds both to the same logits.
class _Backbone(nn.Module):
    """Word ids in, the normed residual stream out: all of the GPT but its head."""

    def __init__(self, gpt: GPT, config: TransformersConfig) -> None:
        super().__init__()
        self.config = config
        self.words, self.places, self.blocks = gpt.words, gpt.places, gpt.blocks

    def forward(
        self,
        input_ids: Int[Tensor, "b t"],
        attention_mask: Tensor | None = None,
        past_key_values: DynamicCache | None = None,
        use_cache: bool | None = None,
        **ignored: Any,
    ) -> BaseModelOutputWithPast:
        """Read whole sequences, or the next word of sequences whose past is in the cache.

        Raises:
            ValueError: the batch has padding.
        """
        del ignored  # positions and flags that a model without padding does not need
        if attention_mask is not None and not attention_mask.all():
            raise ValueError("the lab's model takes sequences of one length, and this batch is padded")
        if use_cache and past_key_values is None:
            past_key_values = DynamicCache(config=self.config)
        read = 0 if past_key_values is None else past_key_values.get_seq_length()
        x = self.words(input_ids) + self.places(torch.arange(read, read + input_ids.shape[1]))
        for layer, block in enumerate(self.blocks):
            assert isinstance(block, Block)
            h = x + _attend(block.attention, _norm(x), past_key_values, layer)
            x = h + block.down(F.relu(block.up(_norm(h))).square())
        return BaseModelOutputWithPast(last_hidden_state=_norm(x), past_key_values=past_key_values)  # pyright: ignore[reportArgumentType]  (a Tensor)


class TransformersGPT(PreTrainedModel, GenerationMixin):
    """A GPT for every library that takes a transformers causal language model; the weights stay the GPT's own."""

    config_class = TransformersConfig
    base_model_prefix = "model"
    _supports_sdpa = True

    def __init__(self, gpt: GPT) -> None:
        """Take the GPT to be used, and trained, through transformers."""
        attention = gpt.blocks[0].attention
        assert isinstance(attention, Attention)
        config = TransformersConfig(
            hidden_size=gpt.words.embedding_dim,
            num_hidden_layers=len(gpt.blocks),
            num_attention_heads=attention.heads,
            max_position_embeddings=gpt.places.num_embeddings,
        )
        super().__init__(config)
        self.model = _Backbone(gpt, config)
        self.lm_head = gpt.head
        self.post_init()

    @property
    def is_gradient_checkpointing(self) -> bool:
        """Never."""
        # TRL 1.16 asks by this name, and transformers' own answer is a deprecation warning.
        return False

    def _init_weights(self, module: nn.Module) -> None:
        """Leave the weights as they come."""
        # transformers would draw its own over the GPT's.

    def get_input_embeddings(self) -> nn.Module:
        """The words' embeddings."""
        return self.model.words

    def get_output_embeddings(self) -> nn.Module:
        """The head."""
        return self.lm_head

    def forward(
        self,
        input_ids: Int[Tensor, "b t"],
        attention_mask: Tensor | None = None,
        past_key_values: DynamicCache | None = None,
        use_cache: bool | None = None,
        logits_to_keep: int = 0,
        **ignored: Any,
    ) -> CausalLMOutputWithPast:
        """Compute the logits of the word after each of the last `logits_to_keep` words (0: after every word)."""
        del ignored
        read = self.model(input_ids, attention_mask, past_key_values, use_cache)
        logits: Float[Tensor, "b t vocabulary"] = self.lm_head(read.last_hidden_state[:, -logits_to_keep:])
        return CausalLMOutputWithPast(logits=logits, past_key_values=read.past_key_values)  # pyright: ignore[reportArgumentType]  (a Tensor)


def word_tokenizer() -> PreTrainedTokenizerFast:
    """The lab's vocabulary, one token a word, as transformers takes it: text is words with spaces between them."""
    vocabulary = {word: number for number, word in enumerate([*WORDS, STOP])}
    words = Tokenizer(WordLevel(vocabulary, unk_token=STOP))
    words.pre_tokenizer = WhitespaceSplit()
    words.add_special_tokens([AddedToken(STOP, special=True)])
    return PreTrainedTokenizerFast(
        tokenizer_object=words, eos_token=STOP, pad_token=STOP, padding_side="left"
    )


def _attend(
    attention: Attention, x: Float[Tensor, "b t w"], cache: DynamicCache | None, layer: int
) -> Float[Tensor, "b t w"]:
    b, t, w = x.shape
    q, k, v = attention.qkv(x).view(b, t, 3, attention.heads, w // attention.heads).permute(2, 0, 3, 1, 4)
    if cache is not None:
        k, v = cache.update(k, v, layer)
    assert t in (1, k.shape[2]), "whole sequences, or one word at a time"
    y = F.scaled_dot_product_attention(q, k, v, is_causal=t > 1)
    return attention.out(y.transpose(1, 2).reshape(b, t, w))


def _norm(x: Float[Tensor, "b t w"]) -> Float[Tensor, "b t w"]:
    return F.rms_norm(x, (x.shape[-1],))
