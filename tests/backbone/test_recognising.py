"""The structure of a backbone from its weights alone."""

from dataclasses import replace

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

torch = pytest.importorskip("torch")

from lightnas.backbone import CnnNet  # noqa: E402 (needs torch)
from lightnas.backbone.recognising import recognised  # noqa: E402
from lightnas.errors import InputError  # noqa: E402
from lightnas.network.structure import Structure  # noqa: E402

from ..conftest import published  # noqa: E402
from .carried import BLOCK, PLAIN, structure, structures  # noqa: E402


def shapes_of(net):
    return {key: tuple(value.shape) for key, value in net.state_dict().items()}


@pytest.mark.parametrize("size", "sml")
def test_the_published_ones(size, reference):
    with torch.device("meta"):
        shapes = shapes_of(CnnNet(published(size)))
    assert recognised(shapes) == (Structure.from_dicts(published(size)), "")


@settings(max_examples=40)
@given(structures())
@example(structure(PLAIN, focus=True))
def test_what_is_recognised_has_the_same_weights(any_structure):
    shapes = shapes_of(CnnNet(any_structure))
    found, assumed = recognised(shapes)
    assert shapes_of(CnnNet(found)) == shapes
    assert len(found) == len(any_structure) and (assumed == "") == (len(found) == 5)
    for block, ours in zip(found, any_structure, strict=True):
        like = replace(block, stride=ours.stride)
        # One convolution of k = 1 says nothing of which of two block types it is.
        assert like == ours or ours.k == 1
    if not assumed:
        assert found.strides == any_structure.strides


@pytest.mark.parametrize("focus", [False, True])
def test_a_neck_says_where_stages_end(focus):
    """Two blocks in the fourth stage, the second of which widens more than the one that opens it."""
    rows = [
        (BLOCK, 8, 3, 1, 6),
        (BLOCK, 16, 3, 1, 6),
        (BLOCK, 20, 3, 1, 6),
        (BLOCK, 40, 3, 1, 6, 1),
    ]
    true = structure([*rows, (BLOCK, 48, 3, 1, 6)], focus=focus)
    shapes = shapes_of(CnnNet(true))
    assert recognised(shapes, true.widths[2:])[0] == true
    assert recognised(shapes, true.widths[1:])[0] == true
    alone, assumed = recognised(shapes)
    assert alone != true and "are taken to have stride 2" in assumed
    assert recognised(shapes, (1, 2, 3)) == (alone, assumed)


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (lambda s: s.clear(), "holds the blocks none"),
        (lambda s: [s.pop(k) for k in list(s) if k.startswith("block_list.2.")], "without a gap"),
        (lambda s: [s.pop(k) for k in list(s) if k.startswith("block_list.4.")], "4 blocks"),
        (lambda s: s.pop("block_list.2.block_list.0.conv2.conv1.weight"), "block_list.2 has no w"),
        (lambda s: s.update({"block_list.0.conv1.weight": (5, 3, 3, 3)}), "in is 6"),
        (lambda s: s.update({"block_list.0.conv1.weight": (6, 3, 4, 4)}), "k is 4"),
        (lambda s: s.update({"block_list.0.conv1.weight": (6, 0, 3, 3)}), "block_list.0 has no w"),
        (
            lambda s: s.update({"block_list.1.block_list.9.conv1.conv1.weight": (6, 8, 1, 1)}),
            "block_",
        ),
    ],
)
def test_what_is_no_backbone(change, said):
    shapes = shapes_of(CnnNet(structure(PLAIN)))
    change(shapes)
    with pytest.raises(InputError, match=said):
        recognised(shapes)


@settings(max_examples=100)
@given(
    st.dictionaries(
        st.from_regex(
            r"block_list\.[0-5]\.(block_list\.[0-3]\.)?(conv[1-3]\.)?conv1\.weight", fullmatch=True
        ),
        st.tuples(*[st.integers(0, 9)] * 4),
    )
)
def test_any_names_and_shapes_are_a_structure_or_refused(shapes):
    try:
        found, _ = recognised(shapes)
    except InputError as error:
        assert "\n" not in str(error)
    else:
        assert isinstance(found, Structure)
