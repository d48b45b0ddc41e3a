"""What holds the house: everything public says what it is, raises and is shaped like; no circles;
one vocabulary."""

import ast
import re
from graphlib import TopologicalSorter
from pathlib import Path

import pytest

import lightnas
from lightnas.network.blocks import BLOCKS
from lightnas.network.cost import Cost
from lightnas.resources import RESOURCES

HOUSE = Path(lightnas.__file__).parent
MODULES = {
    path.relative_to(HOUSE).as_posix(): ast.parse(path.read_text())
    for folder in (HOUSE, HOUSE / "detection")  # rglob does not follow the link
    for path in sorted(folder.rglob("*.py"))
}
Function = ast.FunctionDef | ast.AsyncFunctionDef

# Methods that torch, click and mmcv call and describe.
CALLED_BY_FRAMEWORKS = {
    "forward",
    "parse_args",
    "resolve_command",
    "after_train_epoch",
    "before_train_epoch",
}
ARRAYS = re.compile(r"\b(Floats|Flags|Genomes|NDArray|ndarray|Tensor|Array)\b")
SHAPE = re.compile(
    r"\bshape[sd]?\b|\([A-Za-z0-9]+,\)|\([A-Za-z0-9_. *+/]+(, ?[A-Za-z0-9_. *+/]+)+\)|\bscalar\b"
)
OURS = {"InputError", "WorkError"}


def public(name):
    return not name.startswith("_")


def definitions():
    """(where, node, class or None) of every public function, class, method and property."""
    for path, tree in MODULES.items():
        for node in tree.body:
            if isinstance(node, Function | ast.ClassDef) and public(node.name):
                yield f"{path}:{node.name}", node, None
                for inner in node.body if isinstance(node, ast.ClassDef) else ():
                    if isinstance(inner, Function) and public(inner.name):
                        yield f"{path}:{node.name}.{inner.name}", inner, node


DEFINITIONS = list(definitions())
CLASSES = {node.name: node for _, node, holder in DEFINITIONS if isinstance(node, ast.ClassDef)}


def bases(node):
    return [base.id for base in node.bases if isinstance(base, ast.Name)]


def said_above(name, holder):
    """Whether a base class of the house documents the method, or a framework's does."""
    above = [CLASSES[base] for base in bases(holder) if base in CLASSES]
    inherited = any(
        isinstance(inner, Function) and inner.name == name and ast.get_docstring(inner)
        for node in above
        for inner in node.body
    )
    return inherited or (bool(holder.bases) and name in CALLED_BY_FRAMEWORKS)


def setter(node):
    return any(isinstance(mark, ast.Attribute) for mark in getattr(node, "decorator_list", ()))


def own(node):
    """The nodes of a body, without those of functions defined in it."""
    stack = list(node.body)
    while stack:
        at = stack.pop()
        if not isinstance(at, Function | ast.ClassDef | ast.Lambda):
            yield at
            stack.extend(ast.iter_child_nodes(at))


def is_command(node):
    """Whether the docstring is the help of a command, whose exit status says that it failed."""
    return any(".command(" in ast.unparse(mark) for mark in getattr(node, "decorator_list", ()))


def raises_ours(node):
    named = (
        at.exc.func if isinstance(at.exc, ast.Call) else at.exc
        for at in own(node)
        if isinstance(at, ast.Raise)
    )
    return any(isinstance(name, ast.Name) and name.id in OURS for name in named)


def begins(node):
    """What a class runs when it is called."""
    return [
        inner
        for inner in node.body
        if isinstance(inner, Function) and inner.name in ("__init__", "__post_init__")
    ]


def test_everything_public_says_what_it_is():
    silent = [
        where
        for where, node, holder in DEFINITIONS
        if not ast.get_docstring(node)
        and not (holder and (said_above(node.name, holder) or setter(node)))
    ]
    assert not silent, "\n".join(silent)


def test_every_module_says_what_it_holds():
    assert not [path for path, tree in MODULES.items() if not ast.get_docstring(tree)]


def test_what_raises_says_so():
    silent = []
    for where, node, _ in DEFINITIONS:
        if is_command(node):
            continue
        bodies = begins(node) if isinstance(node, ast.ClassDef) else [node]
        text = (ast.get_docstring(node) or "") + "".join(
            ast.get_docstring(body) or "" for body in bodies
        )
        if any(map(raises_ours, bodies)) and not re.search(r"\b[Rr]ais|[Ee]rrors? as for", text):
            silent.append(where)
    assert not silent, "\n".join(silent)


def test_array_functions_state_shapes():
    silent = []
    for where, node, holder in DEFINITIONS:
        if isinstance(node, ast.ClassDef) or (holder and said_above(node.name, holder)):
            continue
        notes = [arg.annotation for arg in [*node.args.args, *node.args.kwonlyargs]]
        typed = " ".join(ast.unparse(note) for note in [*notes, node.returns] if note)
        words = [node.args.vararg.arg] if node.args.vararg else []
        words += [ast.get_docstring(at) or "" for at in (node, holder) if at]
        text = " ".join(words)
        if ARRAYS.search(typed) and not SHAPE.search(text):
            silent.append(where)
    assert not silent, "\n".join(silent)


# --- circles --------------------------------------------------------------------------------------------------------


def file_of(name):
    """The module file of a dotted name in the house, the package's own for a folder; None for
    anything else."""
    path = "/".join(name)
    return next((p for p in (f"{path}.py", f"{path}/__init__.py") if p in MODULES), None)


def imports(path, tree):
    """The files that a module imports, in its functions and for the type checker too."""
    package = Path(path).parent.parts
    for node in ast.walk(tree):
        if isinstance(node, ast.ImportFrom) and node.level:
            base = package[: len(package) - node.level + 1] + tuple(
                (node.module or "").split(".") if node.module else ()
            )
            for alias in node.names:
                yield file_of((*base, alias.name)) or file_of(base)
        elif isinstance(node, ast.ImportFrom) and node.module.split(".")[0] == "lightnas":
            base = tuple(node.module.split(".")[1:])
            for alias in node.names:
                yield file_of((*base, alias.name)) or file_of(base)


def test_no_module_imports_itself_in_a_circle():
    graph = {path: {*imports(path, tree)} - {None} for path, tree in MODULES.items()}
    assert graph["search/engine.py"] >= {"search/problem.py", "network/cost.py", "errors.py"}
    list(TopologicalSorter(graph).static_order())  # raises CycleError with the files


# --- one vocabulary -------------------------------------------------------------------------------------------------

# Where the words of budgets stand: the table, the figures, the result that spells them out for
# readers, published networks.
VOCABULARY = {"resources.py", "network/cost.py", "search/result.py", "network/published.py"}


def lists_words(tree, words, most):
    """Lines of displays (tuple, list, set, keys of a dict) that hold more than ``most`` of the
    words."""
    for node in ast.walk(tree):
        items = node.keys if isinstance(node, ast.Dict) else getattr(node, "elts", ())
        found = [item.value for item in items if isinstance(item, ast.Constant)]
        if len({word for word in found if isinstance(word, str)} & set(words)) > most:
            yield node.lineno


@pytest.mark.parametrize(
    ("words", "most", "may"),
    [(RESOURCES, 2, VOCABULARY), (BLOCKS, 1, {"network/blocks.py"})],
    ids=["resources", "blocks"],
)
def test_words_are_typed_once(words, most, may):
    """A new budget is an entry in RESOURCES and a figure in Cost; a new block is an entry in
    BLOCKS.

    Two resources beside each other are a choice, all of them are a list that a new one would have
    to join.
    """
    again = [
        f"{path}:{line}"
        for path, tree in MODULES.items()
        if path not in may
        for line in lists_words(tree, words, most)
    ]
    assert not again, "\n".join(again)
    assert list(lists_words(ast.parse(repr([*words])), words, most)) == [1]  # it can fail


def test_every_resource_has_its_figure():
    assert tuple(RESOURCES) == Cost._fields


def test_no_input_error_is_wrapped_in_another():
    """It is a ValueError, so what catches those around it lets it pass first."""
    for name, tree in MODULES.items():
        for node in ast.walk(tree):
            if isinstance(node, ast.Try) and any(map(_raises_ours, node.body)):
                for handler in node.handlers:
                    caught = ast.unparse(handler.type) if handler.type else "Exception"
                    if "InputError" in caught or "InputError)" in ast.unparse(handler.body[0]):
                        break
                    assert not re.search(r"\b(ValueError|Exception)\b", caught), (name, node.lineno)


def _raises_ours(statement):
    raised = (node.exc for node in ast.walk(statement) if isinstance(node, ast.Raise) and node.exc)
    return any(re.match("InputError|PictureError|_refusal", ast.unparse(one)) for one in raised)
