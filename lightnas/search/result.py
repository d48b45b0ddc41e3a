"""What a search found: figures, structure and bound, as attributes, as a JSON document and as a
table."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from html import escape
from typing import TYPE_CHECKING, Annotated, Any, Literal, TypeVar

from pydantic import Field, create_model

from ..arrays import Genomes
from ..documents import Amount, Count, Document, Real, check
from ..errors import InputError, require
from ..network.cost import Cost
from ..network.detector import parse_detector
from ..network.entropy import effectiveness
from ..network.score import PARTS
from ..network.structure import Structure
from ..resources import RESOURCES
from ..units import whole
from .objective import Evaluation
from .space import Space

if TYPE_CHECKING:
    from pandas import DataFrame

F = TypeVar("F", bound="Found")

# Fields that a document holds as they are, in its order, after the score and the costs.
PLAIN = (
    "upper_bound",
    "gap",
    "proven_optimal",
    "evaluations",
    "evaluations_per_second",
    "seconds",
    "seed",
)


# Fields that follow them where there are such; the first versions had none of these.
LATER = ("detector", "shadow_prices", "score_parts", "cheapest")
# Of the plain ones, those that there are only where there is a bound.
OF_BOUND = ("upper_bound", "gap", "proven_optimal")


def gap(score: float, upper_bound: float) -> float:
    """How far a score may be below the best there is, as a share of its bound."""
    if upper_bound > 0:
        return 1 - score / upper_bound
    return (upper_bound - score) / -upper_bound if upper_bound < 0 else abs(score)


# What ``document`` holds, as it is read back; what older versions did not write may be missing, and
# so may what belongs to a bound, all of it.
_Name: Any = Literal[tuple(RESOURCES)]  # type: ignore[valid-type]
_Part: Any = Literal[PARTS]  # type: ignore[valid-type]


class CheapestFile(Document):
    """What ``--within`` adds to a result, ``cheapest`` in JSON.

    Attributes:
        within: the share; minimise: the resource.
        best_score: of the structure that scores most, of which the share is taken.
        proven: nothing that scores so much uses less, but for rounding.
        at_least: what is proven that all such structures use, in the unit of results.
    """

    within: Amount
    minimise: _Name
    best_score: Amount
    proven: bool
    at_least: Amount


FoundFile = create_model(
    "FoundFile",
    __base__=Document,
    score=(Real, ...),
    **{r.name: (Amount, ...) if r.always else (Amount | None, None) for r in RESOURCES.values()},
    upper_bound=(Real | None, None),
    gap=(Real | None, None),
    proven_optimal=(bool | None, None),
    evaluations=(Count, ...),
    evaluations_per_second=(Amount, ...),
    seconds=(Amount, ...),
    seed=(int, ...),
    detector=(str, None),
    shadow_prices=(Annotated[dict[_Name, Amount], Field(min_length=1)], None),
    score_parts=(Annotated[dict[_Part, Real], Field(min_length=3, max_length=3)], None),
    cheapest=(CheapestFile, None),
    structure=(list[Any], ...),
)  # type: ignore[call-overload]


@dataclass(frozen=True, repr=False)
class Found:
    """The best structure of one search.

    Attributes:
        score: of the structure.
        cost: its FLOPs in multiply-accumulates at the input size of the problem, params, layers,
            where there was a latency table, seconds, and where they were limited, activations and
            rho. ``flops``, ``params``, ``layers``, ``latency`` and ``activations`` are short for
            it; ``rho`` is there in any case.
        upper_bound: no structure of the space within the budgets scores more; None, with ``gap``
            and ``proven_optimal``, where the score has no closed form, or time ran out before there
            was a bound.
        gap: 1 - score / upper_bound.
        proven_optimal: nothing in the space scores more, but for rounding.
        evaluations: structures that were scored.
        evaluations_per_second: evaluations over the seconds spent proposing and scoring.
        seconds: of the whole search, the proof included.
        seed: of the search.
        structure: the best one.
        detector: whose neck and head are in the costs, as ``--detector`` has it; None: none.
        shadow_prices: what one more G of FLOPs, M of params, layer, millisecond, M of activations
            or 0.01 of rho would add to the bound, by budgeted resource (``Relaxation.shadow_prices``); None where
            there is no bound.
        score_parts: what ``widths``, ``kernels`` and ``depth`` give to the score
            (``network.score.score_parts``); None in results of older versions.
        cheapest: where the cheapest structure within a share of the best score was asked for, what
            ``CheapestFile`` says; ``structure``, ``score`` and ``cost`` are then of that one.
    """

    score: float
    cost: Cost
    upper_bound: float | None
    gap: float | None
    proven_optimal: bool | None
    evaluations: int
    evaluations_per_second: float
    seconds: float
    seed: int
    structure: Structure
    detector: str | None = field(default=None, kw_only=True)
    shadow_prices: dict[str, float] | None = field(default=None, kw_only=True)
    score_parts: dict[str, float] | None = field(default=None, kw_only=True)
    cheapest: dict[str, Any] | None = field(default=None, kw_only=True)

    @property
    def flops(self) -> float:
        """Multiply-accumulates."""
        return float(self.cost.flops)

    @property
    def params(self) -> float:
        """Weights, and two a BN channel."""
        return float(self.cost.params)

    @property
    def layers(self) -> float:
        """Convolutions on the main path."""
        return float(self.cost.layers)

    @property
    def latency(self) -> float | None:
        """Seconds by the latency table; None without one."""
        return None if self.cost.latency is None else float(self.cost.latency)

    @property
    def activations(self) -> float | None:
        """Output elements of all convolutions; None where they are not limited."""
        return None if self.cost.activations is None else float(self.cost.activations)

    @property
    def rhos(self) -> list[float]:
        """rho where each stage ends (``network.entropy.effectiveness``)."""
        return [float(rho) for rho in effectiveness(self.structure)]

    @property
    def rho(self) -> float:
        """The largest of them: depth over mean width, which a budget may limit."""
        return max(self.rhos)

    @property
    def document(self) -> dict[str, Any]:
        """What result.json and ``search --json`` hold: plain numbers, FLOPs in
        multiply-accumulates, seconds."""
        costs = {
            name: whole(float(value)) if RESOURCES[name].counted else float(value)
            for name, value in self.cost.known().items()
        }
        plain = {name: getattr(self, name) for name in PLAIN}
        if self.upper_bound is None:
            plain = {name: value for name, value in plain.items() if name not in OF_BOUND}
        later = {name: getattr(self, name) for name in LATER}
        later = {name: value for name, value in later.items() if value is not None}
        structure = {"structure": self.structure.to_dicts()}
        return {"score": self.score} | costs | plain | later | structure

    @classmethod
    def from_document(cls: type[F], document: Any, where: str = "result", **more: Any) -> F:
        """What ``document`` was made from; ``where`` opens the error messages.

        ``more`` are the fields that a subclass adds.

        Raises:
            InputError: the first key that is missing, or whose value is none.
        """
        file: Any = check(FoundFile, document, where)
        plain = {name: getattr(file, name) for name in (*PLAIN, *LATER)}
        plain["cheapest"] = file.cheapest and file.cheapest.model_dump()
        if file.detector is not None:
            parse_detector(file.detector, f"{where}: detector")
        if file.proven_optimal is None and file.gap is not None:
            plain["proven_optimal"] = file.gap == 0
        if (file.gap is None) != (file.upper_bound is None):
            lost, other = ("gap", "upper_bound") if file.gap is None else ("upper_bound", "gap")
            raise InputError(f"{where}: {lost} is missing, expected it beside {other}")
        return cls(
            score=file.score,
            cost=Cost(**{name: getattr(file, name) for name in RESOURCES}),
            structure=Structure.from_dicts(file.structure, f"{where}: structure"),
            **plain,
            **more,
        )

    def figures(self) -> dict[str, str]:
        """Score, cost and gap as people read them, by what they are called."""
        costs = {
            RESOURCES[name].label: RESOURCES[name].format(value, 4)
            for name, value in self.cost.known().items()
        }
        return {"score": f"{self.score:.3f}"} | costs | {"gap": self.gap_text("0 (proven optimal)")}

    def depth_is_at_limit(self, space: Space) -> bool:
        """Whether every block that has a choice is as deep as the searched space allows: then its
        limits decide, not the budgets."""
        blocks = zip(self.structure, space.blocks, strict=True)
        free = [(one.depth, of.depth[1]) for one, of in blocks if of.depth[0] < of.depth[1]]
        return bool(free) and all(depth == most for depth, most in free)

    def priced(self) -> dict[str, str]:
        """The shadow prices as people read them, by resource: ``1.545 a G of FLOPs``."""
        return {
            name: f"{price:.4g} a {RESOURCES[name].one_more}"
            for name, price in (self.shadow_prices or {}).items()
        }

    def cheapest_text(self) -> str | None:
        """What is said of the cheapest structure; None where none was asked for."""
        if self.cheapest is None:
            return None
        resource = RESOURCES[self.cheapest["minimise"]]
        said = f"within {100 * self.cheapest['within']:.4g} % of {self.cheapest['best_score']:.4f}"
        if self.cheapest["proven"]:
            return (
                f"fewest {resource.label} {said}, proven"
                if resource.counted
                else f"least {resource.label} {said}, proven"
            )
        return (
            f"{said}, at least {resource.format(self.cheapest['at_least'])} {resource.label} proven"
        )

    def gap_text(self, proven: str) -> str:
        """The gap as people read it; ``proven`` where it is proven to be none."""
        if self.gap is None:
            return "unknown (no bound)"
        return proven if self.proven_optimal else f"{100 * self.gap:.4f} %"

    def __repr__(self) -> str:
        figures = ", ".join(f"{name} {text}" for name, text in self.figures().items())
        return f"{type(self).__name__}({figures})"

    def _repr_html_(self) -> str:
        """What a notebook shows: the figures, and a row a block."""
        return html_table([self.figures()]) + html_table(self.structure.to_dicts())


@dataclass(frozen=True, repr=False)
class SearchResult(Found):
    """What a search found, and its final population.

    Attributes:
        top: structures of the final population, best first; ``structure`` is the first of them.
        genomes, evaluation: the same population as arrays, (N, D) and N each.
        history: (evaluations, seconds, best score) after each step.
        genes: what each column of ``genomes`` is: the index of a block and a key of it.
    """

    top: list[Structure]
    genomes: Genomes
    evaluation: Evaluation
    history: list[tuple[int, float, float]]
    genes: tuple[tuple[int, str], ...]

    def to_frame(self) -> DataFrame:
        """The final population as a pandas frame, a row a structure, best first: score and costs.

        Raises:
            InputError: pandas is not installed.
        """
        return frame(self.evaluation.columns())


def frame(columns: Any) -> DataFrame:
    """A pandas frame of columns or of rows.

    Raises:
        InputError: pandas is not installed.
    """
    require("to_frame", "pandas", "pandas")
    import pandas

    return pandas.DataFrame(columns)


def html_table(rows: Sequence[dict[str, Any]]) -> str:
    """Rows as an HTML table, a column a key."""
    keys = list(dict.fromkeys(key for row in rows for key in row))
    head = "".join(f"<th>{escape(str(key))}</th>" for key in keys)
    body = "".join(
        f"<tr>{''.join(f'<td>{escape(str(row.get(key, str())))}</td>' for key in keys)}</tr>"
        for row in rows
    )
    return f"<table><thead><tr>{head}</tr></thead><tbody>{body}</tbody></table>"
