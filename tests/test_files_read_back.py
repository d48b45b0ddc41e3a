"""JSON and npz, as they are read and written: limits, and what is no number."""

import io
import json
import math
import zipfile

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from lightnas.documents import Document, check
from lightnas.errors import InputError, nearest, printable, shown
from lightnas.json_file import json_text, parse_json, read_json
from lightnas.npz_file import array_of, read_npz

NUMBERS = st.floats() | st.integers()
DOCUMENTS = st.recursive(
    st.none() | st.booleans() | NUMBERS | st.text(),
    lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner),
    max_leaves=20,
)


def finite(value):
    if isinstance(value, dict):
        return {key: finite(inner) for key, inner in value.items()}
    if isinstance(value, list):
        return [finite(inner) for inner in value]
    return None if isinstance(value, float) and not math.isfinite(value) else value


@given(DOCUMENTS)
def test_what_is_written_is_json_without_nan(document):
    text = json_text(document)
    assert json.loads(text, parse_constant=pytest.fail) == finite(document)


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("{", "Expecting property name"),
        ("[NaN]", "NaN is no JSON"),
        ("[-Infinity]", "-Infinity is no JSON"),
        ("[1e400]", "'1e400' is no finite number"),
        ("9" * 41, "a number of 41 digits"),
        ("9" * 5000, "a number of 5000 digits"),
        ("[" * 100_000 + "]" * 100_000, "brackets nest too deep"),
        ("[" + "1," * 3_000_000 + "1]", "more than 2000000 values"),
    ],
)
def test_json_that_is_refused(tmp_path, text, said):
    (tmp_path / "x.json").write_text(text)
    with pytest.raises(InputError) as error:
        read_json(tmp_path / "x.json", "a result")
    assert f"x.json: is damaged ({said}" in str(error.value)
    assert str(error.value).endswith("), expected a result") and "\n" not in str(error.value)


def test_large_whole_numbers_are_read():
    assert parse_json(f"[{2**128 - 1}, 1.5, -3]") == [2**128 - 1, 1.5, -3]


def test_a_file_that_is_no_text(tmp_path):
    (tmp_path / "x.json").write_bytes(b"\xff\xfe{}")
    with pytest.raises(InputError, match="is not UTF-8"):
        read_json(tmp_path / "x.json", "a result")
    with pytest.raises(InputError, match="cannot be read"):
        read_json(tmp_path / "y.json", "a result")


# --- npz ----------------------------------------------------------------------------------------------------------


def test_arrays_come_back(tmp_path):
    arrays = {
        "text": np.array("hé"),
        "matrix": np.asfortranarray(np.arange(6).reshape(2, 3)),
        "none": np.empty((0, 4)),
        "names": np.array(["x", "yy"]),
    }
    np.savez(tmp_path / "x.npz", **arrays)
    found = read_npz(tmp_path / "x.npz", "arrays")
    assert found.keys() == arrays.keys()
    for name, array in arrays.items():
        assert found[name].dtype == array.dtype and np.array_equal(found[name], array)


def header(shape, descr="<f8"):
    file = io.BytesIO()
    np.lib.format.write_array_header_1_0(
        file, {"descr": descr, "fortran_order": False, "shape": shape}
    )
    return file.getvalue()


@pytest.mark.parametrize(
    ("name", "content", "said"),
    [
        ("a.npy", header((10**10,)), "cut off"),
        ("a.npy", header((10**30, 10**30)), "cut off"),
        ("a.npy", header((-1,)), "cut off"),
        ("a.npy", header((1,), "|O") + b"\x00" * 8, "holds object"),
        ("a.npy", header((1,), "|V8") + b"\x00" * 8, "holds"),
        ("a.npy", b"\x93NUMPY\x03\x00", "another version"),
        ("a.npy", b"", "damaged"),
    ],
)
def test_arrays_that_are_refused(tmp_path, name, content, said):
    with zipfile.ZipFile(tmp_path / "x.npz", "w") as archive:
        archive.writestr(name, content)
    with pytest.raises(InputError, match=said) as error:
        read_npz(tmp_path / "x.npz", "arrays")
    assert "x.npz: is damaged" in str(error.value) and "\n" not in str(error.value)


def test_a_bomb_is_not_unpacked(tmp_path):
    with zipfile.ZipFile(tmp_path / "x.npz", "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("a.npy", header((2**20,)) + b"\x00" * 2**23)
    with pytest.raises(InputError, match="compressed"):
        read_npz(tmp_path / "x.npz", "arrays")
    np.savez(tmp_path / "y.npz", a=np.zeros(1000))
    with pytest.raises(InputError, match="larger than 100 bytes"):
        read_npz(tmp_path / "y.npz", "arrays", max_bytes=100)


class Pair(Document):
    a: array_of("int64", "N", "D")
    b: array_of("float64", "N")


@pytest.mark.parametrize(
    ("a", "b", "said"),
    [
        (np.zeros((2, 3), np.int32), np.zeros(2), "a is .*, expected it to be an array of int64"),
        (np.zeros((2, 3), np.int64), np.zeros(3), r"b is .* of shape \(N\), N = 2"),
        (np.zeros((2, 4), np.int64), np.zeros(2), "D = 3"),
        (np.zeros((2, 3), np.int64), np.array([0, np.nan]), "all finite"),
        ([[1, 2, 3]], np.zeros(1), "an array of int64"),
    ],
)
def test_shapes_are_checked(a, b, said):
    with pytest.raises(InputError, match=said):
        check(Pair, {"a": a, "b": b}, "pair", D=3)


# --- words ---------------------------------------------------------------------------------------------------------


@given(st.text())
def test_nothing_printable_moves_a_terminal(text):
    said = printable(text)
    said.encode()  # no surrogates
    assert printable(said) == said
    assert all(char in "\n\t" or not 0 <= ord(char) < 32 for char in said)
    assert not any(0x7F <= ord(char) < 0xA0 for char in said)


def test_printable_says_what_it_left_out():
    assert printable("a\x1b[31m\u202eb\udcff\tc\n") == "a\\x1b[31m\\u202eb\\udcff\tc\n"
    assert printable("Maß 例 é") == "Maß 例 é"


def test_the_nearest_of_anything():
    assert nearest(10**6000, ["a", "b"]) == "expected one of a, b"
    assert nearest(["a"], ["a", "b"]) and nearest(None, ["a"])
    assert shown(10**6000) == "<int too long to print>"
