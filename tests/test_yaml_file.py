"""YAML as people write it: plain data is read, what would be taken silently or without end is
refused in one line."""

import pytest

from lightnas.errors import InputError
from lightnas.yaml_file import read_yaml

BILLION = "a0: &a0 [1, 1]\n" + "".join(
    f"a{i}: &a{i} [*a{i - 1}, *a{i - 1}]\n" for i in range(1, 40)
)
MERGES = "a0: &a0 {k: 1}\n" + "".join(
    f"a{i}: &a{i} {{<<: [*a{i - 1}, *a{i - 1}]}}\n" for i in range(1, 40)
)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("a: 1\na: 2", "line 2 .the key 'a' stands twice"),
        ("x: {b: 1, c: 2, b: 3}", "the key 'b' stands twice"),
        ("a: &a {k: 1}\nb: {<<: *a}", "line 2 .merge keys"),
        (BILLION, "more than 100000 values once its aliases are written out"),
        (MERGES, "not valid YAML"),
        ("a: &a [*a]", "more than 100000 values"),
        ("a: !!python/object/apply:os.system [echo]", "not valid YAML in line 1"),
        ("a: [" * 5000, "not valid YAML"),
        ("a: 2001-99-99", "not valid YAML"),
        ("", "is empty"),
    ],
)
def test_refused(tmp_path, text, message):
    (tmp_path / "x.yaml").write_text(text)
    with pytest.raises(InputError, match=message) as error:
        read_yaml(tmp_path / "x.yaml")
    assert "\n" not in str(error.value) and "x.yaml" in str(error.value)


def test_read(tmp_path):
    (tmp_path / "x.yaml").write_text("stage: &stage {k: [3, 5]}\nblocks:\n  - *stage\n  - *stage\n")
    assert read_yaml(tmp_path / "x.yaml")["blocks"] == [{"k": [3, 5]}] * 2
