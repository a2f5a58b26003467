"""The type checker behind the annotated shapes while tests run."""

import functools
from collections.abc import Callable
from typing import Any

import torch
from beartype import BeartypeConf, beartype

# An int is a float to every type checker.
_CONF = BeartypeConf(is_pep484_tower=True)


def checked(function: Callable[..., Any]) -> Callable[..., Any]:
    """beartype, except while torch.compile traces: it cannot trace beartype's own code."""
    strict = beartype(conf=_CONF)(function)

    @functools.wraps(function)
    def call(*args: Any, **kwargs: Any) -> Any:
        return (function if torch.compiler.is_compiling() else strict)(*args, **kwargs)

    return call
