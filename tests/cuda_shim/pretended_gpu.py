"""A GPU for what needs one: `python -m pytest -p tests.cuda_shim.pretended_gpu ...`.

Code that is written for a GPU meets its names, arguments and shapes here before it meets one.
Tensors that are made on or moved to "cuda" carry a mark and stay on the CPU; what operators make
of marked ones is marked as well, and ours run their CUDA side, with the kernels compiled for the
CPU by the shim. Streams and events do nothing. Graphs repeat what was captured, and what would make
the host wait raises where a GPU would not have it (pretended_graphs.py).
"""

import contextlib
import ctypes
import functools
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, TypeGuard

import torch
from torch import Tensor
from torch.overrides import TorchFunctionMode
from torch.utils._pytree import tree_leaves

from tests.cuda_shim.pretended_graphs import Graph, HostWatch

_OPERATORS = ("contour", "antialias", "interpolate", "rasterize")
_OPERATORS = (*_OPERATORS, "soft_coverage", "soft_colors", "thin_parts", "transform")
_GPU = torch.device("cuda", 0)
_DEVICE, _IS_CUDA, _IS_CPU = (
    vars(torch._C.TensorBase)[name].__get__ for name in ("device", "is_cuda", "is_cpu")
)


def _is_marked(value: object) -> bool:
    return _is_strided(value) and getattr(value.untyped_storage(), "on_gpu", False)


def _is_strided(value: object) -> TypeGuard[Tensor]:
    return isinstance(value, Tensor) and value.layout == torch.strided


def _mark(result: Any) -> Any:
    for tensor in tree_leaves(result):
        if _is_strided(tensor):
            setattr(tensor.untyped_storage(), "on_gpu", True)  # noqa: B010, no attribute it knows
    return result


def _is_gpu(device: object) -> bool:
    return isinstance(device, (str, torch.device)) and str(device).startswith("cuda")


_watch = HostWatch(_is_marked, _mark)
# Values from the host; what else makes a tensor is done by the GPU itself.
_FROM_HOST = (torch.tensor, torch.as_tensor, torch.asarray, torch.from_numpy)


class _Pretence(TorchFunctionMode):
    def __torch_function__(self, func, types, args=(), kwargs=None) -> Any:
        kwargs = dict(kwargs or {})
        kwargs.pop("pin_memory", None)
        if func == Tensor.untyped_storage:
            return func(*args, **kwargs)
        marked = any(_is_marked(value) for value in tree_leaves((args, kwargs)))
        if func == _DEVICE:
            return _GPU if marked else func(*args)
        if func in (_IS_CUDA, _IS_CPU):
            return marked == (func == _IS_CUDA)
        if func in (Tensor.cpu, Tensor.numpy, Tensor.tolist) and marked:
            _watch.refuse(func.__name__)
            return args[0].clone() if func == Tensor.cpu else func(*args, **kwargs)
        to_gpu = any(map(_is_gpu, (*args[1:], *kwargs.values())))
        if (to_gpu and func in _FROM_HOST) or (func == Tensor.new_tensor and _is_marked(args[0])):
            _watch.refuse(func.__name__)
        if func == Tensor.cuda or (func == Tensor.to and to_gpu):
            if not _is_marked(args[0]):
                _watch.refuse("a copy to the GPU")
            others = [value for value in args[1:] if func == Tensor.to and not _is_gpu(value)]
            kwargs.pop("device", None)
            return _mark(args[0].to(*others, **kwargs).clone())
        if _is_gpu(kwargs.get("device")):
            marked, kwargs["device"] = True, "cpu"
        result = func(*args, **kwargs)
        return _mark(result) if marked and func != Tensor.backward else result


@functools.cache
def _kernels() -> ctypes.CDLL:
    """All kernels, compiled once per state of sources and compiler: it takes a minute."""
    from tests.cuda_shim.build import kept_folder
    from tests.cuda_shim.on_the_cpu import CSRC, kernels_of

    flags = ("-Wno-unknown-pragmas",)
    folder = kept_folder(CSRC.rglob("*.*"), *flags)
    library = folder / f"{_OPERATORS[-1]}.so"
    if library.is_file():
        return ctypes.CDLL(str(library))
    folder.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=folder) as made:
        kernels = kernels_of(*_OPERATORS, folder=Path(made), flags=flags, watched=False)
        # In one step: another process never loads half a library.
        (Path(made) / library.name).replace(library)
    return kernels


def _route_operators() -> None:
    """Has our operators choose by marks; before the package registers any."""
    kernels: dict[str, Callable] = {}
    register = torch.library.Library.impl

    def impl(self, name: str, function: Callable, key: str = "", **keywords: Any) -> None:
        if self.ns != "lightning_rast" or key not in ("CPU", "CUDA"):
            return register(self, name, function, key, **keywords)
        kernels[key + name] = function
        if key == "CUDA":
            return register(self, name, function, key, **keywords)

        @functools.wraps(function)
        def either(*args: Any, **kwargs: Any) -> Any:
            if any(_is_marked(value) for value in tree_leaves((args, kwargs))):
                if name.endswith(("_vjp", "_backward")):
                    _mark((args, kwargs))  # what torch's own backward passes have made has no mark
                with _Pretence():  # left while it handles a call, or a backward pass is running
                    return _mark(kernels["CUDA" + name](*args, **kwargs))
            return function(*args, **kwargs)

        return register(self, name, either, key, **keywords)

    torch.library.Library.impl = impl  # pyright: ignore[reportAttributeAccessIssue]


class _Nothing:
    """A stream or an event."""

    cuda_stream = 0

    def __init__(self, *_: object, **__: object) -> None:
        self._when = 0.0

    def record(self) -> None:
        self._when = time.perf_counter()

    def elapsed_time(self, end: "_Nothing") -> float:
        return 1e3 * (end._when - self._when)

    def synchronize(self) -> None: ...
    def wait_stream(self, _: object) -> None: ...


@contextlib.contextmanager
def _entered(*_: object) -> Iterator[None]:
    yield


def install() -> None:
    """Pretend from here on, in this process; before lightning_rast is imported."""
    _route_operators()
    nothing = {"Stream", "Event", "current_stream"}
    zeros = ("memory_allocated", "max_memory_allocated", "current_device")
    changes: dict[str, Any] = dict.fromkeys(nothing, _Nothing)
    changes |= dict.fromkeys(zeros, lambda *_: 0)
    silent = ("synchronize", "reset_peak_memory_stats")
    changes |= dict.fromkeys(silent, lambda *_: None)
    changes |= {"is_available": lambda: True, "device_count": lambda: 1}
    changes |= {
        "get_device_name": lambda *_: "pretended",
        "get_device_capability": lambda *_: (9, 0),
    }
    changes |= {"stream": _entered, "device": _entered}
    changes |= {"CUDAGraph": Graph, "graph": _watch.graph}
    changes |= {"set_sync_debug_mode": _watch.set_sync_debug_mode}
    for name, change in changes.items():
        setattr(torch.cuda, name, change)
    _Pretence().__enter__()

    from lightning_rast.ops import _cuda_call, _library

    @contextlib.contextmanager
    def on(device: torch.device) -> Iterator[tuple[int, int]]:
        assert device == _GPU, f"launched on {device}"
        yield 0, 0

    _cuda_call.cuda, _cuda_call.on = _kernels, on
    _library.has_cuda = lambda: True


install()
