"""Limits that a reader of a small file must stay within."""

import contextlib
import signal
from collections.abc import Iterator

try:
    import resource
except ImportError:  # Windows
    resource = None

SECONDS = 5
_MORE_MEMORY = 2**30


class TooSlowError(BaseException):
    """Not an Exception: a reader that turns those into its own must not hide it."""


@contextlib.contextmanager
def bounded_time(seconds: int = SECONDS) -> Iterator[None]:
    def stop(*_: object) -> None:
        raise TooSlowError(f"took longer than {seconds} s")

    before = signal.signal(signal.SIGALRM, stop)
    signal.alarm(seconds)
    try:
        yield
    finally:
        signal.alarm(0)
        signal.signal(signal.SIGALRM, before)


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
