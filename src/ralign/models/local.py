"""A local Hugging Face causal language model as a chat model. Needs `ralign[local]`: torch and transformers.

Concurrent calls are answered in batches, padded on the left. Each draws with a random generator of its own.
"""

import inspect
import secrets
from collections.abc import Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import Any, NamedTuple, Self, cast

import torch
from jinja2 import TemplateError
from transformers import (
    GenerationConfig,
    LogitsProcessor,
    LogitsProcessorList,
    StoppingCriteria,
    StoppingCriteriaList,
    TopKLogitsWarper,
    TopPLogitsWarper,
)

from ralign.errors import CallFailed, EndpointRefused, InputError, RalignError
from ralign.models.batching import Batcher
from ralign.models.model import Reply, Sampling
from ralign.models.pretrained import drops_system, load_pretrained, load_weights, refused
from ralign.records import Message, Usage
from ralign.thinking import CLOSER, OPENER, marked_decoder, split_thinking


class _Request(NamedTuple):
    chat: list[dict[str, str]]
    temperature: float
    """0: greedy."""
    max_tokens: int
    seed: int


class _Fork(NamedTuple):
    """A position in a reply where the model is to choose between continuations."""

    chat: list[dict[str, str]]
    thinking: str | None
    text: str
    continuations: tuple[str, ...]


Choice = tuple[float, ...]
"""The log-probability of each continuation."""


class LocalModel:
    """A `ChatModel` on this machine that also says what it would write next; an async context manager around
    every call.

    Args:
        path: a directory, or a name on the hub, with weights, tokenizer and chat template; or with a LoRA adapter,
            which is merged into its base.
        name: the model's name; `path` where None.
        device: a torch device; None takes a GPU where there is one.
        dtype: of the weights, such as `bfloat16`; `auto` takes the one they are stored in.
        max_batch: calls answered together at most.
        max_tokens: of a reply, where a call sets no limit.
        template_kwargs: variables for the chat template, such as `enable_thinking`.

    Raises:
        InputError: there is no model at `path`, or it cannot chat.
    """

    def __init__(
        self,
        path: str | Path,
        *,
        name: str | None = None,
        device: str | None = None,
        dtype: str = "auto",
        max_batch: int = 16,
        max_tokens: int = 4096,
        template_kwargs: Mapping[str, object] | None = None,
    ) -> None:
        self._name = name or str(path)
        self._device = torch.device(device or ("cuda" if torch.cuda.is_available() else "cpu"))
        self._pretrained = load_pretrained(str(path), padding_side="left")
        self._tokenizer = cast(Any, self._pretrained.tokenizer)
        self._model = cast(Any, load_weights(self._pretrained, dtype=dtype))
        self._model.to(self._device).eval()
        # Chat models often end a turn with another token than a text: the model's own list comes first.
        ends: int | list[int] | None = self._model.generation_config.eos_token_id
        if ends is None:
            ends = cast("int | None", self._tokenizer.eos_token_id)
        if ends is None:
            raise InputError(f"'{path}' names no end-of-text token, so no reply would ever end")
        self._ends = [ends] if isinstance(ends, int) else ends
        if self._tokenizer.pad_token_id is None:
            self._tokenizer.pad_token_id = min(self._ends)
        # In tokens; a model without fixed positions has no limit of its own.
        self._context = self._pretrained.context or 2**31
        # Where the marks of a thought are special tokens, decoding without those would glue it to the answer.
        self._decode = marked_decoder(self._tokenizer) or partial(
            self._tokenizer.decode, skip_special_tokens=True
        )
        self._max_tokens = max_tokens
        self._template_kwargs = dict(template_kwargs or {})
        self._batcher = Batcher[_Request | _Fork, Reply | Choice | RalignError](
            self._run_batch, max_size=max_batch
        )
        self._takes_system: bool | None = None
        """Whether the chat template shows a system message; None: not asked for yet."""
        self._forward_arguments = inspect.signature(self._model.forward).parameters.keys()

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *exception: object) -> None:
        await self._batcher.close()

    @property
    def name(self) -> str:
        """The model's name."""
        return self._name

    async def reply(
        self, messages: Sequence[Message], sampling: Sampling, *, seed: int | None = None
    ) -> Reply:
        """Answer the messages once, together with whatever else is asked at the moment.

        A `sampling.temperature` of None is the model's own (`generation_config`): greedy where that says so.

        Raises:
            CallFailed: the messages leave no room for a reply in the model's context.
            EndpointRefused: the chat template does not take such messages, or the batch does not fit into memory.
        """
        temperature = sampling.temperature
        if temperature is None:
            config = self._model.generation_config
            own = 1.0 if config.temperature is None else config.temperature
            temperature = own if config.do_sample else 0.0
        request = _Request(
            chat=[{"role": message.role, "content": message.content} for message in messages],
            temperature=temperature,
            max_tokens=self._max_tokens if sampling.max_tokens is None else sampling.max_tokens,
            seed=secrets.randbits(63) if seed is None else seed,
        )
        outcome = await self._batcher.submit(request)
        if isinstance(outcome, RalignError):
            raise outcome
        assert isinstance(outcome, Reply), "a request is answered with a reply"
        return outcome

    async def choice_log_probs(
        self,
        messages: Sequence[Message],
        text: str,
        continuations: Sequence[str],
        *,
        thinking: str | None = None,
    ) -> Choice:
        """How likely the model is to go on with each of these, had it written `text` so far (teacher forcing).

        `thinking` is what it had thought before; None: it does not think, or a template that opens the thinking
        for it is answered with an empty thought. Every continuation is tokenized together with the text. Up to
        some token all are the same; the log-probabilities are those of the tokens in which they first differ,
        at temperature 1. They are what tells the continuations apart, and do not depend on how long those are.

        Raises:
            CallFailed: the messages and the text do not fit into the model's context.
            EndpointRefused: see `reply`.
            ValueError: the continuations do not all differ in one token.
        """
        fork = _Fork(
            chat=[{"role": message.role, "content": message.content} for message in messages],
            thinking=thinking,
            text=text,
            continuations=tuple(continuations),
        )
        outcome = await self._batcher.submit(fork)
        if isinstance(outcome, RalignError):
            raise outcome
        assert isinstance(outcome, tuple), "a fork is answered with log-probabilities"
        return outcome

    def _run_batch(self, calls: list[_Request | _Fork]) -> list[Reply | Choice | RalignError]:
        """Answer a batch. Runs in the batcher's thread, the only one that uses tokenizer and model."""
        requests = [call for call in calls if isinstance(call, _Request)]
        forks = [call for call in calls if isinstance(call, _Fork)]
        replies = iter(self._answer(requests) if requests else ())
        choices = iter(self._choose(forks) if forks else ())
        return [next(replies) if isinstance(call, _Request) else next(choices) for call in calls]

    def _answer(self, requests: list[_Request]) -> list[Reply | RalignError]:
        # A refused template raises for the whole batch: it would refuse every other call of the run, too.
        prompts = [self._tokens(request.chat) for request in requests]
        rooms = [
            min(request.max_tokens, self._context - len(prompt))
            for request, prompt in zip(requests, prompts, strict=True)
        ]
        # A prompt that fills the context fails alone; the others of its batch are answered.
        asked = [index for index, room in enumerate(rooms) if room > 0]
        outcomes: list[Reply | RalignError] = [
            CallFailed(
                f"the prompt has {len(prompt)} tokens, '{self._name}' takes fewer than {self._context}"
            )
            for prompt in prompts
        ]
        if asked:
            rows = self._generate(
                [prompts[index] for index in asked],
                [rooms[index] for index in asked],
                [requests[index] for index in asked],
            )
            for index, row in zip(asked, rows, strict=True):
                outcomes[index] = self._read(prompts[index], row[: rooms[index]])
        return outcomes

    def _tokens(self, chat: list[dict[str, str]]) -> list[int]:
        if chat[0]["role"] == "system" and self._takes_system is None:
            try:
                self._takes_system = not drops_system(self._pretrained, self._name, **self._template_kwargs)
            except InputError as error:
                raise EndpointRefused(str(error)) from None
        # Half a prompt would be judged by, and nobody would know.
        if chat[0]["role"] == "system" and not self._takes_system:
            raise EndpointRefused(
                f"the chat template of '{self._name}' leaves system messages out; give a prompt without a [system] part"
            )
        try:
            return self._tokenizer.apply_chat_template(
                chat,
                add_generation_prompt=True,
                return_dict=False,
                # A candidate answer that spells out `<|im_end|>` must not end its turn.
                sanitize_control_tokens=True,
                **self._template_kwargs,
            )
        except (TemplateError, ValueError, TypeError) as error:
            raise EndpointRefused(str(refused(self._name, error))) from None

    @torch.inference_mode()
    def _generate(
        self, prompts: list[list[int]], rooms: list[int], requests: list[_Request]
    ) -> list[list[int]]:
        """The new tokens of every prompt, each row padded to the longest."""
        inputs = self._tokenizer.pad({"input_ids": prompts}, return_tensors="pt").to(self._device)
        width = inputs["input_ids"].shape[1]
        try:
            output = self._model.generate(
                input_ids=inputs["input_ids"],
                attention_mask=inputs["attention_mask"],
                generation_config=GenerationConfig(
                    do_sample=False,  # _Draw does it
                    max_new_tokens=max(rooms),
                    eos_token_id=self._ends,
                    pad_token_id=self._tokenizer.pad_token_id,
                ),
                logits_processor=LogitsProcessorList(
                    [_Draw(requests, self._model.generation_config, self._device)]
                ),
                stopping_criteria=StoppingCriteriaList(
                    [_Limits(width, torch.tensor(rooms, device=self._device))]
                ),
            )
        except torch.OutOfMemoryError:
            raise EndpointRefused(
                f"'{self._name}' runs out of memory on {self._device} with {len(prompts)} calls at once of up to "
                f"{width} + {max(rooms)} tokens; a smaller max_batch or max_tokens needs less"
            ) from None
        return output[:, width:].tolist()

    def _choose(self, forks: list[_Fork]) -> list[Choice | RalignError]:
        """The log-probabilities of each fork's continuations; one forward pass for all."""
        rows: list[tuple[list[int], list[int]]] = []
        for fork in forks:
            before = self._tokens(fork.chat)
            # The thinking as the model writes it: some templates have opened it in the prompt already.
            opened = self._opens_thinking(before)
            if opened or fork.thinking is not None:
                head = [] if opened else self._tokenizer.encode(f"{OPENER}\n", add_special_tokens=False)
                tail = self._tokenizer.encode(f"\n{CLOSER}\n\n", add_special_tokens=False)
                before += [*head, *self._text_tokens(fork.thinking or ""), *tail]
            rows.append(_up_to_fork(before, [self._text_tokens(fork.text + c) for c in fork.continuations]))
        fitting = [index for index, (row, _) in enumerate(rows) if len(row) <= self._context]
        outcomes: list[Choice | RalignError] = [
            CallFailed(
                f"the prompt and the text have {len(row)} tokens, '{self._name}' takes at most {self._context}"
            )
            for row, _ in rows
        ]
        if fitting:
            last = self._last_log_probs([rows[index][0] for index in fitting])
            for index, log_probs in zip(fitting, last, strict=True):
                outcomes[index] = tuple(log_probs[rows[index][1]].tolist())
        return outcomes

    @torch.inference_mode()
    def _last_log_probs(self, rows: list[list[int]]) -> torch.Tensor:
        """The log-probabilities of every token to come after each row, (rows, vocabulary)."""
        inputs = self._tokenizer.pad({"input_ids": rows}, return_tensors="pt").to(self._device)
        mask = inputs["attention_mask"]
        # As `generate` does: models with absolute positions must not count the padding.
        offered = {
            "position_ids": (mask.cumsum(-1) - 1).clamp_min(0),
            "logits_to_keep": 1,
            "use_cache": False,
        }
        arguments = {name: value for name, value in offered.items() if name in self._forward_arguments}
        try:
            logits = self._model(input_ids=inputs["input_ids"], attention_mask=mask, **arguments).logits
        except torch.OutOfMemoryError:
            raise EndpointRefused(
                f"'{self._name}' runs out of memory on {self._device} with {len(rows)} texts at once of up to "
                f"{mask.shape[1]} tokens; a smaller max_batch needs less"
            ) from None
        return logits[:, -1].float().log_softmax(-1)

    def _text_tokens(self, text: str) -> list[int]:
        """A text's tokens; a control token that it spells out is ordinary text, as it was when it was written."""
        return self._tokenizer.encode(text, add_special_tokens=False, split_special_tokens=True)

    def _opens_thinking(self, prompt: list[int]) -> bool:
        """Whether the chat template has opened the thinking already."""
        return self._tokenizer.decode(prompt[-8:]).rstrip().endswith(OPENER)

    def _read(self, prompt: list[int], row: list[int]) -> Reply:
        """The reply in a row of new tokens: all before the first end token."""
        end = next((index for index, token in enumerate(row) if token in self._ends), None)
        text: str = self._decode(row[:end])
        # Some templates open the thinking in the prompt; cut off, it would look like an answer.
        if self._opens_thinking(prompt):
            text = OPENER + text
        thinking, answer = split_thinking(text)
        return Reply(
            text=answer,
            thinking=thinking,
            finish_reason="length" if end is None else "stop",
            model=self._name,
            usage=Usage(prompt_tokens=len(prompt), completion_tokens=len(row) if end is None else end + 1),
        )


class _Draw(LogitsProcessor):
    """Gumbel noise that makes the largest score a draw; rows with temperature 0 keep their scores."""

    # argmax(log p + g) with g ~ Gumbel(0, 1) is a draw from p (Gumbel 1954). transformers' own sampling has one
    # generator a batch; here the draws of a call depend on its own seed, and not on the calls that share its batch.

    def __init__(self, requests: list[_Request], config: GenerationConfig, device: torch.device) -> None:
        self._rows = [
            (row, request.temperature, torch.Generator(device).manual_seed(request.seed))
            for row, request in enumerate(requests)
            if request.temperature > 0
        ]
        # The model's own cuts, as inference servers apply them too.
        self._cuts: list[Any] = []
        top_k: int | None = cast(Any, config).top_k
        top_p: float | None = cast(Any, config).top_p
        if top_k:
            self._cuts.append(TopKLogitsWarper(top_k))
        if top_p is not None and top_p < 1:
            self._cuts.append(TopPLogitsWarper(top_p))

    def __call__(self, input_ids: torch.Tensor, scores: torch.Tensor) -> torch.Tensor:
        """`input_ids` (batch, tokens), `scores` (batch, vocabulary); gives the scores with noise."""
        scores = scores.float()
        for row, temperature, generator in self._rows:
            drawn = scores[row : row + 1] / temperature
            for cut in self._cuts:
                drawn = cut(input_ids, drawn)
            # -log of an exponential draw is a Gumbel draw.
            noise = torch.empty_like(drawn).exponential_(generator=generator).log_()
            scores[row : row + 1] = drawn - noise
        return scores


class _Limits(StoppingCriteria):
    """Stops each row at its own number of new tokens."""

    def __init__(self, width: int, limits: torch.Tensor) -> None:
        self._width = width
        self._limits = limits

    def __call__(self, input_ids: torch.Tensor, scores: object, **kwargs: object) -> torch.BoolTensor:
        """`input_ids` (batch, tokens); gives (batch,), true where the row has all it may have."""
        return cast(torch.BoolTensor, input_ids.shape[1] - self._width >= self._limits)


def _up_to_fork(before: list[int], texts: list[list[int]]) -> tuple[list[int], list[int]]:
    """All tokens before the first in which the texts differ, and that token of each of them."""
    for position, tokens in enumerate(zip(*texts, strict=False)):
        if len(set(tokens)) == len(texts):
            return before + texts[0][:position], list(tokens)
        if len(set(tokens)) > 1:
            break
    raise ValueError(f"{len(texts)} continuations do not all differ in one token")
