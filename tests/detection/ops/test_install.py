"""What stands in the place of mmcv's extension: a compiled one that loads, else the stand-in, and
what is said of it."""

import importlib
import subprocess
import sys
from importlib.machinery import EXTENSION_SUFFIXES
from types import ModuleType

import mmcv
import pytest

from lightnas.detection import ops
from lightnas.install.operators import BUILD, NAME


@pytest.fixture
def fresh(monkeypatch, tmp_path):
    """mmcv before anybody asked for its extension, and a folder it would be found in."""
    monkeypatch.setattr(mmcv, "__path__", [str(tmp_path)])
    monkeypatch.setattr(mmcv, "_ext", None, raising=False)
    monkeypatch.delitem(sys.modules, NAME)
    yield tmp_path
    sys.modules.pop(NAME, None)


def test_without_an_extension_the_stand_in(fresh):
    assert ops.operators() == ops.Operators("plain torch")
    assert NAME not in sys.modules  # asking changes nothing
    assert ops.install() == ops.Operators("plain torch")
    assert mmcv._ext is sys.modules[NAME] is importlib.import_module(NAME)


def test_again_it_is_left_in_its_place(fresh):
    ops.install()
    module = sys.modules[NAME]
    assert ops.install() == ops.Operators("plain torch")
    assert sys.modules[NAME] is module


def test_a_compiled_one_that_loads_is_left_alone(fresh):
    (fresh / "_ext.py").write_text("def nms(): ...\n")
    assert ops.install() == ops.operators() == ops.Operators("compiled")
    assert sys.modules[NAME].__file__ == str(fresh / "_ext.py")


def test_a_compiled_one_that_does_not_load_is_replaced_and_named(fresh):
    """As after a new torch. Each later question has the same answer, although the stand-in can be
    imported now."""
    broken = fresh / f"_ext{EXTENSION_SUFFIXES[0]}"
    broken.write_bytes(b"not of this torch")
    before = ops.operators()
    assert before.kind == "plain torch" and broken.name in before.failure
    assert ops.install() == ops.operators() == before
    assert isinstance(sys.modules[NAME], ops.StandIn)


def test_an_import_that_fails_in_the_loader(fresh):
    (fresh / "_ext.py").write_text("raise OSError('libc10.so: cannot open\\nmore')\n")
    assert ops.install() == ops.Operators("plain torch", "libc10.so: cannot open")


def test_mmcv_finds_every_operator_it_asks_for():
    """mmcv asks at import, by hasattr; and check_ops_exist wants a spec with a loader."""
    module = ops.StandIn()
    assert hasattr(module, "nms") and hasattr(module, "three_nn_forward")
    assert module.__spec__.loader.create_module(module.__spec__) is module
    assert not hasattr(module, "__path__") and not hasattr(module, "__wrapped__")
    assert (
        module.get_compiling_cuda_version() == "not available"
        and "plain torch" in module.get_compiler_version()
    )


def test_an_operator_that_is_missing_says_so_when_called():
    operator = ops.StandIn().nms_rotated
    with pytest.raises(NotImplementedError, match="nms_rotated") as error:
        operator(1, labels=2)
    assert BUILD in str(error.value)


def test_a_module_that_is_not_ours_is_a_compiled_one(monkeypatch):
    monkeypatch.setitem(sys.modules, NAME, ModuleType(NAME))
    assert ops.install() == ops.Operators("compiled")


def test_asking_imports_neither_mmdet_nor_detection():
    code = "import sys; from lightnas.install.operators import operators; operators(); print(*sys.modules)"
    loaded = subprocess.run(
        [sys.executable, "-W", "ignore", "-c", code], capture_output=True, text=True, check=True
    )
    assert not {"mmdet", "lightnas.detection", "mmcv.ops"} & set(loaded.stdout.split())
