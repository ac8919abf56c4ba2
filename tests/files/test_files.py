import ralign.files


def test_every_public_name_is_there_and_the_list_is_sorted():
    assert sorted(ralign.files.__all__) == ralign.files.__all__
    missing = [name for name in ralign.files.__all__ if not hasattr(ralign.files, name)]
    assert missing == []


def test_nothing_that_the_package_imports_by_name_is_left_off_the_list():
    own = {
        name
        for name, value in vars(ralign.files).items()
        if getattr(value, "__module__", "").startswith("ralign.files.")
    }
    assert own == set(ralign.files.__all__)
