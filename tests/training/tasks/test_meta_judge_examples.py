"""What a meta-judge learns from: recorded judgments and what was said of them, and what of that is left out."""

from collections import Counter
from collections.abc import Iterable
from pathlib import Path

import pytest

from ralign.errors import BadRow, InputError
from ralign.files import encode, find_pairs_files, write_pairs
from ralign.judging import Prompt
from ralign.metajudging import META_PROMPT, ChatMetaJudge
from ralign.models import Sampling, ScriptedModel
from ralign.records import Failure, Judgment, Message, MetaJudgment, Order, PreferencePair, Verdict
from ralign.training.examples import TrainingData
from ralign.training.tasks.meta_judge_examples import Decisions, is_held_out, load_meta_examples

CORRECT = "POINT: A names the pier | STATED: yes\nVERDICT: Correct"
INCORRECT = "POINT: A names the pier | STATED: no\nVERDICT: Incorrect"
PROMPT = Prompt.load(None, META_PROMPT)


def pair(name: str, *, label: Verdict = "A", gold: str | None = "A names the pier.") -> PreferencePair:
    return PreferencePair(
        id=name,
        conversation=(Message(role="user", content=f"Where does ferry {name} leave?"),),
        response_a="From the north pier.",
        response_b="From the harbour.",
        label=label,
        gold_judgment=gold,
        benchmark="ferries",
        source={"benchmark": "ferries"},
    )


def judged(name: str, *, order: Order = "ab", draw: int = 0, verdict: Verdict | None = "A") -> Judgment:
    return Judgment(
        pair_id=name,
        benchmark="ferries",
        order=order,
        draw=draw,
        rationale=f"Because {order}{draw}.",
        verdict=verdict,
    )


def said(
    name: str,
    aligned: bool | None,
    *,
    text: str | None = None,
    order: Order = "ab",
    draw: int = 0,
    vote: int = 0,
    failure: Failure | None = None,
    benchmark: str = "ferries",
    finish_reason: str = "stop",
) -> MetaJudgment:
    return MetaJudgment(
        pair_id=name,
        benchmark=benchmark,
        order=order,
        draw=draw,
        vote=vote,
        aligned=aligned,
        text=(CORRECT if aligned else INCORRECT) if text is None else text,
        failure=failure,
        finish_reason=finish_reason,
    )


def load(
    folder: Path,
    pairs: Iterable[PreferencePair],
    judgments: Iterable[Judgment],
    metas: Iterable[MetaJudgment],
    *,
    imitate: bool = True,
    held_out: float = 0.0,
    balance: bool = False,
    seed: int = 0,
) -> TrainingData:
    write_pairs(folder / "pairs.jsonl", pairs)
    (folder / "judgments.jsonl").write_bytes(b"".join(encode(each) + b"\n" for each in judgments))
    (folder / "said.jsonl").write_bytes(b"".join(encode(each) + b"\n" for each in metas))
    return load_meta_examples(
        find_pairs_files([str(folder / "pairs.jsonl")]),
        Decisions(judgments=folder / "judgments.jsonl", said=folder / "said.jsonl", imitate=imitate),
        PROMPT,
        held_out=held_out,
        balance=balance,
        seed=seed,
    )


def why(data: TrainingData) -> dict[str, str]:
    return {each.pair_id: each.why for each in data.left_out}


async def test_the_prompt_is_the_one_that_a_meta_judge_is_asked_with(tmp_path: Path) -> None:
    """Letter for letter, in the order in which the judge saw the answers."""
    judgment = judged("gull", order="ba", draw=1)
    data = load(tmp_path, [pair("gull")], [judgment], [said("gull", True, order="ba", draw=1)])
    model = ScriptedModel([CORRECT])
    await ChatMetaJudge(model=model, prompt=PROMPT, sampling=Sampling()).meta_judge(pair("gull"), judgment, 0)
    (example,) = data.examples
    assert example.prompt == tuple(model.calls[0].messages)
    assert (example.order, example.target, example.decision) == ("ba", CORRECT, True)


def test_labels_give_decisions_without_words(tmp_path: Path) -> None:
    """A file of people's labels names no benchmark and holds no text."""
    labels = [said("gull", False, text="", benchmark="")]
    (example,) = load(tmp_path, [pair("gull")], [judged("gull")], labels, imitate=False).examples
    assert example.target is None
    assert example.decision is False


@pytest.mark.parametrize(
    ("meta", "reason"),
    [
        (said("gull", None, text="", failure="call"), "the meta-judge failed (call)"),
        (said("gull", None, text="Hm.", failure="parse"), "the meta-judge failed (parse)"),
        (
            said("gull", True, text=INCORRECT),
            "the meta-judge's answer does not parse to its recorded decision",
        ),
        (said("gull", True, text="Fine."), "the meta-judge's answer does not parse to its recorded decision"),
        (
            said("gull", True, finish_reason="length"),
            "the meta-judge's answer does not parse to its recorded decision",
        ),
        (said("gull", True, text=""), "the meta-judge's answer is not recorded"),
        (said("tern", True), "nothing was said of any judgment of it"),
        (said("gull", True, draw=3), "no such judgment is recorded"),
    ],
)
def test_what_cannot_be_learned_from_is_left_out_and_says_why(
    tmp_path: Path, meta: MetaJudgment, reason: str
) -> None:
    """A failure is no decision."""
    data = load(tmp_path, [pair("gull")], [judged("gull")], [meta])
    assert not data.examples
    assert why(data) == {"gull": reason}


def test_only_right_verdicts_with_a_gold_rationale_are_learned_from(tmp_path: Path) -> None:
    data = load(
        tmp_path,
        [pair("gull"), pair("tern", gold=None), pair("auk")],
        [judged("gull", verdict="B"), judged("tern"), judged("auk")],
        [said("gull", True), said("tern", True), said("auk", True)],
    )
    assert [example.pair.id for example in data.examples] == ["auk"]
    assert set(why(data)) == {"gull", "tern"}


def test_of_several_votes_the_first_of_the_majority_is_imitated(tmp_path: Path) -> None:
    votes = [
        said("gull", False, vote=0),
        said("gull", True, text=f"First. {CORRECT}", vote=1),
        said("gull", True, text=f"Second. {CORRECT}", vote=2),
    ]
    (example,) = load(tmp_path, [pair("gull")], [judged("gull")], votes).examples
    assert example.target == f"First. {CORRECT}"
    assert why(load(tmp_path, [pair("gull")], [judged("gull")], votes[:2])) == {"gull": "the votes are even"}


def test_a_line_written_again_takes_the_place_of_the_first(tmp_path: Path) -> None:
    """A run that was taken up appends what had failed."""
    metas = [said("gull", None, text="", failure="call"), said("gull", False)]
    (example,) = load(tmp_path, [pair("gull")], [judged("gull")], metas).examples
    assert example.decision is False


def many(count: int) -> tuple[list[PreferencePair], list[Judgment], list[MetaJudgment]]:
    """Both orders of each pair; three in four aligned."""
    names = [f"ferry-{number}" for number in range(count)]
    both: tuple[Order, Order] = ("ab", "ba")
    return (
        [pair(name) for name in names],
        [judged(name, order=order) for name in names for order in both],
        [said(name, number % 4 != 0, order=order) for number, name in enumerate(names) for order in both],
    )


def test_both_orders_of_a_held_out_pair_are_held_out_whatever_the_seed(tmp_path: Path) -> None:
    pairs, judgments, metas = many(400)
    first = load(tmp_path, pairs, judgments, metas, held_out=0.2)
    again = load(tmp_path, pairs, judgments, metas, held_out=0.2, seed=7)
    assert first.held_out == again.held_out
    assert len(first.held_out) == pytest.approx(80, abs=25)
    trained = Counter(example.pair.id for example in first.examples)
    assert set(trained.values()) == {2}
    assert trained.keys().isdisjoint(each.id for each in first.held_out)
    assert all(is_held_out(each, 0.2) for each in first.held_out)


def test_balanced_decisions_are_equally_many_and_drawn_by_the_seed(tmp_path: Path) -> None:
    pairs, judgments, metas = many(40)
    first, other = (load(tmp_path, pairs, judgments, metas, balance=True, seed=seed) for seed in (0, 1))
    assert Counter(example.decision for example in first.examples) == {True: 20, False: 20}
    assert first.examples != other.examples
    assert sum("of this decision" in each.why for each in first.left_out) == 40


def test_one_decision_alone_cannot_be_balanced(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="every decision that can be used is Correct"):
        load(tmp_path, [pair("gull")], [judged("gull")], [said("gull", True)], balance=True)


def test_another_answer_is_another_digest(tmp_path: Path) -> None:
    """So that a run directory is refused when what is imitated has changed."""
    digests = {
        load(tmp_path, [pair("gull")], [judged("gull")], [said("gull", True, text=text)]).digest
        for text in (CORRECT, f"Well. {CORRECT}")
    }
    assert len(digests) == 2


def test_a_missing_file_and_a_bad_line_are_named(tmp_path: Path) -> None:
    load(tmp_path, [pair("gull")], [judged("gull")], [said("gull", True)])
    (tmp_path / "said.jsonl").write_text('{"pair_id": "gull", "aligned": "yes"}\n')
    files = find_pairs_files([str(tmp_path / "pairs.jsonl")])
    for said_path, error, match in (
        ("said.jsonl", BadRow, r"said.jsonl:1: aligned is 'yes'"),
        ("none.jsonl", InputError, "none.jsonl: no such file"),
    ):
        decisions = Decisions(judgments=tmp_path / "judgments.jsonl", said=tmp_path / said_path, imitate=True)
        with pytest.raises(error, match=match):
            load_meta_examples(files, decisions, PROMPT, held_out=0.0, balance=False, seed=0)
