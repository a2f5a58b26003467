"""Values that are computed when they are first asked for, also while torch.compile traces."""

from collections.abc import Callable
from typing import Any, Generic, TypeVar, overload

Value = TypeVar("Value")


class lazy_property(Generic[Value]):  # noqa: N801, used as a decorator
    """`functools.cached_property` as it is from Python 3.12 on: without a lock.

    torch.compile cannot trace the lock of older ones. Two threads may both compute the value; one
    is kept.
    """

    def __init__(self, function: Callable[[Any], Value]) -> None:
        self._function = function
        self.__doc__ = function.__doc__

    def __set_name__(self, owner: type, name: str) -> None:
        self._name = name

    @overload
    def __get__(self, instance: None, owner: type) -> "lazy_property[Value]": ...

    @overload
    def __get__(self, instance: object, owner: type) -> Value: ...

    def __get__(self, instance: object | None, owner: type) -> "lazy_property[Value] | Value":
        if instance is None:
            return self
        known = instance.__dict__
        if self._name not in known:
            known[self._name] = self._function(instance)
        return known[self._name]
