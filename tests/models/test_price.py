import pytest

from ralign.errors import InputError
from ralign.models.model import parse_prices
from ralign.records import Usage


def test_money_is_per_million_tokens() -> None:
    price = parse_prices(["openai/gpt=0.25/2"])["openai/gpt"]
    assert price.of(Usage(prompt_tokens=2_000_000, completion_tokens=500_000)) == pytest.approx(1.5)


@pytest.mark.parametrize("flag", ["m", "m=1", "m=1/2/3", "m=a/b", "=1/2", "m=-1/2"])
def test_a_price_that_is_none_is_refused(flag: str) -> None:
    with pytest.raises(InputError, match="expected MODEL=INPUT/OUTPUT"):
        parse_prices([flag])
