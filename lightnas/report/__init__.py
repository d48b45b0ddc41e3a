"""The page at the end of every run."""

from .page import write_report

__all__ = ["write_report"]
