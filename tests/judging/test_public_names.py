from types import ModuleType

import pytest

import ralign.judging
import ralign.metajudging


@pytest.mark.parametrize("package", [ralign.judging, ralign.metajudging])
def test_all_is_what_the_package_offers(package: ModuleType):
    offered = {
        name
        for name, value in vars(package).items()
        if not name.startswith("_") and not isinstance(value, ModuleType)
    }
    assert offered == set(package.__all__)
    assert len(package.__all__) == len(set(package.__all__))
