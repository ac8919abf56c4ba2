"""What a run will take, counted by hand on five numbers."""

from pathlib import Path

import pytest
from tests.runs.seventh_command import BuoyCalls, BuoyPlan, Said

from ralign.models import ModelSpec
from ralign.models.price import Price
from ralign.records import Usage
from ralign.runs.forecast import Forecast, forecast, forecast_lines
from ralign.runs.plan import Ask, Live

# `Buoy 0: ` has 8 characters, as has every other prompt to a writer that answers nothing.
PROMPT = 8


def live(name: str) -> Live:
    return Live(ModelSpec(name=name, url=None, key_variable="KEY"), BuoyCalls())


async def recorded(number: int, said: str = "") -> Said:
    return Said(number=number, text="from a file")


def a_plan(folder: Path, writer: Live | Ask | None = None) -> BuoyPlan:
    return BuoyPlan(folder, 5, live("writer") if writer is None else writer, live("checker"))


def test_at_least_and_at_most_by_role_with_tokens_and_money(tmp_path: Path) -> None:
    found = forecast(a_plan(tmp_path), {"writer": Price(input=1e6, output=1e5)}, 30)
    tokens = Usage(prompt_tokens=5 * PROMPT // 4, completion_tokens=150)
    assert found["writer"].least == found["writer"].most == Forecast(5, tokens, 10 + 15)
    assert found["checker"].least == Forecast(0, Usage(), None)
    assert found["checker"].most == Forecast(5, tokens, None)


def test_what_is_recorded_is_not_counted_again_and_what_it_said_is_in_the_next_prompt(tmp_path: Path) -> None:
    plan = a_plan(tmp_path)
    with plan.writer.log as log:
        log.append(Said(number=0, text="x" * 400))
        log.append(Said(number=1, failure="call"))
    again = a_plan(tmp_path)
    again.writer.log.load()
    found = forecast(again, {}, 30)
    assert found["writer"].least.calls == 4
    assert (found["checker"].least.calls, found["checker"].most.calls) == (1, 5)
    assert found["checker"].least.usage.prompt_tokens == (PROMPT + 400) // 4


def test_a_recorded_role_takes_no_call(tmp_path: Path) -> None:
    assert list(forecast(a_plan(tmp_path, recorded), {}, 30)) == ["checker"]


def test_a_call_that_is_answered_without_asking_is_not_counted(tmp_path: Path) -> None:
    class Sometimes(BuoyCalls):
        def request(self, number: int, *said: str):
            return Said(number=number, text="even") if number % 2 == 0 else super().request(number, *said)

    spec = ModelSpec(name="writer", url=None, key_variable="KEY")
    assert forecast(a_plan(tmp_path, Live(spec, Sometimes())), {}, 30)["writer"].least.calls == 2


@pytest.mark.parametrize(
    ("price", "money"), [({}, ""), ({"checker": Price(input=0, output=2e5)}, ", 0.00 to 30.00 in money")]
)
def test_people_read_one_line_a_role(tmp_path: Path, price: dict[str, Price], money: str) -> None:
    lines = list(forecast_lines(forecast(a_plan(tmp_path), price, 30), 30))
    assert lines[0] == "writer: 5 calls, about 10 tokens in and 150 out"
    assert lines[1] == f"checker: 0 to 5 calls, about 0 to 10 tokens in and 0 to 150 out{money}"
    assert "30 tokens an answer" in lines[-1]
    assert lines[-1].endswith("Nothing was called.")
