"""The ASGI application: which address answers with what."""

import re
from dataclasses import dataclass, field
from hashlib import blake2s
from pathlib import Path

from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import JSONResponse, PlainTextResponse, Response
from starlette.routing import Route
from starlette.types import ASGIApp

from dcgan.page.drawing import Artist, Draw, Order, Refused, Studio
from dcgan.page.events import EventStream, Feed, Full
from dcgan.page.files import Found, Unreadable
from dcgan.page.guard import Guard, body, error
from dcgan.page.watch import Watch

STATIC = Path(__file__).parent / "static"
TYPES = {".html": "text/html", ".css": "text/css", ".js": "text/javascript", ".svg": "image/svg+xml"}
FOR_EVER = "public, max-age=31536000, immutable"
REVALIDATE = "no-cache"
HTTP_LINES = {404: "there is no such page", 405: "this address does not take that"}
NUMBER = re.compile(r"\d{1,7}", re.ASCII)


@dataclass
class Page:
    """The page of one run folder; its methods answer one address each."""

    folder: Path
    draw: Draw | None = None
    listeners: int = 16
    period: float = 1.0
    feed: Feed = field(init=False)

    def __post_init__(self) -> None:
        """Read the page's own parts once: what is served does not change under a running server."""
        self._watch = Watch(self.folder)
        self.feed = Feed(self._watch, self.listeners, self.period)
        self._studio = Studio(self.draw or Artist(self.folder))
        self._parts = {path.name: path.read_bytes() for path in STATIC.iterdir() if path.suffix in TYPES}

    def app(self) -> ASGIApp:
        """Return the application, guarded."""
        routes = [
            Route("/", self.index),
            Route("/static/{name}", self.part),
            Route("/healthz", self.health),
            Route("/api/state", self.state),
            Route("/api/metrics", self.metrics),
            Route("/api/events", self.events),
            Route("/api/digits", self.digits, methods=["POST"]),
            Route("/samples/{epoch}.png", self.sample),
            Route("/dcgan.gif", self.gif),
        ]
        return Guard(Starlette(routes=routes, exception_handlers=TROUBLE))

    async def index(self, request: Request) -> Response:
        """Answer with the page."""
        return self._part(request, "index.html")

    async def part(self, request: Request) -> Response:
        """Answer with a part of the page: its style, its script, its icon."""
        return self._part(request, request.path_params["name"])

    async def health(self, _: Request) -> Response:
        """Answer that the server lives."""
        return PlainTextResponse("ok\n", headers={"cache-control": "no-store"})

    async def state(self, _: Request) -> Response:
        """Answer with the state of the training and which pictures there are."""
        snapshot = await self.feed.now()
        return _json(snapshot.status() | {"pictures": snapshot.pictures()})

    async def metrics(self, request: Request) -> Response:
        """Answer with the rows of the epochs after the one that is asked for."""
        after = _number(request.query_params.get("after", "0"))
        if after is None:
            raise Refused(400, "after is to be the number of an epoch")
        return _json((await self.feed.now()).after(after))

    async def events(self, request: Request) -> Response:
        """Answer with events for as long as the reader stays."""
        if request.method == "HEAD":  # no body, so none that would never end
            return Response(media_type="text/event-stream")
        try:
            self.feed.enter()
        except Full as full:
            raise Refused(503, str(full)) from None
        return EventStream(self.feed)

    async def digits(self, request: Request) -> Response:
        """Answer with digits that were never drawn before."""
        return _json(await self._studio.draw(Order.read(await body(request))))

    def sample(self, request: Request) -> Response:
        """Answer with the grid of one epoch."""
        epoch = _number(request.path_params["epoch"])
        found = None if epoch is None else self._watch.sample(epoch)
        if found is None:
            raise Refused(404, "there is no picture of that epoch")
        return _file(request, found, "image/png")

    def gif(self, request: Request) -> Response:
        """Answer with the whole training in motion."""
        found = self._watch.gif()
        if found is None:
            raise Refused(404, "dcgan.gif is made when the training is finished")
        return _file(request, found, "image/gif")

    def _part(self, request: Request, name: str) -> Response:
        data = self._parts.get(name)
        if data is None:
            raise Refused(404, "the page has no such part")
        return _file(request, Found(data, blake2s(data, digest_size=5).hexdigest()), TYPES[Path(name).suffix])


def _file(request: Request, found: Found, media_type: str) -> Response:
    etag = f'"{found.version}"'
    current = request.query_params.get("v") == found.version
    headers = {"etag": etag, "cache-control": FOR_EVER if current else REVALIDATE}
    if etag in [known.strip() for known in request.headers.get("if-none-match", "").split(",")]:
        return Response(status_code=304, headers=headers)
    return Response(found.data, media_type=media_type, headers=headers)


def _json(document: object) -> JSONResponse:
    return JSONResponse(document, headers={"cache-control": "no-store"})


def _number(text: str) -> int | None:
    return int(text) if NUMBER.fullmatch(text) else None


def _refused(_: Request, refusal: Exception) -> Response:
    return error(refusal.status if isinstance(refusal, Refused) else 500, str(refusal))


def _unreadable(_: Request, trouble: Exception) -> Response:
    return error(404, str(trouble))


def _http_error(_: Request, refusal: Exception) -> Response:
    status = refusal.status_code if isinstance(refusal, HTTPException) else 500
    return error(status, HTTP_LINES.get(status, "refused"))


def _unexpected(_: Request, trouble: Exception) -> Response:
    return error(500, f"the page itself failed: {type(trouble).__name__}")


TROUBLE = {HTTPException: _http_error, Refused: _refused, Unreadable: _unreadable, Exception: _unexpected}
"""What becomes of what an answer raises."""
