"""What a page is told about one address, event by event: the design, what moved, pins, the front.

A stream has a worker of its own and does one thing after the other, the design first. Finished designs
are kept, so that a pin, or a setting that was met before, is there at once.
"""

from __future__ import annotations

import asyncio
import json
from collections import OrderedDict
from collections.abc import AsyncIterator, Callable
from contextlib import aclosing
from typing import Any

from ..errors import InputError, WorkError
from .drawing import draw_moved, draw_pins
from .settings import Offered, Settings, View
from .state import State, is_final
from .workers import Worker, Workers

Event = dict[str, Any]
Tell = Callable[[Event], None]
# Finished designs, and fronts, that are kept.
MAX_KEPT = 256


class Kept(OrderedDict[str, Any]):
    """The last MAX_KEPT values that were kept."""

    def keep(self, key: str, value: Any) -> None:
        """Keep a value, and forget the oldest where there are too many."""
        self[key] = value
        self.move_to_end(key)
        if len(self) > MAX_KEPT:
            self.popitem(last=False)


class Streams:
    """The streams of all tabs. A newer one of a tab ends the one before it."""

    def __init__(self, offered: Offered) -> None:
        self.workers = Workers(offered)
        self._designs, self._fronts = Kept(), Kept()
        self._tabs: dict[str, asyncio.Task[None]] = {}

    def end(self) -> None:
        """End all streams and workers."""
        for task in self._tabs.values():
            task.cancel()
        self.workers.end()

    async def lines(self, view: View, tab: str) -> AsyncIterator[bytes]:
        """The events of a view as lines of JSON, until all is known or a newer stream of the tab
        begins."""
        events: asyncio.Queue[Event | None] = asyncio.Queue()
        task = asyncio.create_task(self._tell(view, events.put_nowait))
        task.add_done_callback(lambda _: events.put_nowait(None))
        if before := self._tabs.pop(tab, None):
            before.cancel()
        self._tabs[tab] = task
        try:
            while (event := await events.get()) is not None:
                told = {key: value for key, value in event.items() if key != "state"}
                yield json.dumps(told, allow_nan=False).encode() + b"\n"
            if not task.cancelled():
                task.result()
        finally:
            task.cancel()
            if self._tabs.get(tab) is task:
                del self._tabs[tab]

    async def file(self, name: str, settings: Settings) -> bytes:
        """A file of a design.

        Raises:
            InputError: the settings are none.
            WorkError: it cannot be made.
        """
        async with self.workers.taken() as worker:
            state = await self._design(worker, settings)
            worker.spent = name.endswith(".onnx")
            async with aclosing(self.workers.later(worker, "files", name, settings, state)) as told:
                async for event in told:
                    _check(event)
                    return bytes(event["content"])
        raise WorkError(f"{name} was not made")

    # --- what is told --------------------------------------------------------------------------------------------

    async def _tell(self, view: View, tell: Tell) -> None:
        try:
            async with self.workers.taken() as worker:
                state = await self._design(worker, view.settings, tell)
                tell({"said": said(state), "end": True})
                await self._tell_moved(worker, view, state, tell)
                await self._tell_pins(worker, view, state, tell)
                await self._tell_front(worker, view.settings, tell)
                tell({"done": True})
        except (InputError, WorkError) as error:
            tell({"fault": str(error)})

    async def _design(self, worker: Worker, settings: Settings, tell: Tell | None = None) -> State:
        """The finished design of a setting; with ``tell`` all that is known on the way to it is
        told, and it comes before what others can wait for.

        Raises:
            InputError: the settings are none, or no structure is within the budgets.
        """
        key, of = str(settings), self.workers
        if key in self._designs:
            known: list[Event] = self._designs[key]
            if tell:
                for event in known:
                    tell(event)
        else:
            known, run = [], of.urgent if tell else of.later
            async with aclosing(run(worker, "answers", settings)) as told:
                async for event in told:
                    _check(event)
                    if tell:
                        tell(event)
                    if "state" not in event or is_final(event["state"]):
                        known.append(event)
            self._designs.keep(key, known)
        return next(dict(event["state"]) for event in known if "state" in event)

    async def _tell_moved(self, worker: Worker, view: View, state: State, tell: Tell) -> None:
        parts = {"moved": ""}
        if view.since is not None and view.since != view.settings:
            try:
                parts = draw_moved(await self._design(worker, view.since), state)
            except InputError as error:
                tell({"fault": f"since: {error}"})
        tell({"parts": parts})

    async def _tell_pins(self, worker: Worker, view: View, state: State, tell: Tell) -> None:
        pinned: list[State] = []
        for pin in view.pins:
            try:
                pinned.append(await self._design(worker, pin))
            except InputError as error:
                tell({"fault": f"a pinned design: {error}"})
            tell({"parts": draw_pins(state, pinned)})
        if not pinned:
            tell({"parts": {"pins": ""}})

    async def _tell_front(self, worker: Worker, settings: Settings, tell: Tell) -> None:
        key = str(settings)
        if key in self._fronts:
            tell(self._fronts[key])
            return
        last: Event = {"parts": {"front": ""}}
        async with aclosing(self.workers.later(worker, "front", settings)) as told:
            async for event in told:
                _check(event)
                tell(event)
                last = event
        self._fronts.keep(key, last)
        if not last["parts"]["front"]:  # no budget around it leaves a structure
            tell(last)


def said(state: State) -> str:
    """What a finished design is, for those who hear the page."""
    score = f"score {state['found']['score']:.3f}"
    return f"Proven optimal: {score}" if state["found"].get("proven_optimal") else f"Found: {score}"


def _check(event: Event) -> None:
    """Raise what a job says of a bad setting, or of work that failed."""
    if "fault" in event:
        raise InputError(event["fault"])
