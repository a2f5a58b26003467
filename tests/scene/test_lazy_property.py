"""`lazy_property` against `functools.cached_property`."""

from dataclasses import dataclass

from lightning_rast.scene.lazy_property import lazy_property


@dataclass(frozen=True)
class Counted:
    calls: list[int]

    @lazy_property
    def value(self) -> int:
        """What it is."""
        self.calls.append(1)
        return len(self.calls)


def test_a_value_is_computed_once_for_each_object():
    one, two = Counted([]), Counted([7])
    assert (one.value, one.value, two.value, two.value) == (1, 1, 2, 2)


def test_it_keeps_the_docstring():
    assert Counted.value.__doc__ == "What it is."
