"""The worker process: it stays, takes one job after the other, and can be told to leave one.

Messages to it: ("begin", job, arguments), ("leave", ), ("hold",) and ("go on",). From it: dictionaries,
then None once a job has ended, however.
"""

from __future__ import annotations

import os
import threading
from contextlib import suppress
from multiprocessing.connection import Connection
from queue import SimpleQueue
from typing import Any

from ..search.workers import begin_worker
from .settings import Offered


class Inbox:
    """What the server has said, as it comes in.

    Attributes:
        jobs: those to do.
        left: set where the job at hand is to be left; ``may_go``: not set where it is to wait.
    """

    def __init__(self, connection: Connection) -> None:
        self.jobs: SimpleQueue[tuple[str, tuple[Any, ...]]] = SimpleQueue()
        self.left, self.may_go = threading.Event(), threading.Event()
        self.may_go.set()
        threading.Thread(target=self._listen, args=(connection,), daemon=True).start()

    def _listen(self, connection: Connection) -> None:
        while True:
            try:
                what, *told = connection.recv()
            except (EOFError, OSError):  # the server has ended
                os._exit(0)
            if what == "begin":
                self.left.clear()
                self.may_go.set()
                self.jobs.put((told[0], told[1]))
            elif what == "leave":
                self.left.set()
                self.may_go.set()
            elif what == "hold":
                self.may_go.clear()
            else:
                self.may_go.set()


def work(connection: Connection, offered: Offered, modules: tuple[str, ...]) -> None:
    """What the process does until the server ends.

    Args:
        connection: to the server.
        offered: what a page may choose from.
        modules: of the user's, whose blocks and spaces are to be known.
    """
    begin_worker(modules)
    inbox = Inbox(connection)
    from .drawing import warm
    from .jobs import JOBS, fault

    warm()
    with suppress(BrokenPipeError):  # the server has ended
        connection.send(None)
        while True:
            name, arguments = inbox.jobs.get()
            try:
                for event in JOBS[name](*arguments, offered):
                    inbox.may_go.wait()
                    if inbox.left.is_set():
                        break
                    if event is not None:
                        connection.send(event)
            except Exception as error:
                line = fault(error)
                if line is None:
                    raise
                connection.send({"fault": line})
            connection.send(None)
