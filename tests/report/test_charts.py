"""Axes by hand, and charts as an SVG reader sees them."""

from itertools import pairwise
from xml.etree import ElementTree

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from lightnas.documents import LARGEST
from lightnas.report.axes import axis, log_axis, round_step
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


@given(st.lists(st.floats(1e-30, LARGEST), min_size=1, max_size=5), st.booleans())
@example([1e30], True)
@example([0.1, 0.3], False)
def test_axes_of_ratios(values, to_ticks):
    found = log_axis(values, 0, 100, to_ticks=to_ticks)
    assert all(-0.1 <= found.at(value) <= 100.1 for value in values)
    assert len(found.ticks) <= 25 and all(
        -0.1 <= found.at(tick) <= 100.1 for tick, _ in found.ticks
    )
    low, high = min(values), max(values)
    if high > 2 * low:
        middle = (low * high) ** 0.5
        assert found.at(middle) == pytest.approx((found.at(low) + found.at(high)) / 2, abs=0.02)


def test_ticks_of_ratios():
    assert [text for _, text in log_axis([0.002, 7], 0, 1, to_ticks=True).ticks] == [
        "0.001", "0.01", "0.1", "1", "10",
    ]  # fmt: skip
    assert [text for _, text in log_axis([10, 80], 0, 1).ticks] == [
        "10",
        "15",
        "20",
        "30",
        "40",
        "50",
        "60",
        "80",
    ]


def test_0_is_the_lowest_tick_of_ratios():
    found = log_axis([0, 0.2, 30], 90, 10, to_ticks=True)
    assert " ".join(text for _, text in found.ticks) == "0 0.2 0.5 1 2 5 10 20 50"
    assert found.at(0) == 90 == found.at(found.ticks[0][0]) and not found.beyond(0)
    assert log_axis([0, 0], 90, 10).at(0) == 90


def test_what_lies_outside_stands_at_the_edge():
    ours = Curve("ours", [Point(10, 1), Point(20, 2)])
    others = Curve("others", [Point(15, 3, "in"), Point(99, 9, "far", name="far"), Point(1, 0, "left")],
                   line=False, anywhere=True)  # fmt: skip
    root = svg(curves("Edges", "x", "y", [ours, others]))
    assert [dot.get("data-tip") for dot in root.findall("circle")][2:] == ["in"]
    places = {mark.find("path").get("data-tip"): mark.get("x") for mark in root.findall("svg[@x]")}
    assert places == {"far; outside this chart": "100.0%", "left; outside this chart": "0.0%"}
    assert [text.text for text in root.findall("text")] == ["far"]
    assert "99" not in "".join(text.text for text in root.findall("g/text"))


def test_names_at_the_edge_do_not_lie_upon_each_other():
    far = [Point(100 + i, 2, f"{i}", name=f"n{i}") for i in range(4)]
    chart = curves("Edge", "x", "y", [Curve("", [Point(1, 1), Point(2, 2)]),
                                      Curve("", far, line=False, anywhere=True)])  # fmt: skip
    heights = [float(text.get("y")) for text in svg(chart).findall("text")]
    assert all(below - above >= 12 for above, below in pairwise(heights))


def test_a_cloud_is_many_dots_without_a_word():
    cloud = Curve("all", [Point(x, x) for x in range(9)], line=False, cloud=True)
    root = svg(curves("Cloud", "x", "y", [cloud]))
    assert len(root.findall("g/circle")) == 9 and not root.findall("circle")


def test_silent_bars_are_as_tall_as_those_that_speak():
    drawn = [Bar(10, "ten", 0), Bar(5, "five", 1), Bar(1, "one", 0)]
    speak, silent = (
        svg(bars("Bars", drawn, ["a", "b"], silent=silent)) for silent in (False, True)
    )
    first, second = silent.findall(LINES)
    assert first.get("d").count("z") == 2 and second.get("d").count("z") == 1
    assert f"v{float(speak.findall('rect')[1].get('height')):g}" in second.get("d")


def test_a_narrow_screen_shows_few_numbers():
    chart = curves("Many", "x", "y", [Curve("", [Point(x, x) for x in range(9)])])
    shown = [text for text in svg(chart).findall("g/text") if text.get("class") == "middle"]
    assert len(shown) - 2 <= 6  # and two titles


def test_one_value_has_an_axis_too():
    assert svg(curves("One", "x", "y", [Curve("", [Point(7, 7)])])).findall("circle")
