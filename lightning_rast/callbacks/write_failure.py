"""What happens when the disk refuses what a callback writes."""

import functools
import warnings
from collections.abc import Callable
from typing import ParamSpec

Arguments = ParamSpec("Arguments")


class WriteWarning(UserWarning):
    """Something that shows a run could not be written; the run itself goes on."""


def outlives_write_failure(write: Callable[Arguments, None]) -> Callable[Arguments, None]:
    """Turns the OSError of a method that writes into a warning: a picture, an event or an export
    that is missing is no reason to lose a training. Python shows equal warnings once."""

    @functools.wraps(write)
    def attempt(*args: Arguments.args, **kwargs: Arguments.kwargs) -> None:
        try:
            write(*args, **kwargs)
        except OSError as error:
            warn_of_write_failure(error)

    return attempt


def warn_of_write_failure(error: OSError) -> None:
    # Without a stack level: warnings that seem to come from Lightning are silenced.
    warnings.warn(  # noqa: B028
        f"{error}: a part of the run's events, pictures or files is missing; training goes on",
        WriteWarning,
    )
