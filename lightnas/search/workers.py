"""Worker processes for ``--workers``; from Python any ``concurrent.futures.Executor`` can be passed
instead."""

from __future__ import annotations

import multiprocessing
import os
import signal
import threading
from collections.abc import Iterator
from concurrent.futures import BrokenExecutor, Executor, ProcessPoolExecutor
from contextlib import contextmanager
from multiprocessing.connection import wait

from ..errors import WorkError
from ..network.modules import import_module, imported


@contextmanager
def workers(n: int) -> Iterator[Executor | None]:
    """An executor of n processes, or None for n = 1: the work is then done in this process.

    The processes are fresh interpreters (a fork would copy the threads' locks of this one), leave
    Ctrl-C to this process, and end when it ends, however it ends.

    Raises:
        WorkError: a worker died.
    """
    if n == 1:
        yield None
        return
    context = multiprocessing.get_context("spawn")
    others = multiprocessing.active_children()
    with ProcessPoolExecutor(
        n, mp_context=context, initializer=begin_worker, initargs=(imported(),)
    ) as executor:
        try:
            yield executor
        except BrokenExecutor as error:
            raise WorkError(
                "a worker process died (out of memory?); resume=True continues the search"
            ) from error
        finally:  # what they still do, or start, nobody waits for
            for child in set(multiprocessing.active_children()) - set(others):
                child.terminate()


def begin_worker(modules: tuple[str, ...]) -> None:
    """Begin a fresh process that works for another one: Ctrl-C is left to that one, it ends with
    it, and knows the user's modules."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    signal.signal(signal.SIGTERM, signal.SIG_DFL)
    threading.Thread(target=_end_with_parent, daemon=True).start()
    for name in modules:  # whose blocks are to be scored
        import_module(name)


def _end_with_parent() -> None:
    parent = multiprocessing.parent_process()
    assert parent is not None
    wait([parent.sentinel])
    os._exit(1)
