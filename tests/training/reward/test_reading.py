import pytest
from tests.training.reward_pieces import make_pair

from ralign.judging import read_judgment
from ralign.models import Reply
from ralign.thinking import split_thinking
from ralign.training.reward.judge_reward import read_completion
from ralign.training.reward.scored import Completion

TEXTS = [
    "A names the tide.\n\n\\boxed{A}",
    "<think>Is it \\boxed{A}?</think>B is shorter. \\boxed{ b }",
    "the thought began in the prompt</think>\n\nA. \\boxed{\\text{A}}",
    "Both: \\boxed{A}, or rather \\boxed{B}",
    "No box at all.",
    "",
]


@pytest.mark.parametrize("order", ["ab", "ba"])
@pytest.mark.parametrize("text", TEXTS)
def test_a_completion_is_read_as_the_benchmark_reads_a_reply(text, order):
    """What training rewards is what the benchmark measures."""
    pair = make_pair()
    thinking, answer = split_thinking(text)
    reply = Reply(text=answer, thinking=thinking, finish_reason="stop")
    replied = read_judgment(reply, pair=pair, order=order)
    read = read_completion(Completion(pair=pair, order=order, text=text, finish_reason="stop"))
    for field in (
        "pair_id",
        "benchmark",
        "order",
        "text",
        "thinking",
        "rationale",
        "verdict",
        "failure",
        "detail",
    ):
        assert getattr(read, field) == getattr(replied, field), field


def test_the_verdict_is_in_the_letters_of_the_pairs_file():
    assert read_completion(Completion(pair=make_pair(), order="ba", text="\\boxed{A}")).verdict == "B"


def test_what_the_token_limit_cut_off_has_no_verdict_whatever_it_says():
    judgment = read_completion(Completion(pair=make_pair(), text="\\boxed{A}", finish_reason="length"))
    assert (judgment.verdict, judgment.failure) == (None, "parse")
    assert judgment.detail == "cut off at the token limit"


def test_a_box_in_a_thought_that_the_prompt_opened_and_nothing_closed_is_no_verdict():
    """An engine that gives no finish reason must not make a verdict of a thought."""
    thought = Completion(pair=make_pair(), text="It is A: \\boxed{A}", thought_opened=True)
    judgment = read_completion(thought)
    assert (judgment.verdict, judgment.rationale) == (None, "")
    assert judgment.thinking == "It is A: \\boxed{A}"
    closed = Completion(pair=make_pair(), text="Hm.</think>A. \\boxed{A}", thought_opened=True)
    assert (read_completion(closed).verdict, read_completion(closed).thinking) == ("A", "Hm.")
