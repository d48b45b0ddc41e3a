"""Worker processes as the server sees them: taken for one stream, given back warm.

Searches are cancelled at their next step; a worker that takes longer than that is ended, and another
one begun. So an answer never waits for one that nobody wants any more.
"""

from __future__ import annotations

import asyncio
import multiprocessing
import signal
import threading
from collections.abc import AsyncGenerator, AsyncIterator
from contextlib import asynccontextmanager, suppress
from multiprocessing.resource_tracker import ensure_running
from typing import Any

from ..errors import WorkError
from ..network.modules import imported
from .settings import Offered
from .worker import work

# Workers that wait for the next setting, and all there are at a time, one a stream.
WARM, MOST = 2, 6
# Seconds that a worker has to leave a job: a step is short but on a busy machine, and a worker that is
# begun anew costs more than one that is waited for; others do the work meanwhile.
PATIENCE = 5.0
DIED = "the search's process died (out of memory?); the page goes on with the next setting"


class Worker:
    """One process. It does one job at a time, and reports into ``told``.

    Attributes:
        spent: it holds what no search needs, and is not kept.
    """

    def __init__(self, offered: Offered) -> None:
        context = multiprocessing.get_context("spawn")
        self.connection, other = context.Pipe()
        self.process = context.Process(target=work, args=(other, offered, imported()), daemon=True)
        # Blocked in the child for good: Ctrl-C is the server's, from the child's first instant on.
        # Python's tracker of resources, which the first child would begin, unblocks it.
        ensure_running()
        before = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT})
        try:
            self.process.start()
        finally:
            signal.pthread_sigmask(signal.SIG_SETMASK, before)
        other.close()
        self.told: asyncio.Queue[dict[str, Any] | EOFError | None] = asyncio.Queue()
        self.busy, self.begun, self.spent = False, False, False
        self._loop = asyncio.get_running_loop()
        threading.Thread(target=self._listen, daemon=True).start()

    def _listen(self) -> None:
        while True:
            try:
                told = self.connection.recv()
            except (EOFError, OSError):
                told = EOFError()
            try:
                self._loop.call_soon_threadsafe(self.told.put_nowait, told)
            except RuntimeError:  # the loop is closed: the server ends
                return
            if isinstance(told, EOFError):
                return

    async def run(
        self, job: str, *arguments: Any, held: bool = False
    ) -> AsyncGenerator[dict[str, Any], None]:
        """The events of a job; ``held``: it waits from the beginning.

        Raises:
            WorkError: the process died.
        """
        if not self.begun:
            await self._ended()
            self.begun = True
        await self.leave()  # what was refused may not have said yet that it has ended
        self.busy = True
        self._say("begin", job, arguments)
        self.hold(held)
        while (event := await self._next()) is not None:
            yield event
        self.busy = False

    async def leave(self) -> None:
        """Have the job at hand left.

        Raises:
            WorkError: the process died.
        """
        if self.busy:
            self._say("leave")
            await self._ended()
            self.busy = False

    def hold(self, held: bool) -> None:
        """Have the job at hand wait, or go on."""
        if self.busy:
            with suppress(WorkError):  # that it died is said to whoever waits for it
                self._say("hold" if held else "go on")

    def end(self) -> None:
        """End the process, whatever it does."""
        self.process.kill()
        self.process.join()
        self.connection.close()

    async def _ended(self) -> None:
        while await self._next() is not None:
            pass

    async def _next(self) -> dict[str, Any] | None:
        told = await self.told.get()
        if isinstance(told, EOFError):
            raise WorkError(DIED)
        return told

    def _say(self, *told: Any) -> None:
        try:
            self.connection.send(told)
        except OSError as error:
            raise WorkError(DIED) from error


class Workers:
    """All worker processes of a server. ``begin`` starts those that are kept warm, ``end`` ends
    all."""

    def __init__(self, offered: Offered) -> None:
        self.offered = offered
        self.all: set[Worker] = set()
        self._idle: list[Worker] = []
        self._room = asyncio.Semaphore(MOST)
        self._settling: set[asyncio.Task[None]] = set()
        self._urgent = 0
        self._later: set[Worker] = set()
        self.ended = False

    def begin(self) -> None:
        """Start the processes that wait for the first settings."""
        while len(self._idle) < WARM:
            self._idle.append(self._new())

    def end(self) -> None:
        """End all processes."""
        self.ended = True
        for worker in list(self.all):
            self._drop(worker)

    @asynccontextmanager
    async def taken(self) -> AsyncIterator[Worker]:
        """A worker for a stream; whatever it still does when the stream ends is left."""
        await self._room.acquire()
        worker = self._idle.pop() if self._idle else self._new()
        try:
            yield worker
        finally:
            task = asyncio.create_task(self._settle(worker))
            self._settling.add(task)
            task.add_done_callback(self._settling.discard)

    async def urgent(
        self, worker: Worker, job: str, *arguments: Any
    ) -> AsyncGenerator[dict[str, Any], None]:
        """The events of a job that somebody waits for: whatever is ``later`` stands still."""
        self._urgent += 1
        self._hold()
        try:
            async for event in worker.run(job, *arguments):
                yield event
        finally:
            self._urgent -= 1
            self._hold()

    async def later(
        self, worker: Worker, job: str, *arguments: Any
    ) -> AsyncGenerator[dict[str, Any], None]:
        """The events of a job that can wait."""
        self._later.add(worker)
        try:
            async for event in worker.run(job, *arguments, held=self._urgent > 0):
                yield event
        finally:
            self._later.discard(worker)

    def _hold(self) -> None:
        for worker in self._later:
            worker.hold(self._urgent > 0)

    async def _settle(self, worker: Worker) -> None:
        """Make a worker that was given back ready for the next stream, or replace it."""
        leaving = asyncio.create_task(worker.leave())
        await asyncio.wait({leaving}, timeout=PATIENCE)
        left = leaving.done() and leaving.exception() is None
        leaving.cancel()
        if self.ended:
            return
        if left and not worker.spent and len(self._idle) < WARM:
            self._idle.append(worker)
        else:
            self._drop(worker)
            self.begin()
        self._room.release()

    def _new(self) -> Worker:
        worker = Worker(self.offered)
        self.all.add(worker)
        return worker

    def _drop(self, worker: Worker) -> None:
        self.all.discard(worker)
        worker.end()
