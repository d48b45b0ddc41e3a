"""The search: a space and budgets in, the structure of the largest score and its bound out.

from lightnas.search import search

result = search("k1kxk1", flops=83.6e9, params=25.6e6, layers=91)
"""

from .engine import Limits, Progress, Search, SearchResult, search
from .fronts import front
from .problem import Budget, Problem
from .space import Space
from .space_file import load_space

__all__ = [
    "Budget",
    "Limits",
    "Problem",
    "Progress",
    "Search",
    "SearchResult",
    "Space",
    "front",
    "load_space",
    "search",
]
