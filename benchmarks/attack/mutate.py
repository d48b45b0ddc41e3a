"""Mutated files: of the bytes of a whole one, or of the values in it; a seed gives the same file
again."""

from __future__ import annotations

import ast
import io
import json
import re
import zipfile
from collections.abc import Callable
from typing import Any

import numpy as np

Rng = np.random.Generator

# Values in the place of any other, as they are written in JSON; YAML and Python's literals read
# them too, or refuse them.
HOSTILE = (
    "0", "-1", "1e400", "-1e400", "NaN", "Infinity", "-Infinity", "1e308", "-1e308", "5e-324", "0.1", "1e17",
    "9" * 18, "9" * 19, "9" * 39, "1" + "0" * 400, "9" * 6000, "true", "false", "null", '""', '"x"', '"3"',
    '"\\u001b[31m"', '"\\ud800"', '"\\u0000"', '"../../x"', '"' + "a" * 5000 + '"', "[]", "{}", "[1, 2]",
    '{"a": 1}', "[" * 60 + "]" * 60, "[" * 3000 + "]" * 3000, '{"array": "state.evolution.genomes"}', "[[[]], 1e5]",
)  # fmt: skip
# Bytes that say something in one format or another.
TOKENS = (
    b"\x00", b"\xff\xfe", b"\xef\xbb\xbf", b"\n", b"\r\n", b",", b"}", b"]", b'"', b"'", b"#", b": ", b"- ", b"&a ",
    b"*a ", b"<<: *a", b"!!python/name:os.system ", b"---\n", b"%", b"\x1b[2J", b"[" * 2000, b"{" * 2000, b"(" * 200,
    b"PK\x03\x04", b"PK\x05\x06", b"\x93NUMPY", b"\x80\x04", b"\xff\xd8", b"-" * 3000, b"1+" * 2000, b"9" * 5000,
)  # fmt: skip
NUMBER = re.compile(rb"-?\d+(?:\.\d+)?(?:[eE][+-]?\d+)?")
MARK = "\ue000{}\ue001"
MARKED = re.compile("[\"']?\ue000(\\d+)\ue001[\"']?")


def mutated_bytes(content: bytes, rng: Rng) -> bytes:
    """A file of which one to four places are flipped, cut, doubled, inserted or replaced."""
    for _ in range(rng.integers(1, 5)):
        change = BYTES[rng.integers(len(BYTES))]
        content = change(content, rng)
    return content


def _slice(content: bytes, rng: Rng, most: int = 200) -> tuple[int, int]:
    start = int(rng.integers(len(content) + 1))
    return start, min(len(content), start + int(rng.integers(1, most)))


def _flip(content: bytes, rng: Rng) -> bytes:
    if not content:
        return content
    changed = bytearray(content)
    for _ in range(rng.integers(1, 9)):
        changed[rng.integers(len(changed))] ^= 1 << int(rng.integers(8))
    return bytes(changed)


def _cut(content: bytes, rng: Rng) -> bytes:
    start, end = _slice(content, rng)
    return content[:start] if rng.random() < 0.3 else content[:start] + content[end:]


def _double(content: bytes, rng: Rng) -> bytes:
    start, end = _slice(content, rng)
    return content[:end] + content[start:end] * int(rng.integers(1, 30)) + content[end:]


def _insert(content: bytes, rng: Rng) -> bytes:
    at, _ = _slice(content, rng)
    token = TOKENS[rng.integers(len(TOKENS))] if rng.random() < 0.7 else rng.bytes(8)
    return content[:at] + token + content[at:]


def _number(content: bytes, rng: Rng) -> bytes:
    found = list(NUMBER.finditer(content))
    if not found:
        return content
    one = found[rng.integers(len(found))]
    new = HOSTILE[rng.integers(len(HOSTILE))].encode()
    return content[: one.start()] + new + content[one.end() :]


def _move(content: bytes, rng: Rng) -> bytes:
    start, end = _slice(content, rng)
    rest = content[:start] + content[end:]
    at = int(rng.integers(len(rest) + 1))
    return rest[:at] + content[start:end] + rest[at:]


BYTES = (_flip, _cut, _double, _insert, _number, _number, _move)


# --- values ---------------------------------------------------------------------------------------


def mutated_json(content: bytes, rng: Rng) -> bytes:
    """A JSON file of which one to three values are replaced, deleted, doubled or swapped."""
    return _written(_changed(json.loads(content), rng), rng).encode("utf-8", "surrogatepass")


def mutated_lines(content: bytes, rng: Rng) -> bytes:
    """A file of a JSON object a line, of which some are changed so."""
    lines = content.splitlines()
    for _ in range(rng.integers(1, 4)):
        at = rng.integers(len(lines))
        try:
            lines[at] = mutated_json(lines[at], rng)
        except ValueError:  # changed before
            lines[at] = _flip(lines[at], rng)
    return b"\n".join(lines)


def mutated_yaml(content: bytes, rng: Rng) -> bytes:
    """A YAML file likewise, written as the JSON that YAML is too."""
    import yaml

    text = _written(_changed(yaml.safe_load(content), rng), rng)
    return text.encode("utf-8", "surrogatepass")


def mutated_literal(content: bytes, rng: Rng) -> bytes:
    """A Python literal likewise."""
    text = repr(_changed(ast.literal_eval(content.decode()), rng))
    return _filled(text.replace("\\ue000", "\ue000").replace("\\ue001", "\ue001"), rng).encode(
        "utf-8", "surrogatepass"
    )


def mutated_rows(content: bytes, rng: Rng) -> bytes:
    """A CSV file of which cells are replaced, and rows and cells deleted or doubled."""
    rows = [line.split(b",") for line in content.splitlines()]
    for _ in range(rng.integers(1, 4)):
        row = rows[rng.integers(len(rows))]
        at = int(rng.integers(len(row) + 1))
        new = HOSTILE[rng.integers(len(HOSTILE))].encode()
        row[at : at + int(rng.integers(2))] = [new] * int(rng.integers(3))
    return b"\n".join(b",".join(row) for row in rows)


def mutated_npz(content: bytes, rng: Rng) -> bytes:
    """An npz whose arrays are of another type, shape or name, missing, doubled, or claim to be
    larger; its sums of bits are right."""
    with zipfile.ZipFile(io.BytesIO(content)) as archive:
        members = {name: archive.read(name) for name in archive.namelist()}
    for _ in range(rng.integers(1, 4)):
        name = list(members)[rng.integers(len(members))]
        change = ARRAYS[rng.integers(len(ARRAYS))]
        change(members, name, rng)
        if not members:
            break
    buffer = io.BytesIO()
    packed = zipfile.ZIP_DEFLATED if rng.random() < 0.1 else zipfile.ZIP_STORED
    with zipfile.ZipFile(buffer, "w", packed) as archive:
        for name, data in members.items():
            archive.writestr(name, data)
    return buffer.getvalue()


Members = dict[str, bytes]


def _array_bytes(members: Members, name: str, rng: Rng) -> None:
    members[name] = mutated_bytes(members[name], rng)


def _array_values(members: Members, name: str, rng: Rng) -> None:
    """Its values, its type or its shape; of a text, the JSON in it."""
    try:
        array = np.lib.format.read_array(io.BytesIO(members[name]))
    except ValueError:
        return
    if array.dtype.kind == "U" and array.ndim == 0:
        try:
            text = mutated_json(str(array).encode(), rng).decode("utf-8", "replace")
        except ValueError:
            text = "{"
        array = np.array(text)
    else:
        array = CHANGES[rng.integers(len(CHANGES))](array, rng)
    file = io.BytesIO()
    np.lib.format.write_array(file, array)
    members[name] = file.getvalue()


def _array_name(members: Members, name: str, rng: Rng) -> None:
    other = list(members)[rng.integers(len(members))]
    new = ("x.npy", "../x.npy", other, "json.npy", f"{name}x")[rng.integers(5)]
    members[new] = members.pop(name) if rng.random() < 0.7 else members[name]


def _array_missing(members: Members, name: str, rng: Rng) -> None:
    del members[name]


def _array_claims(members: Members, name: str, rng: Rng) -> None:
    """A header of an array of gigabytes, and few bytes behind it."""
    file = io.BytesIO()
    shape = [(10**10,), (10**30,), (2**31, 2**31), (-1,), (0,)][rng.integers(5)]
    descr = ("<f8", "<i8", "|O", "<U1000000", "|V8")[rng.integers(5)]
    header = {"descr": descr, "fortran_order": False, "shape": shape}
    np.lib.format.write_array_header_1_0(file, header)
    members[name] = file.getvalue() + b"\x00" * 64


def _hostile_values(array: Any, rng: Rng) -> Any:
    changed = np.array(array)
    if changed.size and changed.dtype.kind in "if":
        values = (np.nan, np.inf, -1, 1e300) if changed.dtype.kind == "f" else (-1, 2**62, -(2**63))
        changed.flat[rng.integers(changed.size)] = values[rng.integers(len(values))]
    return changed


ARRAYS: tuple[Callable[[Members, str, Rng], None], ...] = (
    _array_bytes, _array_values, _array_values, _array_values, _array_name, _array_missing, _array_claims,
)  # fmt: skip
CHANGES: tuple[Callable[[Any, Rng], Any], ...] = (
    _hostile_values,
    _hostile_values,
    lambda array, rng: array.astype(("float32", "int32", "U5", ">i8", "bool")[rng.integers(5)]),
    lambda array, rng: array.reshape(-1),
    lambda array, rng: array[..., None],
    lambda array, rng: array[:1] if array.ndim else array,
    lambda array, rng: np.concatenate([array, array]) if array.ndim else array,
    lambda array, rng: np.array([{"a": 1}, None], object),
    lambda array, rng: np.asfortranarray(array),
)


def _changed(document: Any, rng: Rng) -> Any:
    """The document with one to three changes; hostile values stand in it as marks."""
    for _ in range(rng.integers(1, 4)):
        holder, key = _place(document, rng)
        if holder is None:
            return MARK.format(rng.integers(len(HOSTILE)))
        what = rng.random()
        if what < 0.15:
            del holder[key]
        elif what < 0.25:
            _, other = _place(document, rng)
            if isinstance(holder, dict):
                holder[f"{other}"] = holder[key]
            else:
                holder.insert(key, holder[key])
        elif what < 0.35:
            from_holder, from_key = _place(document, rng)
            moved = from_holder[from_key] if from_holder is not None else None
            holder[key] = json.loads(json.dumps(moved))  # a copy: no value holds itself
        elif what < 0.4 and isinstance(holder, dict):
            holder[MARK.format(rng.integers(len(HOSTILE)))] = holder.pop(key)
        else:
            holder[key] = MARK.format(rng.integers(len(HOSTILE)))
    return document


def _place(document: Any, rng: Rng) -> tuple[Any, Any]:
    """A random place in a document: what holds it, and its key or index; None for the whole."""
    holder, key = None, None
    at = document
    while isinstance(at, dict | list) and at and rng.random() < 0.85:
        holder = at
        keys = list(at) if isinstance(at, dict) else range(len(at))
        key = keys[rng.integers(len(keys))]
        at = at[key]
    return holder, key


def _written(document: Any, rng: Rng) -> str:
    return _filled(json.dumps(document, ensure_ascii=False), rng)


def _filled(text: str, rng: Rng) -> str:
    """The text with the hostile values in the place of their marks; in a key, what fits one."""
    spelled = MARKED.sub(lambda mark: HOSTILE[int(mark[1])], text)
    return spelled if rng.random() < 0.9 else spelled + spelled[: rng.integers(len(spelled) + 1)]
