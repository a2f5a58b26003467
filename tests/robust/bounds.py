"""Limits that a reader of a small file must stay within."""

import contextlib
import signal
from collections.abc import Iterator

from tests.patience import PATIENCE

try:
    import resource
except ImportError:  # Windows
    resource = None

SECONDS = 5  # of the processor
_MORE_MEMORY = 2**30


class TooSlowError(BaseException):
    """Not an Exception: a reader that turns those into its own must not hide it."""


@contextlib.contextmanager
def bounded_time(seconds: float = SECONDS, patience: float = PATIENCE) -> Iterator[None]:
    """At most so many seconds of computing, however much else the machine does.

    patience: seconds by the clock, for what waits and does not compute: a busy machine may make
        a reader many times slower, but not as slow as that.
    """

    def computes_on(*_: object) -> None:
        raise TooSlowError(f"computed for more than {seconds} s")

    def waits_on(*_: object) -> None:
        raise TooSlowError(f"was not done after {patience} s")

    before = signal.signal(signal.SIGPROF, computes_on), signal.signal(signal.SIGALRM, waits_on)
    # The time of the processor, in the process and in the system for it.
    signal.setitimer(signal.ITIMER_PROF, seconds)
    signal.setitimer(signal.ITIMER_REAL, patience)
    try:
        yield
    finally:
        signal.setitimer(signal.ITIMER_PROF, 0)
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGPROF, before[0])
        signal.signal(signal.SIGALRM, before[1])


@contextlib.contextmanager
def bounded_memory() -> Iterator[None]:
    """At most a GiB more than the process has now; beyond, allocations fail."""
    if resource is None:
        yield
        return
    with open("/proc/self/statm") as file:  # noqa: PTH123
        present = int(file.read().split()[0]) * resource.getpagesize()
    before = resource.getrlimit(resource.RLIMIT_AS)
    resource.setrlimit(resource.RLIMIT_AS, (present + _MORE_MEMORY, before[1]))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_AS, before)
