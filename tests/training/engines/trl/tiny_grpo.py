"""TRL's own GRPOTrainer on a judge of a few thousand weights: words in, words out, rewards over real HTTP."""

from collections.abc import AsyncGenerator, Callable, Sequence
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from pathlib import Path
from typing import Any

from datasets import Dataset
from tests.training.reward_pieces import make_pair
from tokenizers import Tokenizer
from tokenizers.models import WordLevel
from tokenizers.pre_tokenizers import WhitespaceSplit
from transformers import (
    LlamaConfig,
    LlamaForCausalLM,
    PreTrainedTokenizerFast,
    PrinterCallback,
    TrainerCallback,
    set_seed,
)
from trl import GRPOConfig, GRPOTrainer

from ralign.judging import Prompt
from ralign.metajudging import META_PROMPT, ChatMetaJudge
from ralign.models import RetryPolicy, Sampling
from ralign.models.endpoint import Endpoint
from ralign.models.endpoint_model import EndpointModel
from ralign.models.testing.answers import ChatRequest
from ralign.models.testing.server import ChatServer
from ralign.records import PreferencePair
from ralign.training.engines.trl.reward import TrlReward
from ralign.training.reward.judge_reward import GenRMReward
from ralign.training.reward.scored import Completion

WORDS = ["[PAD]", "[EOS]", "[UNK]", "\\boxed{A}", "\\boxed{B}", "tide", "longer", "fair", "high"]
END = WORDS.index("[EOS]")
TEMPLATE = "{% for message in messages %}{{ message['content'] }} {% endfor %}"


def say(request: ChatRequest) -> str:
    """What the meta-judge's server answers: a rationale that names the tide is right."""
    rationale = request.prompt.rpartition("RATIONALE:")[2]
    return f"VERDICT: {'Correct' if 'tide' in rationale else 'Incorrect'}"


@asynccontextmanager
async def reward_over_http(server: ChatServer, **options: Any) -> AsyncGenerator[GenRMReward]:
    """R-Align's reward with the server's meta-judge, one try a call: what fails there fails here."""
    retry = RetryPolicy(max_tries=1, try_timeout=5, deadline=5)
    async with Endpoint(server.url, retry=retry) as endpoint:
        meta_judge = ChatMetaJudge(
            model=EndpointModel(endpoint, "meta"),
            prompt=Prompt("{gold_rationale}\nRATIONALE: {rationale}", META_PROMPT),
            sampling=Sampling(),
        )
        yield GenRMReward("ralign", meta_judge, meta_judge_name=f"'meta' at {server.url}", **options)


PAIRS = [make_pair(f"quay {row}") for row in range(8)]


def trl_reward(
    open_reward: Callable[[], AbstractAsyncContextManager[GenRMReward]],
    pairs: Sequence[PreferencePair] = PAIRS,
) -> TrlReward:
    """The reward for rows of these pairs."""
    return TrlReward(
        open_reward,
        lambda row, text, finish_reason: Completion(pair=pairs[row], text=text, finish_reason=finish_reason),
        end_tokens=[END],
    )


def word_tokenizer() -> PreTrainedTokenizerFast:
    words = Tokenizer(WordLevel({word: place for place, word in enumerate(WORDS)}, unk_token="[UNK]"))
    words.pre_tokenizer = WhitespaceSplit()
    tokenizer = PreTrainedTokenizerFast(
        tokenizer_object=words, pad_token="[PAD]", eos_token="[EOS]", unk_token="[UNK]", padding_side="left"
    )
    tokenizer.chat_template = TEMPLATE
    return tokenizer


def tiny_judge() -> LlamaForCausalLM:
    return LlamaForCausalLM(
        LlamaConfig(
            vocab_size=len(WORDS),
            hidden_size=16,
            intermediate_size=16,
            num_hidden_layers=1,
            num_attention_heads=2,
            num_key_value_heads=2,
            pad_token_id=0,
            eos_token_id=END,
            bos_token_id=END,
        )
    )


def tiny_trainer(
    reward: TrlReward,
    folder: Path,
    *,
    pairs: Sequence[PreferencePair] | None = None,
    conversational: bool = False,
    callbacks: Sequence[TrainerCallback] = (),
    rollout: Callable[..., dict[str, Any]] | None = None,
    **settings: Any,
) -> GRPOTrainer:
    """A trainer whose judge says up to eight words; `rollout` puts words into its mouth."""
    prompt: object = "high tide"
    if conversational:
        prompt = [{"role": "user", "content": prompt}]
    rows = [{"prompt": prompt, "row": row} for row in range(len(pairs or PAIRS))]
    set_seed(1)
    trainer = GRPOTrainer(
        model=tiny_judge(),
        processing_class=word_tokenizer(),
        reward_funcs=reward,
        train_dataset=Dataset.from_list(rows),
        callbacks=list(callbacks),
        rollout_func=rollout,
        args=GRPOConfig(
            **{
                "output_dir": str(folder),
                "per_device_train_batch_size": 16,
                "num_generations": 8,
                "max_completion_length": 8,
                "logging_steps": 1,
                "seed": 1,
                "report_to": "none",
                "save_strategy": "no",
                "use_cpu": True,
                "bf16": False,
                "activation_checkpointing": False,
                "dataloader_pin_memory": False,
                "disable_tqdm": True,
                "shuffle_dataset": False,
            }
            | settings
        ),
    )
    trainer.remove_callback(PrinterCallback)
    return trainer
