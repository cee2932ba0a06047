"""The values of a factor, and their names."""

from collections.abc import Iterable, Mapping, Sequence


def name_values(values: Iterable[int], names: Sequence[str]) -> dict[int, str]:
    """Return values with their names; where there are none, they are called by their numbers."""
    return {value: names[value] if names else str(value) for value in values}


def find_value(which: int | str, values: Mapping[int, str]) -> int:
    """Return the value of a name or, where no name is like that, of a number.

    Raises:
        ValueError: there is neither; it names those that there are.
    """
    numbers = {str(value): value for value in values}
    names = {name: value for value, name in values.items()}
    found = (numbers | names).get(str(which))
    if found is None:
        raise ValueError(f"no {which!r}: there are {', '.join(names)}")
    return found
