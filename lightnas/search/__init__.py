"""The search: a space and budgets in, the structure of the largest score and its bound out.

    from lightnas.search import search

    result = search("k1kxk1", flops=83.6e9, params=25.6e6, layers=91)

``Search`` does the same step by step; docs/python.md has both.
"""

from .engine import Limits, Progress, Search, search
from .fronts import Front, Point, front
from .objective import Budget, Evaluation
from .problem import Problem
from .result import Found, SearchResult
from .space import Space
from .space_file import load_space

__all__ = [
    "Budget",
    "Evaluation",
    "Found",
    "Front",
    "Limits",
    "Point",
    "Problem",
    "Progress",
    "Search",
    "SearchResult",
    "Space",
    "front",
    "load_space",
    "search",
]
