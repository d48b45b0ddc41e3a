"""The server: one process on 127.0.0.1 that serves its own page and nothing else.

Whoever asks must name it as 127.0.0.1 or localhost (another name is that of a page that was made to
point here), and no page of another origin may ask anything. It reads no file for an address: page,
style and script are held as texts, and spaces and tables are those of the command line.
"""

from __future__ import annotations

import json
import logging
import socket
from collections.abc import Callable, Mapping
from importlib.util import find_spec

import uvicorn
from starlette.applications import Starlette
from starlette.datastructures import Headers, MutableHeaders
from starlette.requests import Request
from starlette.responses import PlainTextResponse, Response, StreamingResponse
from starlette.routing import Route
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from ..errors import InputError, WorkError, installs
from .drawing import draw_page, draw_script, draw_style
from .jobs import FILES
from .settings import MAX_LENGTH, Offered, Settings, View
from .streams import Streams

HOST = "127.0.0.1"
NAMES = (HOST, "localhost")
# What each file of a design needs beyond the light installation, and the extra that brings it.
NEEDS: Mapping[str, tuple[str, ...]] = {"backbone.onnx": ("torch", "onnx", "onnxruntime")}
EXTRA = "onnx"
# Nothing from elsewhere, nothing inline but the places of charts, in nobody's frame.
HEADERS = {
    "content-security-policy": (
        "default-src 'none'; script-src 'self'; style-src 'self'; style-src-attr 'unsafe-inline'; "
        "connect-src 'self'; img-src data:; base-uri 'none'; form-action 'none'; "
        "frame-ancestors 'none'"
    ),
    "x-content-type-options": "nosniff",
    "referrer-policy": "no-referrer",
    "cross-origin-opener-policy": "same-origin",
    "cross-origin-resource-policy": "same-origin",
    "cache-control": "no-store",
}
NDJSON = "application/x-ndjson"


class Guard:
    """Refuses whoever does not name the server as NAMES at its port, and pages of other origins."""

    def __init__(self, app: ASGIApp, port: int) -> None:
        self.app = app
        self.hosts = {f"{name}:{port}" for name in NAMES} | (set(NAMES) if port == 80 else set())

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        async def sent(message: Message) -> None:
            if message["type"] == "http.response.start":
                MutableHeaders(scope=message).update(HEADERS)
            await send(message)

        line = self.fault(Headers(scope=scope), scope["path"])
        app = self.app if line is None else PlainTextResponse(f"{line}\n", 403)
        await app(scope, receive, sent)

    def fault(self, headers: Headers, path: str) -> str | None:
        """What is wrong with who asks; None where nothing is. The page itself may be linked to."""
        hosts = {*headers.getlist("host")}
        if not hosts or not hosts <= self.hosts:
            return f"Host is not {' or '.join(sorted(self.hosts))}, expected one of them"
        own = {"same-origin", "none"}
        asked = {*headers.getlist("origin")} <= {f"http://{host}" for host in self.hosts}
        if not asked or (path != "/" and not {*headers.getlist("sec-fetch-site")} <= own):
            return "asked by a page of another origin, expected the page that is served here"
        return None


def application(offered: Offered, streams: Streams, port: int) -> ASGIApp:
    """The page, its parts, and what it asks."""
    page = draw_page(offered, [(name, _missing(name)) for name in FILES])
    texts = {
        "/": (page, "text/html"),
        "/style.css": (draw_style(), "text/css"),
        "/script.js": (draw_script(), "text/javascript"),
    }

    async def text(request: Request) -> Response:
        content, kind = texts[request.url.path]
        return Response(content, media_type=kind)

    async def answers(request: Request) -> Response:
        try:
            view = View.parse(await _body(request))
        except InputError as error:
            return _fault(error)
        tab = request.query_params.get("tab", "")[:64]
        return StreamingResponse(streams.lines(view, tab), media_type=NDJSON)

    async def file(request: Request) -> Response:
        name = request.path_params["name"]
        if name not in FILES:
            return PlainTextResponse("there is no such file\n", 404)
        try:
            if missing := _missing(name):
                raise InputError(f"{name}: {missing}")
            content = await streams.file(name, Settings.parse(request.url.query))
        except (InputError, WorkError) as error:
            status = 400 if isinstance(error, InputError) else 500
            return PlainTextResponse(f"{error}\n", status)
        headers = {"content-disposition": f'attachment; filename="{name}"'}
        return Response(content, media_type="application/octet-stream", headers=headers)

    routes = [Route(path, text) for path in texts]
    routes += [Route("/answers", answers, methods=["POST"]), Route("/{name}", file)]
    return Guard(Starlette(routes=routes), port)


async def _body(request: Request) -> str:
    """The text of a request.

    Raises:
        InputError: it is too long, or no text.
    """
    content = b""
    async for part in request.stream():
        content += part
        if len(content) > MAX_LENGTH:
            raise InputError(f"the address is too long, expected at most {MAX_LENGTH} bytes")
    try:
        return content.decode()
    except UnicodeDecodeError as error:
        raise InputError("the address is no text in UTF-8, expected one") from error


def _fault(error: InputError) -> Response:
    """The line as the page reads it. 200: browsers complain of every other status."""
    return Response(json.dumps({"fault": str(error)}) + "\n", media_type=NDJSON)


def _missing(name: str) -> str:
    """What keeps a file of a design from being made; empty where nothing does."""
    missing = [module for module in NEEDS.get(name, ()) if find_spec(module) is None]
    return f"{missing[0]} is not installed: {installs(EXTRA)}" if missing else ""


# --- running -------------------------------------------------------------------------------------------------------


class _Server(uvicorn.Server):
    """Uvicorn's, which heeds Ctrl-C and SIGTERM and raises them again once it has ended."""

    def __init__(self, config: uvicorn.Config, streams: Streams, ready: Callable[[], None]) -> None:
        super().__init__(config)
        self.streams, self.ready = streams, ready

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        await super().startup(sockets)
        self.streams.workers.begin()
        self.ready()

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        self.streams.end()  # uvicorn waits for what is still being answered
        await super().shutdown(sockets)


def serve(offered: Offered, port: int | None, ready: Callable[[str], None]) -> None:
    """Serve until a signal ends it, which is raised again then.

    Args:
        port: of 127.0.0.1; None: any that is free.
        ready: called with the address once the page answers.

    Raises:
        InputError: the port is in use.
    """
    # Of a tab that was closed while it was answered it would say that it cannot be written to.
    logging.getLogger("asyncio").setLevel(logging.ERROR)
    with _listening(port) as listening:
        number = listening.getsockname()[1]
        streams = Streams(offered)
        config = uvicorn.Config(
            application(offered, streams, number), http="h11", ws="none", lifespan="off",
            loop="asyncio", log_config=None, log_level="error", access_log=False, server_header=False,
            timeout_graceful_shutdown=2,
        )  # fmt: skip
        server = _Server(config, streams, lambda: ready(f"http://{HOST}:{number}/"))
        try:
            server.run(sockets=[listening])
        finally:
            streams.workers.end()


def _listening(port: int | None) -> socket.socket:
    """A socket of the port.

    Raises:
        InputError: it is in use, or not this user's to take.
    """
    found = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
    try:
        found.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        found.bind((HOST, port or 0))
        found.listen()
    except OSError as error:
        found.close()
        raise InputError(
            f"port is {port}, which cannot be had on {HOST} ({error.strerror}), "
            "expected a free one, or none for any"
        ) from error
    return found
