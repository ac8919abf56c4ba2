"""PreferencePair -> Judgment: the prompt, the parser, the judges."""

from ralign.judging.judge import (
    JUDGE_PROMPT,
    ChatJudge,
    Judge,
    JudgeCalls,
    call_seed,
    in_pair_letters,
    read_judgment,
    shown_responses,
)
from ralign.judging.parse import ParsedJudgment, UpToVerdict, parse_verdict, up_to_verdict
from ralign.judging.prompt import Prompt, PromptKind
from ralign.judging.recorded import RecordedAnswers, RecordedJudge, RecordedLetters

__all__ = [
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
    "call_seed",
    "in_pair_letters",
    "parse_verdict",
    "read_judgment",
    "shown_responses",
    "up_to_verdict",
]
