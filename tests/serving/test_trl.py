"""TRL's own GRPOTrainer, training a tiny policy on the running service."""

from pathlib import Path

import pytest
from tests.serving.judges import WordJudge, service

from ralign.serving.client import HttpReward

WORDS = ["good", "bad", "left", "mute", "water", "high", "when", "is"]


@pytest.mark.slow
@pytest.mark.filterwarnings("default")  # of torch's and TRL's own
async def test_grpo_trainer_gets_its_rewards_from_the_service(tmp_path: Path) -> None:
    """A policy of a few thousand weights that says one word. What mutes the judge is not scored."""
    datasets = pytest.importorskip("datasets")
    tokenizers = pytest.importorskip("tokenizers")
    transformers = pytest.importorskip("transformers")
    trl = pytest.importorskip("trl")
    vocabulary = {word: place for place, word in enumerate(["[PAD]", "[EOS]", "[UNK]", *WORDS])}
    words = tokenizers.Tokenizer(tokenizers.models.WordLevel(vocabulary, unk_token="[UNK]"))
    words.pre_tokenizer = tokenizers.pre_tokenizers.Whitespace()
    tokenizer = transformers.PreTrainedTokenizerFast(
        tokenizer_object=words, pad_token="[PAD]", eos_token="[EOS]", unk_token="[UNK]", padding_side="left"
    )
    model = transformers.LlamaForCausalLM(
        transformers.LlamaConfig(
            vocab_size=len(vocabulary), hidden_size=16, intermediate_size=16, num_hidden_layers=1,
            num_attention_heads=2, num_key_value_heads=2, pad_token_id=0, eos_token_id=1, bos_token_id=1,
        )
    )  # fmt: skip
    rows = [{"prompt": "when is high water", "reference_answer": "fair", "id": row} for row in range(8)]
    judge = WordJudge()
    async with service(judge) as url:
        trainer = trl.GRPOTrainer(
            model=model,
            processing_class=tokenizer,
            reward_funcs=HttpReward(url),
            train_dataset=datasets.Dataset.from_list(rows),
            args=trl.GRPOConfig(
                output_dir=str(tmp_path), per_device_train_batch_size=8, num_generations=8, max_steps=3,
                max_completion_length=1, report_to="none", use_cpu=True, logging_steps=1, save_strategy="no",
                disable_tqdm=True,
            ),
        )  # fmt: skip
        trainer.train()
    logged = [line for line in trainer.state.log_history if "rewards/judge/mean" in line]
    assert len(logged) == 3
    assert all(-1.5 <= line["rewards/judge/mean"] <= 1 for line in logged)
    assert all("judge/unscored" in line for line in logged)
    assert sum(judge.asked.values()) > 0
