"""What the room hands out by name."""

import types

from lightnas import network


def test_exports_are_no_modules():
    """A name that is both a module and a function would be one or the other by the order of
    imports."""
    assert len(set(network.__all__)) == len(network.__all__)
    assert not any(isinstance(getattr(network, name), types.ModuleType) for name in network.__all__)
    for name in ("blocks", "cost", "entropy", "score", "stages", "structure"):
        assert isinstance(getattr(network, name), types.ModuleType)
