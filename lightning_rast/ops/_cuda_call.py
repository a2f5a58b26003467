"""What every operator's CUDA side shares: entry points, streams and errors of the library."""

import contextlib
import ctypes
import functools
from collections.abc import Callable, Iterator

import torch

from lightning_rast.ops._library import bind, cuda


@functools.cache
def function(name: str, *argtypes: type, restype: type = ctypes.c_int) -> Callable[..., int]:
    """The entry point `name` of the CUDA library."""
    entry = bind(cuda(), name, *argtypes)
    entry.restype = restype  # pyright: ignore[reportFunctionMemberAccess]
    return entry


@contextlib.contextmanager
def on(device: torch.device) -> Iterator[tuple[int, int]]:
    """Number of `device` and handle of torch's stream there, `device` being the current one."""
    # The library has a CUDA runtime of its own; both follow the thread's current context.
    with torch.cuda.device(device):
        yield torch.cuda.current_device(), torch.cuda.current_stream(device).cuda_stream


def launch(
    op: str, name: str, argtypes: tuple[type, ...], device: torch.device, *arguments: object
) -> None:
    """Call an entry point that launches on the current stream; its device and stream come last."""
    with on(device) as (number, stream):
        status = function(name, *argtypes)(*arguments, number, stream)
    if status != 0:
        text = function("lrast_cuda_error_text", ctypes.c_int32, restype=ctypes.c_char_p)(status)
        raise RuntimeError(f"{op}: CUDA error {status}: {bytes(text).decode()}")
