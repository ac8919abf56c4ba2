import pytest

from ralign.errors import InputError
from ralign.models.model import parse_prices
from ralign.records import Usage


def test_money_is_per_million_tokens() -> None:
    price = parse_prices(["openai/gpt=0.25/2"])["openai/gpt"]
    assert price.of(Usage(prompt_tokens=2_000_000, completion_tokens=500_000)) == pytest.approx(1.5)


@pytest.mark.parametrize("flag", ["m", "m=1", "m=1/2/3/4", "m=nan/1", "m=1/2/-1", "m=a/b", "=1/2", "m=-1/2"])
def test_a_price_that_is_none_is_refused(flag: str) -> None:
    with pytest.raises(InputError, match="expected MODEL=INPUT/OUTPUT"):
        parse_prices([flag])


def test_what_the_cache_gave_has_a_price_of_its_own() -> None:
    usage = Usage(prompt_tokens=1_000_000, completion_tokens=100_000, cached_tokens=800_000)
    # 0.2 M at 2.50, 0.8 M at 0.25, 0.1 M at 10
    assert parse_prices(["m=2.5/10/0.25"])["m"].of(usage) == pytest.approx(0.5 + 0.2 + 1.0)
    assert parse_prices(["m=2.5/10"])["m"].of(usage) == pytest.approx(2.5 + 1.0)
