"""What a pretended GPU refuses, and its graphs: for pretended_gpu.py.

On a GPU some operations make the host wait for its results. They raise here where they would raise
there: in `torch.cuda.set_sync_debug_mode("error")`, and while a graph is captured. A captured graph
holds the operations on the pretended GPU's tensors and repeats them in place, so that whatever
Python did between them is as stale in a replay as it is on a GPU.
"""

import contextlib
from collections.abc import Callable, Iterator
from typing import Any

import torch
from torch import Tensor
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_leaves

_WAITING = {
    *("_local_scalar_dense", "nonzero", "equal", "masked_select", "_unique", "_unique2"),
    *("unique_dim", "unique_consecutive", "bincount", "_linalg_check_errors"),
}
_INDEXING = {"index", "index_put", "index_put_", "_index_put_impl_"}


class HostWaitsError(RuntimeError):
    """What torch raises, in other words."""


def _tensors(value: object) -> list[Tensor]:
    return [leaf for leaf in tree_leaves(value) if isinstance(leaf, Tensor)]


def _makes_host_wait(func: Any, args: tuple) -> bool:
    name = func.name().partition("::")[2]
    base = name.partition(".")[0]
    if base in _INDEXING:  # a mask is turned into places, whose number decides a shape
        return any(index.dtype in (torch.bool, torch.uint8) for index in _tensors(args[1]))
    return base in _WAITING or name == "repeat_interleave.Tensor"


class Watch(TorchDispatchMode):
    """Refuses what makes the host wait, and keeps what is done, if it is to be repeated."""

    def __init__(self, is_marked: Callable[[object], bool], mark: Callable[[Any], Any]) -> None:
        super().__init__()
        self._is_marked, self._mark = is_marked, mark
        self.keeps = False
        self.calls: list[tuple[Any, tuple, dict, Any]] = []

    def __torch_dispatch__(self, func, types, args=(), kwargs=None) -> Any:
        kwargs = kwargs or {}
        tensors = _tensors((args, kwargs))
        marked = any(map(self._is_marked, tensors))
        if marked and _makes_host_wait(func, args):
            raise HostWaitsError(f"{func.name()} makes the host wait for the GPU")
        result = func(*args, **kwargs)
        if marked:
            self._mark(result)
        if self.keeps and (marked or not tensors):
            self.calls.append((func, args, kwargs, result))
        return result


class Graph:
    """A `torch.cuda.CUDAGraph` of operations on the CPU."""

    calls: list[tuple[Any, tuple, dict, Any]]

    def replay(self) -> None:
        with torch.no_grad():
            for func, args, kwargs, result in self.calls:
                again = func(*args, **kwargs)
                for old, new in zip(_tensors(result), _tensors(again), strict=True):
                    if old.layout != torch.strided:
                        continue
                    # All of it: a tape is more than the tensor that stands for it.
                    target, source = old.untyped_storage(), new.untyped_storage()
                    if target.data_ptr() != source.data_ptr():
                        target.copy_(source)


class HostWatch:
    """Which of the two kinds of refusal are on."""

    def __init__(self, is_marked: Callable[[object], bool], mark: Callable[[Any], Any]) -> None:
        self._make = lambda: Watch(is_marked, mark)
        self._debugging: Watch | None = None
        self._capturing = False

    @property
    def is_on(self) -> bool:
        return self._debugging is not None or self._capturing

    def refuse(self, what: str) -> None:
        """Called for a copy between host and GPU."""
        if self.is_on:
            raise HostWaitsError(f"{what} makes the host wait for the GPU")

    def set_sync_debug_mode(self, mode: str) -> None:
        if self._debugging is not None:
            self._debugging.__exit__(None, None, None)
            self._debugging = None
        if mode == "error":
            self._debugging = self._make()
            self._debugging.__enter__()

    @contextlib.contextmanager
    def graph(self, graph: Graph, *_: object, **__: object) -> Iterator[None]:
        watch = self._make()
        watch.keeps = self._capturing = True
        try:
            with watch:
                yield
        finally:
            self._capturing = False
        graph.calls = watch.calls
