"""Axes by hand, and charts as an SVG reader sees them."""

from xml.etree import ElementTree

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from lightnas.documents import LARGEST
from lightnas.report.axes import axis, round_step
from lightnas.report.charts import HEIGHT, Bar, Curve, Point, bars, curves


@pytest.mark.parametrize(
    ("least", "step"),
    [
        (0.9, 1),
        (1, 1),
        (1.1, 2),
        (3, 5),
        (7, 10),
        (21, 50),
        (0.013, 0.02),
        (0.3, 0.5),
        (1e-6, 1e-6),
    ],
)
def test_round_step(least, step):
    assert round_step(least) == pytest.approx(step)


@pytest.mark.parametrize(
    ("values", "options", "texts"),
    [
        ([0.5, 2.0], {"most": 3}, "0.5 1.0 1.5 2.0"),
        ([1912.5, 2111.1], {"most": 4, "to_ticks": True}, "1,900 1,950 2,000 2,050 2,100 2,150"),
        ([10_240, 19_903], {"most": 5}, "12,000 14,000 16,000 18,000"),
        ([1, 2], {}, "1 2"),  # epochs: nothing between whole numbers
        ([3], {}, "3"),
        ([0.25], {"most": 4, "within": (0, 1)}, "0.0 0.5 1.0"),
        ([-0.3, 0.3], {"most": 3}, "-0.2 0.0 0.2"),
    ],
)
def test_ticks(values, options, texts):
    found = axis(values, 0, 100, **options)
    assert [text for _, text in found.ticks] == texts.split()
    assert all(found.low <= value <= found.high for value in values)
    assert all(-0.1 <= found.at(value) <= 100.1 for value, _ in found.ticks)


def test_ends_of_an_axis_are_its_pixels():
    found = axis([2, 10], 90, 10)  # upwards
    assert [found.at(value) for value in (2, 4, 10)] == [90, 70, 10]


@given(
    st.lists(st.floats(-LARGEST, LARGEST), min_size=1, max_size=5),
    st.integers(3, 10),
    st.booleans(),
)
@example([0, 5e-324], 10, True)
def test_axes_of_all_that_a_file_can_hold(values, most, to_ticks):
    found = axis(values, 0, 100, most=most, to_ticks=to_ticks)
    assert all(-0.2 <= found.at(value) <= 100.2 for value in values)
    assert len(found.ticks) <= most + 3
    assert all(len(text) < 40 for _, text in found.ticks)


LINES = "svg[@preserveAspectRatio]/path"


def svg(chart):
    return ElementTree.fromstring(str(chart.svg))


def percent(text):
    assert text.endswith("%")
    return float(text[:-1])


def test_every_mark_lies_inside_the_picture():
    points = [Point(x, 1e4 / (x + 1), f"at {x}") for x in range(50)]
    chart = curves("It falls", "x", "y", [Curve("a", points), Curve("b", points[:2], dots=False)])
    root = svg(chart)
    assert chart.legend == ["a", "b"] and root.get("aria-label") == "It falls"
    dots = root.findall("circle")
    assert [dot.get("data-tip") for dot in dots] == [point.tip for point in points]
    assert all(
        0 <= percent(dot.get("cx")) <= 100 and 0 <= float(dot.get("cy")) <= HEIGHT for dot in dots
    )
    heights = [float(dot.get("cy")) for dot in dots]
    assert heights == sorted(heights)  # y grows upwards, in pixels downwards
    assert len(root.findall(LINES)) == 2


def test_a_mark_that_copies_is_a_button():
    points = [Point(0, 1, "one", "s0-0"), Point(1, 2, "two")]
    first, second = svg(curves("Two", "x", "y", [Curve("", points)])).findall("circle")
    assert (first.get("role"), first.get("data-copy")) == ("button", "s0-0")
    assert (second.get("role"), second.get("data-copy")) == ("img", None)
    assert first.get("tabindex") == second.get("tabindex") == "0"


def test_bars_stand_on_0():
    root = svg(bars("Two bars", [Bar(10, "ten", 0), Bar(5, "five", 1)], ["C1", "C2"]))
    tall, low = root.findall("rect")
    ends = [float(bar.get("y")) + float(bar.get("height")) for bar in (tall, low)]
    assert ends[0] == pytest.approx(ends[1])
    assert float(tall.get("height")) == pytest.approx(2 * float(low.get("height")), abs=0.2)
    assert percent(tall.get("x")) + percent(tall.get("width")) < percent(low.get("x"))
    assert low.get("class") == "color-1"


def test_texts_are_escaped():
    chart = curves("<a> & 'b'", "x", "y", [Curve("", [Point(0, 1, '"<i>"')])])
    assert "<i>" not in chart.svg and svg(chart).find("circle").get("data-tip") == '"<i>"'


def test_one_value_has_an_axis_too():
    assert svg(curves("One", "x", "y", [Curve("", [Point(7, 7)])])).findall("circle")
