"""A small GPT that reads one prompt and writes many completions of it.

Prompt and completions are one sequence: the prompt first, then the completions' words, step by step (all first words,
all second words, ...). A mask keeps the completions apart. Prompts of one batch have one length: no padding.
"""

from pathlib import Path
from typing import Final, NamedTuple

import torch
import torch.nn.functional as F  # noqa: N812 (everyone's name for it)
from jaxtyping import Bool, Float, Int
from torch import Generator, Tensor, nn

from ralign.lab.config import ModelConfig
from ralign.lab.vocabulary import WORDS


class Samples(NamedTuple):
    """Completions that were drawn, and how likely each word was when it was drawn."""

    words: Int[Tensor, "prompts group words"]
    log_probs: Float[Tensor, "prompts group words"]


class Attention(nn.Module):
    """Multi-head attention under a given mask."""

    def __init__(self, width: int, heads: int) -> None:
        super().__init__()
        self.heads: Final = heads
        self.qkv = nn.Linear(width, 3 * width, bias=False)
        self.out = nn.Linear(width, width, bias=False)

    def forward(
        self, x: Float[Tensor, "b t w"], mask: Float[Tensor, "q k"], past: list[Tensor] | None, queries: int
    ) -> Float[Tensor, "b q w"]:
        """Let the last `queries` positions read all positions, and the `past` ones where there is a past.

        `past` holds one tensor, keys and values of what was read so far, (2, b, heads, time, width / heads); it is
        grown in place.
        """
        b, t, w = x.shape
        q, k, v = self.qkv(x).view(b, t, 3, self.heads, w // self.heads).permute(2, 0, 3, 1, 4)
        # Grown by concatenation: a cache laid out in advance would be faster and harder to read
        # (docs/decisions/lab_step.md).
        if past is not None:
            past[:] = [torch.cat([*past, torch.stack([k, v])], dim=3)]
            k, v = past[0]
        y = F.scaled_dot_product_attention(q[:, :, t - queries :], k, v, attn_mask=mask)
        return self.out(y.transpose(1, 2).reshape(b, queries, w))


class Block(nn.Module):
    """Attention, then a feed-forward layer, each on the normed residual stream."""

    def __init__(self, width: int, heads: int) -> None:
        super().__init__()
        self.attention = Attention(width, heads)
        self.up = nn.Linear(width, 4 * width, bias=False)
        self.down = nn.Linear(4 * width, width, bias=False)

    def forward(
        self, x: Float[Tensor, "b t w"], mask: Float[Tensor, "q k"], past: list[Tensor] | None, queries: int
    ) -> Float[Tensor, "b q w"]:
        """Go on with the last `queries` positions only."""
        h = x[:, x.shape[1] - queries :] + self.attention(norm(x), mask, past, queries)
        return h + self.down(F.relu(self.up(norm(h))).square())


# RL samples a group of completions a prompt. Computing the prompt once for the group, in sampling and in training, is
# what makes a step cost a fourth of TRL's on the same model (docs/decisions/trl_engine.md); a completion's
# log-probabilities are the same however many siblings it has.
class GPT(nn.Module):
    """Word ids in, logits of the next words out."""

    def __init__(self, config: ModelConfig, generator: Generator) -> None:
        """Make a model with weights drawn from the generator."""
        super().__init__()
        self.words = nn.Embedding(len(WORDS), config.width)
        self.places = nn.Embedding(config.context, config.width)
        self.blocks = nn.ModuleList(Block(config.width, config.heads) for _ in range(config.layers))
        self.head = nn.Linear(config.width, len(WORDS), bias=False)
        for weight in self.parameters():
            # Small, so that training makes the features: at width ** -0.5 the facts are not learned in time.
            nn.init.normal_(weight, std=0.02, generator=generator)

    def forward(
        self, prompt: Int[Tensor, "prompts read"], completions: Int[Tensor, "prompts group words"]
    ) -> Float[Tensor, "prompts group words vocabulary"]:
        """The logits with which each word of each completion is chosen."""
        prompts, read = prompt.shape
        _, group, words = completions.shape
        written = completions[:, :, :-1].transpose(1, 2).flatten(1)
        sequence = torch.cat([prompt, written], dim=1)
        mask = _mask(read, group, words - 1)
        x = self.words(sequence) + self.places(_places(read, group, words - 1))
        for block in self.blocks[:-1]:
            x = block(x, mask, None, x.shape[1])
        # Nothing is predicted from the prompt's words but its last one, so the last block leaves out their queries.
        x = self.blocks[-1](x, mask[read - 1 :], None, 1 + group * (words - 1))
        logits = self.head(norm(x))
        # Every completion's first word follows the prompt's last: one row of logits serves the whole group.
        first = logits[:, :1].expand(prompts, group, len(WORDS))[:, :, None]
        later = logits[:, 1:].view(prompts, words - 1, group, len(WORDS)).transpose(1, 2)
        return torch.cat([first, later], dim=2)

    def notes(self, prompt: Int[Tensor, "prompts read"]) -> Float[Tensor, "prompts read vocabulary"]:
        """The logits of a note on each word that is read, taken after the first block."""
        read = prompt.shape[1]
        x = self.words(prompt) + self.places(torch.arange(read))
        return self.head(norm(self.blocks[0](x, _mask(read, 1, 0), None, read)))

    @torch.no_grad()
    def sample(
        self,
        prompt: Int[Tensor, "prompts read"],
        noise: Float[Tensor, "prompts group words vocabulary"],
        banned: Bool[Tensor, " vocabulary"] | None = None,
    ) -> Samples:
        """Draw a group of completions for each prompt at temperature 1, never a banned word.

        `noise` is uniform in 0..1 and decides every draw.
        """
        # Noise is passed and not drawn, so that a caller can fix one completion's draws whatever else is in the batch.
        group, words = noise.shape[1:3]
        read = prompt.shape[1]
        mask, places = _mask(read, group, words), _places(read, group, words)
        pasts: list[list[Tensor]] = [[] for _ in self.blocks]
        drawn: list[Tensor] = []
        chosen: list[Tensor] = []
        logits = self._step(prompt, places[:read], mask[:read, :read], pasts)[:, -1:]
        logits = logits.expand(len(prompt), group, len(WORDS))
        for step in range(words):
            if banned is not None:
                logits = logits.masked_fill(banned, -torch.inf)
            log_probs = logits.log_softmax(-1)
            # The Gumbel trick: argmax of log-probability + Gumbel noise is a draw. torch.rand can give an exact 0,
            # whose logarithm would make the word impossible or certain.
            uniform = noise[:, :, step].clamp_min(1e-20)
            word = (log_probs - uniform.log().neg().log()).argmax(-1)
            drawn.append(word)
            chosen.append(log_probs.gather(-1, word[..., None]).squeeze(-1))
            if step + 1 < words:
                end = read + group * (step + 1)
                rows = slice(end - group, end)
                logits = self._step(word, places[rows], mask[rows, :end], pasts)
        return Samples(torch.stack(drawn, dim=2), torch.stack(chosen, dim=2))

    def _step(self, ids: Tensor, places: Tensor, mask: Tensor, pasts: list[list[Tensor]]) -> Tensor:
        x = self.words(ids) + self.places(places)
        for block, past in zip(self.blocks, pasts, strict=True):
            x = block(x, mask, past, ids.shape[1])
        return self.head(norm(x))


def save(model: GPT, path: Path) -> None:
    """Write the weights; a file is there complete or not at all."""
    path.parent.mkdir(parents=True, exist_ok=True)
    partial = path.with_suffix(".partial")
    torch.save(model.state_dict(), partial)
    partial.replace(path)


def load(path: Path, config: ModelConfig) -> GPT:
    """Read the weights that `save` wrote for a model of this size."""
    model = GPT(config, Generator())
    model.load_state_dict(torch.load(path, weights_only=True))
    return model


def norm(x: Float[Tensor, "b t w"]) -> Float[Tensor, "b t w"]:
    """Each vector over its root mean square, without a gain."""
    return F.rms_norm(x, (x.shape[-1],))


def _places(read: int, group: int, words: int) -> Int[Tensor, " sequence"]:
    return torch.cat([torch.arange(read), read + torch.arange(words).repeat_interleave(group)])


def _mask(read: int, group: int, words: int) -> Float[Tensor, "sequence sequence"]:
    """0 where the row may read the column, -inf where not: the past, the prompt, and one's own completion."""
    place = _places(read, group, words)
    member = torch.cat([torch.full((read,), -1), torch.arange(group).repeat(words)])
    own = (member[:, None] == member) | (member == -1)
    allowed = own & (place <= place[:, None])
    return torch.zeros(allowed.shape).masked_fill(~allowed, -torch.inf)
