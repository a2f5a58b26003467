"""What every operator shares: its registration with torch and the errors of the C ABI."""

import torch

# Plain registration, not torch.library.custom_op: that one checks inputs for mutation on every
# call, which costs more than a small picture.
OPERATORS = torch.library.Library("lightning_rast", "FRAGMENT")

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
