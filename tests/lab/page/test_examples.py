from dataclasses import replace

import pytest
import torch

from ralign.files import encode, write_pairs, write_scores
from ralign.lab.config import LabConfig, ModelConfig, preset_path, read_recipe
from ralign.lab.meta_judge import swapped
from ralign.lab.model import GPT, save
from ralign.lab.page.annotated_pair import Claim, Reading, Scene, words_of
from ralign.lab.page.examples import Example, attempts, choose, find_examples
from ralign.lab.records import benchmark_name, to_records, verdict_of
from ralign.lab.tokenizer import CRITIQUE, RATIONALE
from ralign.lab.vocabulary import FACTORS, FIRST_FACTOR, ID, WORDS
from ralign.lab.world import world_of
from ralign.records import Judgment, Score


def config(**changes) -> LabConfig:
    return replace(
        read_recipe(preset_path("graded")), model=ModelConfig(width=16, layers=1, heads=2), **changes
    )


@pytest.fixture
def pairs(generator):
    return world_of(config()).pairs(60, (0.5, 0.5, 0.5, 0.5), generator)


def lie(gold):
    """The right verdict, on accuracy: the better answer right, the other wrong, whatever is true."""
    right, wrong = ID["right"], ID["wrong"]
    lying = gold.clone()
    for row in lying:
        first = verdict_of(int(row[7])) == "A"
        row[0], row[3] = (right, wrong) if first else (wrong, right)
        row[6] = FIRST_FACTOR
    return lying


def record(folder, arm, pairs, critiques, aligned, order="ab"):
    """A judge's run directory, as the benchmark leaves it."""
    bench = folder / arm / "bench"
    bench.mkdir(parents=True)
    benchmark = benchmark_name("train")
    judgments, scores = [], []
    for pair, critique, fits in zip(pairs, critiques.tolist(), aligned, strict=True):
        judgments.append(
            Judgment(
                pair_id=pair.id,
                benchmark=benchmark,
                order=order,
                text=CRITIQUE.write(critique),
                rationale=RATIONALE.write(critique[:-1]),
                verdict=pair.label,
            )
        )
        scores.append(
            Score(
                pair_id=pair.id,
                benchmark=benchmark,
                subset=pair.subset,
                prompt=len(scores),
                order=order,
                draw=0,
                label=pair.label,
                answered=True,
                verdict=pair.label,
                aligned=fits,
                meta_failed=False,
            )
        )
    (bench / "judgments.jsonl").write_bytes(b"".join(encode(each) + b"\n" for each in judgments))
    write_scores(bench / "scores.jsonl", scores)


def run_of(folder, pairs, order="ab"):
    """A liar beside a judge that says what gold says."""
    records = to_records(pairs, "train")
    (folder / "pairs").mkdir()
    write_pairs(folder / "pairs" / "train.jsonl", records)
    turn = swapped if order == "ba" else torch.Tensor.clone
    lying, gold = turn(lie(pairs.gold)), turn(pairs.gold)
    truthful = (lie(pairs.gold) == pairs.gold).all(1).tolist()
    record(folder, "liar", records, lying, truthful, order)
    record(folder, "honest", records, gold, [True] * len(records), order)


@pytest.mark.parametrize("order", ["ab", "ba"])
def test_lies_are_found_and_told_with_the_truth(tmp_path, pairs, order):
    run_of(tmp_path, pairs, order)
    lab = config()
    found = find_examples(
        tmp_path,
        replace(lab, benchmark=replace(lab.benchmark, orders=order)),
        of="liar",
        beside="honest",
    )
    assert found.right == 60
    # A lie is one where accuracy does not decide: both are right, or both are wrong.
    undecided = int((pairs.gold[:, 6] != FIRST_FACTOR).sum())
    assert found.invented == found.spurious == len(found.examples) == undecided
    for example in found.examples:
        assert example.invented.coherent
        assert example.invented.invented == len(example.truth) == 1
        assert example.gold.invented == example.honest.false == 0
        assert example.gold.verdict == example.invented.verdict == example.honest.verdict
        side = example.truth[0][0]
        claim = example.invented.claims["AB".index(side)][0]
        wrong = "wrong" if claim.text == "right" else "right"
        assert example.truth[0].startswith(f"{side} is {wrong}: ")


def test_text_that_is_no_judgment_is_left_out(tmp_path, pairs):
    run_of(tmp_path, pairs)
    log = tmp_path / "liar" / "bench" / "judgments.jsonl"
    log.write_text(log.read_text().replace("Decisive", "<script>"))
    assert find_examples(tmp_path, config(), of="liar", beside="honest")[1:] == (0, 0, ())


def example(number, domain, gold, invented):
    def reading(factor, true=True):
        sides = [(Claim(word, granted, true, True),) for word, granted in (("right", True), ("wrong", False))]
        return Reading(claims=(sides[0], sides[1]), factor=factor, verdict="A")

    return Example(
        seed=0,
        pair_id=f"train-{number}",
        domain=domain,
        question="",
        answers=((), ()),
        gold=reading(gold),
        invented=reading(invented, true=False),
        honest=reading(gold),
        truth=(),
    )


def test_the_choice_is_varied_and_does_not_hang_on_the_order():
    many = [example(number, "town", "instruction", "accuracy") for number in range(5)]
    few = [example(7, "fruit", "accuracy", "tone"), example(8, "colour", "completeness", "accuracy")]
    chosen = choose([*many, *few], 3)
    assert {each.domain for each in chosen} == {"town", "fruit", "colour"}
    assert choose([*reversed([*many, *few])], 3) == chosen
    assert chosen[0].invented.factor == "accuracy"


def test_no_more_are_chosen_than_there_are():
    assert choose([], 3) == []
    assert len(choose([example(1, "town", "instruction", "accuracy")], 3)) == 1


def test_words_are_marked_as_the_world_counts_them(world, generator):
    pairs = world.pairs(200, (0.5, 0.5, 0.5, 0.5), generator)
    right, second = world.truth(pairs.question)
    traits = world.traits(pairs.question, pairs.answer_a)
    for row in range(200):
        words = words_of(
            pairs.answer_a[row].tolist(), pairs.question[row].tolist(), int(right[row]), int(second[row])
        )
        good = {word.text for word in words if word.kind == "right"}
        assert (WORDS[int(right[row])] in good) == bool(traits[row, 0])
        assert (WORDS[int(pairs.question[row, 3])] in good) == bool(traits[row, 1])
        assert (WORDS[int(second[row])] in good) == bool(traits[row, 2])


def test_every_lie_has_a_truth_in_words(world, generator):
    pairs = world.pairs(25, (0.5, 0.5, 0.5, 0.5), generator)
    for pair, true in zip(to_records(pairs, "train"), pairs.gold, strict=True):
        [scene] = Scene.of([pair], "ab", world)
        for factor in range(len(FACTORS)):
            # all that can be said of A about this factor, one of which is false
            for claim in (ID["wrong"] + 2 * factor, ID["wrong"] + 2 * factor + 1):
                critique = [claim, *true[1:6].tolist(), FIRST_FACTOR + factor, int(true[7])]
                told = [words for words in scene.truths(critique) if words.startswith("A ")]
                assert len(told) == sum(
                    each.cited and not each.true for each in scene.read(critique).claims[0][:1]
                )


def test_every_policy_that_is_there_answers_a_question_of_each_domain(tmp_path, generator):
    lab = config()
    model = GPT(lab.model, generator)
    save(model, tmp_path / "base.pt")
    save(model, tmp_path / "r-align" / "policy-0.pt")
    tried = attempts(tmp_path, lab)
    assert len(tried) == 4
    assert [each.question.split()[1] for each in tried] == ["town", "animal", "fruit", "colour"]
    assert all(list(each.answers) == ["", "r-align"] for each in tried)
    # the same weights and the same draws: the same answers
    assert all(each.answers[""] == each.answers["r-align"] for each in tried)


def test_without_weights_nobody_answers(tmp_path):
    assert all(not each.answers for each in attempts(tmp_path, config()))
