"""Numbers as people write them."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lightnas.errors import InputError
from lightnas.units import (
    NAMED_FLOPS,
    format_count,
    format_seconds,
    parse_count,
    parse_seconds,
    parse_size,
)


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("83.6G", 83_600_000_000),
        ("83.6g", 83_600_000_000),
        ("8.36e10", 83_600_000_000),
        ("25.6M", 25_600_000),
        ("44.5 M", 44_500_000),
        ("91", 91),
        (91, 91),
        (0.5, 0.5),
        ("1.2T", 1_200_000_000_000),
        ("100k", 100_000),
        ("resnet50", 83_600_000_000),
        ("ResNet101", 159_500_000_000),
        ("0.1e3M", 100_000_000),
    ],
)
def test_counts(text, value):
    assert parse_count(text, "x", NAMED_FLOPS) == value


@pytest.mark.parametrize(
    "text",
    ["", " ", "0", "-1", "0G", "nan", "inf", "-inf", "1e999", "83.6X", "G", "1,5G", "83.6GG", "0x10", "resnet5", True, None,
     [], "1e" + "9" * 5000, "9" * 400, "1_000", "١"],
)  # fmt: skip
def test_bad_counts(text):
    with pytest.raises(InputError, match="--budget-flops is"):
        parse_count(text, "--budget-flops", NAMED_FLOPS)


def test_typo_in_a_name():
    with pytest.raises(InputError, match="did you mean 'resnet50'"):
        parse_count("resnet5", "x", NAMED_FLOPS)


@given(st.text(max_size=20))
def test_any_text_is_a_positive_number_or_refused(text):
    try:
        assert 0 < parse_count(text, "x") < float("inf")
    except InputError as error:
        assert "\n" not in str(error)


@given(st.integers(1, 10**15 - 1))
def test_format_reads_back(value):
    assert parse_count(format_count(value, digits=15), "x") == value


@pytest.mark.parametrize(
    "text",
    [
        "",
        "800",
        "800x",
        "800x1280x3",
        "31x640",
        "800X1280",
        "-800x1280",
        "8e2x1e3",
        "99999999x800",
        None,
    ],
)
def test_bad_sizes(text):
    with pytest.raises(InputError, match="HxW"):
        parse_size(text, "--input-size")


def test_size():
    assert parse_size("800x1280", "x") == (800, 1280)


@pytest.mark.parametrize(
    ("text", "seconds"),
    [
        ("30ms", 0.03),
        ("0.03s", 0.03),
        ("500us", 5e-4),
        ("5e-2 s", 0.05),
        (0.25, 0.25),
        ("1.5 ms", 1.5e-3),
    ],
)
def test_seconds(text, seconds):
    assert parse_seconds(text, "x") == seconds


@pytest.mark.parametrize(
    "text", ["30", "-3ms", "0ms", "ms", "3 minutes", "nan s", True, None, "1e999s"]
)
def test_bad_seconds(text):
    with pytest.raises(InputError, match="expected a time with its unit"):
        parse_seconds(text, "--budget-latency")


def test_seconds_are_shown_with_their_unit():
    assert [format_seconds(x) for x in (2.5, 0.02998, 5e-5)] == ["2.5 s", "29.98 ms", "50 us"]
