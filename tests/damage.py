"""Files that are damaged, by their bytes or by the values in them."""

import json
import re
import struct
from collections.abc import Iterator
from typing import Any


def edited(content: bytes, changes: list) -> bytes:
    """The bytes of a file after such changes."""
    for what, share, count, put in changes:
        place = int(share * len(content))
        before, inside, after = (
            content[:place],
            content[place : place + count],
            content[place + count :],
        )
        content = {
            "cut": before,
            "flip": before + bytes(byte ^ 1 << count % 8 for byte in inside) + after,
            "insert": before + put + inside + after,
            "delete": before + after,
            "repeat": before + inside * 9 + after,
            "fill": before + bytes([put[0]]) * len(inside) + after,
            "number": before + re.sub(rb"[0-9]+", b"9" * count, inside) + after,
        }[what]
    return content


def places(value: Any, before: tuple = ()) -> Iterator[tuple]:
    """Where the values of JSON stand within it, all but the whole."""
    inner = value.items() if isinstance(value, dict) else enumerate(value)
    for key, one in inner:
        yield (*before, key)
        if isinstance(one, dict | list):
            yield from places(one, (*before, key))


def with_value(whole: Any, place: tuple, value: Any) -> Any:
    """A copy of JSON with another value at one place, if that is still there."""
    if not place:
        return value
    key, *rest = place
    if isinstance(whole, dict) and key in whole:
        return whole | {key: with_value(whole[key], tuple(rest), value)}
    if isinstance(whole, list) and isinstance(key, int) and key < len(whole):
        inner = with_value(whole[key], tuple(rest), value)
        return whole[:key] + [inner] + whole[key + 1 :]
    return whole


def parts(content: bytes) -> tuple[dict, bytes]:
    """The header of a .safetensors file, and what follows it."""
    end = 8 + struct.unpack("<Q", content[:8])[0]
    return json.loads(content[8:end]), content[end:]


def joined(header: Any, body: bytes) -> bytes:
    """A .safetensors file of these parts; a header of bytes stays as it is."""
    text = header if isinstance(header, bytes) else json.dumps(header).encode()
    return struct.pack("<Q", len(text)) + text + body
