"""What every operator shares: its registration with torch and the errors of the C ABI."""

import functools
import os

import torch
from torch import Tensor
from torch.autograd import forward_ad

# Plain registration, not torch.library.custom_op: that one checks inputs for mutation on every
# call, which costs more than a small picture.
OPERATORS = torch.library.Library("lightning_rast", "FRAGMENT")


# Not public: a torch without them gets the ordinary way through the dispatcher.
_num_dispatch_modes = getattr(torch._C, "_len_torch_dispatch_stack", None)
_transforms_are_active = getattr(torch._C, "_are_functorch_transforms_active", None)
_functorch = getattr(torch._C, "_functorch", None)
_has_storage = getattr(torch._C, "_has_storage", None)


def runs_eagerly_on_cpu(tensor: Tensor) -> bool:
    """Whether the dispatcher would do no more with a call than hand it to the CPU kernel.

    False where anyone traces, transforms or intercepts operators, as torch.compile, functorch,
    fake tensors, subclasses and dispatch modes do.
    """
    return (
        not torch.compiler.is_compiling()
        and type(tensor) in (Tensor, torch.nn.Parameter)
        and tensor.is_cpu
        and not tensor.is_neg()  # a view whose sign the dispatcher would write out
        and _num_dispatch_modes is not None
        and _transforms_are_active is not None
        and _num_dispatch_modes() == 0
        and not _in_forward_mode()
        # Batches of gradients (is_grads_batched, vectorize=True) have none, and no other mark.
        and _has_storage is not None
        and _has_storage(tensor)
        and not _transforms_are_active()
    )


def all_run_eagerly_on_cpu(*tensors: Tensor | None) -> bool:
    return all(tensor is None or runs_eagerly_on_cpu(tensor) for tensor in tensors)


def _in_forward_mode() -> bool:
    return getattr(forward_ad, "_current_level", -1) >= 0


def check_is_tensor(op: str, name: str, tensor: object) -> None:
    """Refuse what is neither a tensor nor None."""
    if tensor is not None and not isinstance(tensor, Tensor):
        raise TypeError(
            f"{op}: {name} must be a torch.Tensor, got {type(tensor).__name__}; "
            "torch.as_tensor() makes one"
        )


def check_tensors(op: str, **tensors: object) -> None:
    """Refuse what is no tensor, and derivatives that the operators do not have.

    Torch takes a forward-mode derivative that an operator in Python lacks for zero, without a word,
    and of `torch.func.grad` it says what the author of the operator should have done.
    """
    if torch.compiler.is_compiling():
        return
    for name, tensor in tensors.items():
        check_is_tensor(op, name, tensor)
    is_forward = _in_forward_mode()
    if not is_forward and not (_transforms_are_active and _transforms_are_active()):
        return
    for name, tensor in tensors.items():
        if not isinstance(tensor, Tensor):
            continue
        if is_forward:
            _check_tangent(op, name, tensor)
        if tensor.requires_grad and torch.is_grad_enabled() and _is_wrapped(tensor):
            raise RuntimeError(
                f"{op}: {name} is differentiated by torch.func (grad, vjp, jacrev), which cannot "
                "be done; use backward(), torch.autograd.grad() or "
                "torch.autograd.functional.jacobian()"
            )


def check_gradients(op: str, *grads: Tensor | None) -> None:
    """Refuse forward-mode derivatives of a backward pass, which torch would take for zero, too."""
    if torch.compiler.is_compiling() or not _in_forward_mode():
        return
    for grad in grads:
        if grad is not None:
            _check_tangent(op, "the gradient of its result", grad)


def _check_tangent(op: str, name: str, tensor: Tensor) -> None:
    if forward_ad.unpack_dual(tensor).tangent is not None:
        raise RuntimeError(
            f"{op}: {name} has a forward-mode tangent (torch.func.jvp, jacfwd, hessian, or "
            "torch.autograd.forward_ad), and there is no forward-mode derivative; use "
            "backward(), torch.autograd.grad() or torch.autograd.functional.jacobian()"
        )


def check_floats(op: str, name: str, tensor: Tensor) -> None:
    """Refuse what is neither float32 nor float64."""
    if tensor.dtype not in (torch.float32, torch.float64):
        raise ValueError(
            f"{op}: {name} must be float32 or float64, got {tensor.dtype}; use {name}.float()"
        )


def check_faces(op: str, faces: Tensor) -> None:
    """Refuse what is not int32 (F, 3)."""
    if faces.dtype == torch.int32 and faces.dim() == 2 and faces.shape[1] == 3:
        return
    is_other_type = faces.dtype != torch.int32 and not faces.is_floating_point()
    raise ValueError(
        f"{op}: faces must be int32 (F, 3), got {faces.dtype} {tuple(faces.shape)}"
        + ("; use faces.int()" if is_other_type else "")
    )


def _is_wrapped(tensor: Tensor) -> bool:
    """Whether functorch differentiates through it; vmap alone passes."""
    while _functorch is not None and _functorch.is_functorch_wrapped_tensor(tensor):
        if _functorch.is_gradtrackingtensor(tensor):
            return True
        tensor = _functorch.get_unwrapped(tensor)
    return False


_NO_MEMORY, _NO_ISA = 3, 4


def raise_status(op: str, status: int) -> None:
    """Raise what a failing C call means, for the codes that all operators share."""
    if status == _NO_MEMORY:
        raise MemoryError(f"{op}: out of memory")
    if status == _NO_ISA:
        raise RuntimeError(
            f"{op}: the environment variable LRAST_ISA asks for an instruction set that this CPU "
            "or build lacks; unset it, or use v2, v3 or v4"
        )
    raise RuntimeError(f"{op}: failed with status {status}")


def check_image_size(op: str, image_size: tuple[int, int]) -> None:
    """Refuse what is not (H, W), two whole numbers of pixels of a picture with int32 indices."""
    try:
        height, width = image_size
        whole = _is_whole(height) and _is_whole(width)
    except (TypeError, ValueError):  # not a pair
        height = width = 0
        whole = False
    if not whole or min(height, width) < 1 or height * width >= 2**31:
        raise ValueError(
            f"{op}: image_size must be (H, W), whole numbers of at least 1 with H * W < 2**31, "
            f"got {image_size!r}"
        )


def check_memory(op: str, device: torch.device, num_bytes: int, remedy: str) -> None:
    """Refuse what cannot fit into the machine's memory; asking for it could end the process."""
    if device.type != "cpu" or torch.compiler.is_compiling():
        return  # CUDA says so itself, and a graph has no sizes to look at
    present = _present_bytes()
    if num_bytes > present > 0:
        raise MemoryError(
            f"{op}: the result needs {num_bytes / 2**30:.1f} GiB, this machine has "
            f"{present / 2**30:.1f}; {remedy}"
        )


@functools.cache
def _present_bytes() -> int:
    """The machine's memory; 0 where the system does not say."""
    names = os.sysconf_names if hasattr(os, "sysconf") else {}
    if not {"SC_PHYS_PAGES", "SC_PAGE_SIZE"} <= set(names):
        return 0
    return os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")


def _is_whole(size: object) -> bool:
    return isinstance(size, (int, torch.SymInt)) and not isinstance(size, bool)
