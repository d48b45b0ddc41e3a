"""The state of a search as a file: what ``Search.state`` says, and nothing else, comes back.

One npz: arrays by their path in the state, and ``json``, which has the rest of it and says where
the arrays belong.
"""

from __future__ import annotations

import io
from pathlib import Path
from typing import Annotated, Any, Literal

import numpy as np
from pydantic import FailFast, Field, model_validator

from ..documents import Amount, Count, Document, Real, check
from ..errors import InputError, shown
from ..json_file import json_text, parse_json
from ..npz_file import Arrays, array_of, read_npz

EXPECTED = "the checkpoint of a search"

# Evaluations, seconds, best score; JSON has lists alone.
Step = Annotated[tuple[Count, Amount, Amount], Field(strict=False)]


class Generator(Document):
    """numpy's PCG64: a state of two numbers of 128 bits, and half of the last number drawn."""

    class Numbers(Document):
        """The state itself."""

        state: Annotated[int, Field(ge=0, lt=2**128)]
        inc: Annotated[int, Field(ge=0, lt=2**128)]

    bit_generator: Literal["PCG64"]
    state: Numbers
    has_uint32: Literal[0, 1]
    uinteger: Annotated[int, Field(ge=0, lt=2**32)]


class EvolutionState(Document):
    """N genomes of D genes."""

    genomes: array_of("int64", "N", "D")  # type: ignore[valid-type]
    scores: array_of("float64", "N")  # type: ignore[valid-type]
    generation: Count
    rng: Generator


class Nodes(Document):
    """M open nodes under R budgets; columns of nothing once there is none."""

    minus_bound: array_of("float64", "M", or_none=True)  # type: ignore[valid-type]
    serial: array_of("int64", "M", or_none=True)  # type: ignore[valid-type]
    low: array_of("int64", "M", "D", or_none=True)  # type: ignore[valid-type]
    high: array_of("int64", "M", "D", or_none=True)  # type: ignore[valid-type]
    multipliers: array_of("float64", "M", "R", or_none=True)  # type: ignore[valid-type]

    @model_validator(mode="after")
    def _rows(self) -> Nodes:
        """A column of nothing fits no others that have something."""
        if len({len(getattr(self, name)) for name in Nodes.model_fields}) > 1:
            raise ValueError("have columns of one length")
        return self


class ProofState(Document):
    """As ``Proof.state`` has it."""

    genome: array_of("int64", "D")  # type: ignore[valid-type]
    score: Real
    work: Count
    serial: Count
    root_score: Real
    root_multipliers: array_of("float64", "R")  # type: ignore[valid-type]
    # Checkpoints of older versions have none.
    multipliers: array_of("float64", "R") = None  # type: ignore[valid-type]
    nodes: Nodes


class SearchState(Document):
    """As ``Search.state`` has it."""

    phase: Literal["start", "evolve", "prove", "done"]
    evaluations: Count
    improved_at: Count
    seconds: Amount
    evolution_seconds: Amount
    history: Annotated[list[Step], FailFast()]
    evolution: EvolutionState
    proof: ProofState | None


def format_state(state: dict[str, Any]) -> bytes:
    """The bytes of a file of nested dicts of arrays and JSON values: arrays by their path, the rest
    as JSON."""
    arrays: Arrays = {}

    def strip(value: Any, path: str) -> Any:
        if isinstance(value, np.ndarray):
            arrays[path] = value
            return {"array": path}
        if isinstance(value, dict):
            return {key: strip(inner, f"{path}.{key}") for key, inner in value.items()}
        return value

    text = json_text(strip(state, "state"))
    buffer = io.BytesIO()
    np.savez(buffer, json=np.array(text), **arrays)  # type: ignore[arg-type]
    return buffer.getvalue()


def read_state(path: Path, genes: int, budgets: int) -> dict[str, Any]:
    """The state that ``format_state`` was given, of a search over so many genes under so many
    budgets.

    Raises:
        InputError: one line that names the file: it cannot be read, or holds anything else.
    """
    arrays = read_npz(path, EXPECTED)
    try:
        text = arrays.pop("json")
        if text.dtype.kind != "U" or text.shape:
            raise ValueError("json is no text")
        document = _filled(parse_json(str(text)), arrays)
        if arrays:
            raise ValueError(f"nothing asks for {next(iter(arrays))}")
    except (KeyError, ValueError, TypeError, RecursionError) as error:
        raise InputError(
            f"{path}: is damaged ({shown(str(error))[1:-1]}), expected {EXPECTED}"
        ) from error
    return check(SearchState, document, str(path), D=genes, R=budgets).model_dump()


def _filled(value: Any, arrays: Arrays) -> Any:
    """The JSON with each array in its place, where it is taken out of ``arrays``."""
    if not isinstance(value, dict):
        return value
    if set(value) == {"array"}:
        return arrays.pop(value["array"])
    return {key: _filled(inner, arrays) for key, inner in value.items()}
