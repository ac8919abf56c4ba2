import pytest

from ralign.models.finish_reason import read_finish_reason, unfinished


@pytest.mark.parametrize(
    ("words", "ending"),
    [
        ("stop STOP eos eos_token end_turn stop_sequence COMPLETE tool_calls FINISH_REASON_STOP", "stop"),
        (
            "length MAX_TOKENS max_tokens model_length model_context_window_exceeded max_output_tokens max-tokens",
            "length",
        ),
        (
            "content_filter SAFETY RECITATION PROHIBITED_CONTENT refusal sensitive guardrail_intervened "
            "content_filter:PROHIBITED_CONTENT",
            "content_filter",
        ),
        (
            "abort aborted cancelled error network_error insufficient_system_resource unknown OTHER pause_turn",
            "broken_off",
        ),
    ],
)
def test_every_providers_words_come_to_four_endings(words, ending):
    assert {read_finish_reason(word) for word in words.split()} == {ending}


@pytest.mark.parametrize("nothing", [None, ""])
def test_no_word_says_nothing(nothing):
    assert read_finish_reason(nothing) is None
    assert unfinished(nothing) is None


def test_only_a_known_end_is_one():
    assert unfinished("end_turn") is None
    assert unfinished("MAX_TOKENS") == "cut off at the token limit"
    assert unfinished("SAFETY") == "cut off by the content filter"
    assert unfinished("gone fishing") == "not finished: gone fishing"
