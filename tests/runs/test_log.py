"""A run's memory: what was answered is found again by its slot, whatever happened to the process that wrote it."""

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.runs.seventh_command import Said

from ralign.errors import BadRow, InputError
from ralign.files import read_log
from ralign.records import Usage
from ralign.runs.log import Log

SIZE = 5


def slot_of(said: Said) -> int | None:
    """Slots 0 to 4; 5 to 9 are of a run with more; there is nothing else."""
    if said.number >= 2 * SIZE:
        raise InputError(f"number {said.number} is not in this run")
    return said.number if said.number < SIZE else None


def a_log(folder: Path, **options: object) -> Log[Said]:
    return Log(folder / "said.jsonl", Said, slot_of, SIZE, **options)


def written(folder: Path, *records: Said) -> Log[Said]:
    with a_log(folder) as log:
        for record in records:
            log.append(record)
    return log


def loaded(folder: Path, **options: object) -> Log[Said]:
    log = a_log(folder, **options)
    log.load()
    return log


def test_a_record_is_found_again_by_its_slot(tmp_path: Path) -> None:
    written(tmp_path, Said(number=3, text="three"), Said(number=0, text="none"))
    log = loaded(tmp_path)
    with log:
        assert log.get(3) == Said(number=3, text="three")
        assert (3 in log, 1 in log, log.get(1)) == (True, False, None)
        assert [(slot, said.text) for slot, said in log.records()] == [(0, "none"), (3, "three")]
        assert log.answered == 2


def test_a_log_that_is_not_there_yet_holds_nothing(tmp_path: Path) -> None:
    log = loaded(tmp_path)
    assert (log.answered, list(log.records())) == (0, [])
    assert not log.path.exists()


@pytest.mark.parametrize("lost", [1, 2, 12])
def test_a_partial_last_line_is_owed_again_and_cut_off(tmp_path: Path, lost: int) -> None:
    written(tmp_path, Said(number=0, text="none"), Said(number=1, text="one"))
    path = tmp_path / "said.jsonl"
    path.write_bytes(path.read_bytes()[:-lost])
    log = loaded(tmp_path)
    assert (0 in log, 1 in log, log.answered) == (True, False, 1)
    with log:
        log.append(Said(number=1, text="one again"))
        assert log.get(1) == Said(number=1, text="one again")
    assert len(list(read_log(path))) == 2
    assert path.read_bytes().endswith(b"\n")


def test_a_bad_line_that_is_not_the_last_is_damage_and_named(tmp_path: Path) -> None:
    written(tmp_path, Said(number=0, text="none"), Said(number=1, text="one"))
    path = tmp_path / "said.jsonl"
    path.write_bytes(path.read_bytes().replace(b'"text":"none"', b'"text":'))
    with pytest.raises(BadRow, match=r"said\.jsonl:1: not JSON"):
        loaded(tmp_path)


def test_a_call_that_failed_is_owed_again_and_an_unreadable_answer_is_not(tmp_path: Path) -> None:
    written(
        tmp_path,
        Said(number=0, failure="call", detail="no answer in time"),
        Said(number=1, text="Er", failure="parse"),
    )
    log = loaded(tmp_path)
    assert (0 in log, 1 in log, log.answered) == (False, True, 1)


def test_what_could_not_be_read_is_owed_again_where_that_is_wanted(tmp_path: Path) -> None:
    usage = Usage(completion_tokens=5)
    written(tmp_path, Said(number=0, text="none"), Said(number=1, text="Er", failure="parse", usage=usage))
    log = a_log(tmp_path)
    log.load(ask_again="parse")
    assert (0 in log, 1 in log, log.answered, log.usage) == (True, False, 1, usage)


def test_a_record_of_something_that_the_run_does_not_have_is_named_by_file_and_line(tmp_path: Path) -> None:
    written(tmp_path, Said(number=0, text="none"))
    with (tmp_path / "said.jsonl").open("a") as file:
        file.write('{"number": 44, "text": "forty-four"}\n')
    with pytest.raises(InputError, match=r"said\.jsonl:2: number 44 is not in this run"):
        loaded(tmp_path)


def test_a_record_of_a_run_with_more_slots_is_passed_over_and_was_paid_for(tmp_path: Path) -> None:
    written(tmp_path, Said(number=7, text="seven", usage=Usage(prompt_tokens=9)))
    log = loaded(tmp_path)
    assert (log.answered, list(log.records())) == (0, [])
    assert log.usage == Usage(prompt_tokens=9)


def test_what_was_just_appended_is_given_back_without_a_reading(tmp_path: Path) -> None:
    """The loop asks for it at once. The file is gone: it cannot have been read."""
    record = Said(number=2, text="two")
    with a_log(tmp_path) as log:
        log.append(record)
        log.path.unlink()
        assert log.get(2) is record


def test_what_was_appended_before_is_read_back_while_the_log_grows(tmp_path: Path) -> None:
    with a_log(tmp_path) as log:
        for number in range(SIZE):
            log.append(Said(number=number, text=str(number)))
            assert [said.text for _, said in log.records()] == [str(one) for one in range(number + 1)]


def test_of_several_records_of_a_slot_the_last_one_counts(tmp_path: Path) -> None:
    log = written(
        tmp_path,
        Said(number=1, failure="call"),
        Said(number=1, text="one"),
        Said(number=1, text="one again"),
    )
    assert log.answered == 1
    with loaded(tmp_path) as again:
        assert (again.answered, again.get(1).text) == (1, "one again")


def test_tokens_are_of_all_sessions_and_calls_and_failures_of_this_one(tmp_path: Path) -> None:
    usage = Usage(prompt_tokens=3, completion_tokens=2)
    written(tmp_path, Said(number=0, text="none", usage=usage), Said(number=1, failure="call", usage=usage))
    with loaded(tmp_path) as log:
        assert (log.usage, log.calls, dict(log.failures)) == (usage + usage, 0, {})
        log.append(Said(number=1, text="Er", failure="parse", usage=usage))
        log.append(Said(number=2, failure="call"))
    assert (log.usage, log.calls) == (usage + usage + usage, 2)
    assert log.failures == {"parse": 1, "call": 1}


def test_a_plan_is_told_of_every_record_of_its_slots_also_of_failed_calls(tmp_path: Path) -> None:
    records = Said(number=0, failure="call"), Said(number=7, text="seven"), Said(number=4, text="four")
    written(tmp_path, *records)
    told: list[tuple[int, Said]] = []
    with loaded(tmp_path, note=lambda slot, said: told.append((slot, said))) as log:
        log.append(Said(number=0, text="none"))
    assert told == [(0, records[0]), (4, records[2]), (0, Said(number=0, text="none"))]


@given(
    texts=st.lists(st.text(max_size=8), min_size=1, max_size=SIZE),
    cut=st.integers(0, 400),
)
def test_wherever_the_file_ends_what_is_whole_is_there_and_the_rest_is_owed(
    tmp_path_factory: pytest.TempPathFactory, texts: list[str], cut: int
) -> None:
    folder = tmp_path_factory.mktemp("cut")
    written(folder, *(Said(number=number, text=text) for number, text in enumerate(texts)))
    path = folder / "said.jsonl"
    data = path.read_bytes()[:cut]
    path.write_bytes(data)
    whole = data.count(b"\n")
    with loaded(folder) as log:
        assert [said.text for _, said in log.records()] == texts[:whole]
        for number in range(whole, len(texts)):
            log.append(Said(number=number, text=texts[number]))
        assert [said.text for _, said in log.records()] == texts
