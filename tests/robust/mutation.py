"""Files as accidents leave them: bits flipped, parts lost or doubled, values exchanged."""

import json
import random
import re
import struct
from collections.abc import Callable
from typing import Any

_NUMBERS = (
    "0", "-1", "1", "2", "3", "255", "256", "65535", "65536", "999999999", "1000000000",
    "2147483647", "2147483648", "4294967295", "-2147483648", "9223372036854775807", "1e9", "1e38",
    "1e39", "1e308", "1e400", "-1e400", "nan", "inf", "0.5", "1e-300", "0x10", "", "- 1", "1,5",
)  # fmt: skip
_WORDS = (b"", b"\0", b"\xff\xfe", b"\xef\xbb\xbf", b"#", b"\\\n", b"\r", b"/", b"//", b"/1/1/1")
_VALUES: tuple[Any, ...] = (
    None, True, False, 0, -1, 1, 2, 5, 65536, 10**9, 2**31, 2**53, 2**63, 10**400, 0.5, 1e38, 1e308,
    float("nan"), float("inf"), "", "x", "0", "../..", "/dev/zero", "data:,", "\0", [], {}, [[]],
    [0] * 3, [1e9] * 16, ["a"], {"a": 1},
)  # fmt: skip
_NUMBER = re.compile(rb"-?\d+(?:\.\d+)?(?:[eE][-+]?\d+)?")


def mutated(content: bytes, generator: random.Random) -> bytes:
    """One to four accidents, one after the other."""
    for _ in range(generator.choice((1, 1, 1, 2, 4))):
        content = generator.choice(_ACCIDENTS)(content, generator)
    return content


def mutated_json(content: bytes, generator: random.Random) -> bytes:
    """A JSON text with a value exchanged, lost, doubled or put elsewhere; or any other accident."""
    if generator.random() < 0.25:
        return mutated(content, generator)
    root = json.loads(content)
    for _ in range(generator.choice((1, 1, 2, 3))):
        places = list(_places(root))
        if not places:
            break
        holder, key = generator.choice(places)
        if generator.random() < 0.2:
            del holder[key]
        elif generator.random() < 0.2:
            other, other_key = generator.choice(places)
            holder[key] = other[other_key] if not _contains(other[other_key], holder) else 0
        else:
            holder[key] = generator.choice(_VALUES)
    return json.dumps(root).encode()


def mutated_glb(content: bytes, generator: random.Random) -> bytes:
    """A GLB whose header, or anything else, had an accident; half of them with right lengths."""
    if generator.random() < 0.4:
        return mutated(content, generator)
    length = struct.unpack_from("<I", content, 12)[0]
    header = mutated_json(content[20 : 20 + length], generator)
    header += b" " * (-len(header) % 4)
    rest = content[20 + length :]
    total = 20 + len(header) + len(rest)
    return content[:8] + struct.pack("<II4s", total, len(header), b"JSON") + header + rest


def _places(value: Any) -> list[tuple[Any, Any]]:
    found, waiting = [], [value]
    while waiting:
        holder = waiting.pop()
        keys = range(len(holder)) if isinstance(holder, list) else list(holder)
        for key in keys:
            found.append((holder, key))
            if isinstance(holder[key], list | dict):
                waiting.append(holder[key])
    return found


def _contains(value: Any, holder: Any) -> bool:
    return (
        value is holder or any(other is holder for other in (part for part, _ in _places(value)))
        if isinstance(value, list | dict)
        else False
    )


def _place(content: bytes, generator: random.Random) -> int:
    # Most of what can go wrong stands at the beginning.
    limit = len(content) if generator.random() < 0.6 else min(len(content), 120)
    return generator.randrange(limit) if limit else 0


def _flip(content: bytes, generator: random.Random) -> bytes:
    changed = bytearray(content)
    for _ in range(generator.choice((1, 1, 3, 20))):
        if changed:
            changed[_place(content, generator)] ^= 1 << generator.randrange(8)
    return bytes(changed)


def _cut(content: bytes, generator: random.Random) -> bytes:
    return content[: _place(content, generator)]


def _lose(content: bytes, generator: random.Random) -> bytes:
    start = _place(content, generator)
    return content[:start] + content[start + generator.choice((1, 1, 4, 30)) :]


def _double(content: bytes, generator: random.Random) -> bytes:
    start = _place(content, generator)
    part = content[start : start + generator.choice((1, 8, 60))]
    return content[:start] + part * generator.choice((2, 2, 50)) + content[start + len(part) :]


def _insert(content: bytes, generator: random.Random) -> bytes:
    start = _place(content, generator)
    return content[:start] + generator.choice(_WORDS) + content[start:]


def _other_number(content: bytes, generator: random.Random) -> bytes:
    found = list(_NUMBER.finditer(content))
    if not found:
        return content
    match = generator.choice(found if generator.random() < 0.5 else found[:6])
    number = generator.choice(_NUMBERS).encode()
    return content[: match.start()] + number + content[match.end() :]


def _other_word(content: bytes, generator: random.Random) -> bytes:
    """Four bytes of a binary table."""
    start = _place(content, generator)
    value = generator.choice((0, 1, 2**31 - 1, 2**32 - 1, 0x7FC00000, 0x7F800000, 10**9))
    return content[:start] + struct.pack("<I", value) + content[start + 4 :]


def _swap_lines(content: bytes, generator: random.Random) -> bytes:
    lines = content.split(b"\n")
    first, second = generator.randrange(len(lines)), generator.randrange(len(lines))
    lines[first], lines[second] = lines[second], lines[first]
    return b"\n".join(lines)


_ACCIDENTS: tuple[Callable[[bytes, random.Random], bytes], ...] = (
    _flip, _cut, _lose, _double, _insert, _other_number, _other_number, _other_word, _swap_lines,
)  # fmt: skip
