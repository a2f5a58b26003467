"""Inputs whose bits do not depend on how many threads made them."""

from collections.abc import Callable
from typing import TypeVar

import torch

Result = TypeVar("Result")


def on_one_thread(make: Callable[[], Result]) -> Result:
    """What `make` returns: torch may round products and sin() otherwise on several threads."""
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        return make()
    finally:
        torch.set_num_threads(threads)
