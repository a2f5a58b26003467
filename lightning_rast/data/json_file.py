"""JSON files and the numbers in them, with errors that name the place."""

import json
import math
from pathlib import Path
from typing import Any

import numpy as np

from lightning_rast.data.errors import ViewsError

# Thousands of views with everything that tools add; more is no camera file.
_MOST_BYTES = 2**28


def read_text(path: Path) -> str:
    """A UTF-8 file.

    Raises:
        ViewsError: it is missing, unreadable or too large.
    """
    try:
        if path.stat().st_size > _MOST_BYTES:
            raise ViewsError(f"{path} has more than {_MOST_BYTES >> 20} MB: no camera file")
        return path.read_text(encoding="utf-8-sig")
    except FileNotFoundError:
        raise ViewsError(f"missing {path}") from None
    except ViewsError:
        raise
    except (OSError, ValueError) as error:
        raise ViewsError(f"cannot read {path}: {error}") from None


def read_json(path: Path) -> Any:
    """The content of a JSON file.

    Raises:
        ViewsError: it is missing or no JSON (with the line).
    """
    text = read_text(path)
    try:
        return json.loads(text)
    except json.JSONDecodeError as error:
        place = f"line {error.lineno}, column {error.colno}"
        raise ViewsError(f"{path} is not valid JSON: {error.msg} at {place}") from None
    except (ValueError, RecursionError) as error:  # a number of 5,000 digits, lists in lists
        raise ViewsError(f"{path} cannot be read as JSON: {error}") from None


def number(label: str, fields: dict[str, Any], key: str) -> float | None:
    """The finite number under `key`, or None where there is no such key.

    Raises:
        ViewsError: there is something else.
    """
    if key not in fields:
        return None
    value = fields[key]
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise ViewsError(f'{label}: "{key}" must be a number, got {json.dumps(value)[:80]}')
    try:
        value = float(value)
    except OverflowError:
        value = math.inf
    if not math.isfinite(value):
        raise ViewsError(f'{label}: "{key}" must be finite')
    return value


def array(label: str, fields: dict[str, Any], key: str, shape: tuple[int, ...]) -> np.ndarray:
    """The finite numbers under `key`, float64.

    Raises:
        ViewsError: it is missing, of another shape or not all finite numbers.
    """
    try:
        values = np.asarray(fields[key])
        if values.dtype.kind not in "iuf":  # text would be converted too
            raise TypeError
        values = values.astype(np.float64)
    except KeyError:
        raise ViewsError(f'{label}: needs "{key}"') from None
    except (TypeError, ValueError, OverflowError):
        raise ViewsError(f'{label}: "{key}" must hold numbers') from None
    if values.shape == (*shape, 1):
        values = values[..., 0]
    if values.shape != shape:
        raise ViewsError(f'{label}: "{key}" must have shape {shape}, got {values.shape}')
    if not np.isfinite(values).all():
        raise ViewsError(f'{label}: "{key}" must be finite')
    return values
