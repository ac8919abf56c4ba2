"""PreferencePair -> Judgment: the prompt, the parser, the judges."""

from ralign.judging.judge import (
    JUDGE_PROMPT,
    ChatJudge,
    Judge,
    JudgeCalls,
    call_seed,
    in_pair_letters,
    judge_prompt,
    read_judgment,
    shown_responses,
)
from ralign.judging.parse import ParsedJudgment, UpToVerdict, parse_verdict, unread_reason, up_to_verdict
from ralign.judging.prompt import Prompt, PromptKind
from ralign.judging.recorded import RecordedAnswers, RecordedJudge, RecordedLetters
from ralign.judging.verdicts import BOXED, FORMATS, VerdictFormat, suggested_flag, verdict_format

__all__ = [
    "BOXED",
    "FORMATS",
    "JUDGE_PROMPT",
    "ChatJudge",
    "Judge",
    "JudgeCalls",
    "ParsedJudgment",
    "Prompt",
    "PromptKind",
    "RecordedAnswers",
    "RecordedJudge",
    "RecordedLetters",
    "UpToVerdict",
    "VerdictFormat",
    "call_seed",
    "in_pair_letters",
    "judge_prompt",
    "parse_verdict",
    "read_judgment",
    "shown_responses",
    "suggested_flag",
    "unread_reason",
    "up_to_verdict",
    "verdict_format",
]
