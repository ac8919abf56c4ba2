"""Finish reasons in the words of every provider, read as OpenAI's three: `stop`, `length`, `content_filter`. Pure.

Only what is known to be an end is one: half an answer may hold a verdict that its author was about to take back.
"""

from typing import Final, Literal

Ending = Literal["stop", "length", "content_filter", "broken_off"]
"""How an answer ended.

stop            the model ended it
length          a token limit cut it off
content_filter  held back or broken off by a filter
broken_off      an abort, an error, or a word that nobody knows: what there is of it must not be read
"""

# OpenAI, Anthropic, Cohere, Bedrock, TGI, Together, Ollama; a call of a tool is the end of a turn, too.
_STOP: Final = frozenset(
    {
        "stop", "stopped", "stop_sequence", "stop_token", "stop_str", "end", "end_turn", "end_of_turn", "eos",
        "eos_token", "complete", "completed", "done", "finish", "finished", "tool_calls", "tool_call", "tool_use",
        "function_call",
    }
)  # fmt: skip
# Mistral, Gemini, Anthropic, OpenAI's responses, watsonx, llama.cpp.
_LENGTH: Final = frozenset(
    {
        "length", "max_tokens", "max_output_tokens", "max_completion_tokens", "max_new_tokens", "max_length",
        "model_length", "token_limit", "limit", "context_length", "context_length_exceeded", "max_context_length",
        "model_context_window_exceeded",
    }
)  # fmt: skip
# Gemini, Anthropic, Bedrock, Zhipu, Cohere. Some add the cause: `content_filter: PROHIBITED_CONTENT`.
_FILTER: Final = frozenset(
    {
        "content_filter", "content_filtered", "filtered", "safety", "recitation", "prohibited_content", "blocklist",
        "spii", "refusal", "sensitive", "guardrail_intervened", "error_toxic", "moderation", "blocked",
    }
)  # fmt: skip


def read_finish_reason(stated: str | None) -> Ending | None:
    """The ending that a provider's word means; None where it says nothing, as old servers and other files do."""
    if stated == "stop" or not stated:  # nearly always
        return "stop" if stated else None
    word = stated.partition(":")[0].strip().lower().replace("-", "_").removeprefix("finish_reason_")
    if word in _STOP:
        return "stop"
    if word in _LENGTH:
        return "length"
    return "content_filter" if word in _FILTER else "broken_off"


def unfinished(stated: str | None) -> str | None:
    """Why an answer with this finish reason gives no result, in a few words; None where it came to its end."""
    match read_finish_reason(stated):
        case "length":
            return "cut off at the token limit"
        case "content_filter":
            return "cut off by the content filter"
        case "broken_off":
            return f"not finished: {stated}"
        case _:
            return None
