import pytest

from voxcycle.images.labels import find_value, name_values


def test_values_are_found_by_name_and_by_number() -> None:
    values = {0: "cats", 1: "2", 2: "dogs"}
    assert [find_value(x, values) for x in ("cats", "dogs", "2", 2, 0, "1")] == [0, 2, 1, 1, 0, 1]
    with pytest.raises(ValueError, match="no 'birds': there are cats, 2, dogs"):
        find_value("birds", values)


def test_values_without_names_go_by_their_numbers() -> None:
    assert name_values([0, 7], ()) == {0: "0", 7: "7"}
    assert name_values([1], ("cats", "dogs")) == {1: "dogs"}
