"""Judgment + gold rationale -> MetaJudgment: the prompt, the parser, the meta-judges."""

from ralign.metajudging.meta_judge import (
    META_PROMPT,
    SWAPPED_NOTE,
    ChatMetaJudge,
    MetaJudge,
    MetaJudgeCalls,
    ParsedMetaJudgment,
    majority,
    meta_prompt_values,
    parse_meta_judgment,
    says_nothing,
)
from ralign.metajudging.recorded import RecordedMetaJudge

__all__ = [
    "META_PROMPT",
    "SWAPPED_NOTE",
    "ChatMetaJudge",
    "MetaJudge",
    "MetaJudgeCalls",
    "ParsedMetaJudgment",
    "RecordedMetaJudge",
    "majority",
    "meta_prompt_values",
    "parse_meta_judgment",
    "says_nothing",
]
