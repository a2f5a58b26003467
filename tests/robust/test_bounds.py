"""What stops a reader is its own work, or that it never ends; not how busy the machine is."""

import itertools
import signal
import time

import pytest

from tests.robust.bounds import TooSlowError, bounded_time


def test_who_computes_for_too_long_is_stopped():
    with pytest.raises(TooSlowError, match="computed"), bounded_time(0.05):
        for _ in itertools.count():
            pass


def test_who_waits_for_the_machine_has_not_computed():
    with bounded_time(0.05):
        time.sleep(0.2)


def test_who_waits_for_ever_is_stopped():
    with pytest.raises(TooSlowError, match="was not done"), bounded_time(patience=0.05):
        time.sleep(60)


def test_afterwards_nothing_is_bounded():
    before = signal.getsignal(signal.SIGPROF), signal.getsignal(signal.SIGALRM)
    with bounded_time(0.05, patience=0.1):
        pass
    end = time.process_time() + 0.1
    while time.process_time() < end:
        pass
    time.sleep(0.1)
    assert (signal.getsignal(signal.SIGPROF), signal.getsignal(signal.SIGALRM)) == before
