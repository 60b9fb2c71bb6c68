"""create_app: the page, the API, and what holds for every answer: headers, limits, errors as JSON."""

import logging
from pathlib import Path
from urllib.parse import urlsplit

from flask import Flask, Response, current_app, request
from werkzeug.exceptions import HTTPException

from pipeline.errors import InkproofError, StorageError
from pipeline.web.api import Page, api, as_json, page
from pipeline.web.corrections import Corrections
from pipeline.web.limits import Limits, Rate
from pipeline.web.models import Models
from pipeline.web.trainings import Trainings

STATIC = Path(__file__).parent / "static"
COSTLY = ("/api/lab", "/api/inside", "/api/corrections", "/api/trainings")
LOCAL_NAMES = ("127.0.0.1", "localhost", "[::1]")

HEADERS = {
    "Content-Security-Policy": (
        "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data: blob:; connect-src 'self'; "
        "base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
    ),
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
    "Referrer-Policy": "no-referrer",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
}
SENTENCES = {
    400: "The request is not whole, or names a host that this page is not served under.",
    403: "The request comes from another site's page: only this page itself may send it.",
    404: "There is nothing at this address: the page is at /, the API is described at /api/openapi.json.",
    405: "This address does not take that method: see /api/openapi.json.",
    413: "The request is too large: at most {body:,} bytes are allowed; make the picture smaller.",
    429: "Too many requests: at most {rate:,.0f} a second are answered; wait a second and try again.",
}
log = logging.getLogger(__name__)


def create_app(
    models: Models,
    corrections: Path | str,
    *,
    limits: Limits | None = None,
    hosts: tuple[str, ...] | None = LOCAL_NAMES,
) -> Flask:
    """The WSGI application.

    corrections: the SQLite file, in the folder that runs go to. hosts: names that requests may call this server by, so
    that another site's name cannot be pointed here; None for any. Where others than this machine may come, each
    visitor sees his own corrections alone.
    """
    limits = limits or Limits()
    app = Flask(__name__, static_folder=str(STATIC), static_url_path="/static")
    app.config.update(
        PAGE=Page(
            models=models,
            corrections=Corrections(corrections, most=limits.corrections, shared=hosts != LOCAL_NAMES),
            trainings=Trainings(models.competition, Path(corrections).parent, limits),
            limits=limits,
        ),
        RATE=Rate(limits.rate),
        MAX_CONTENT_LENGTH=limits.body,
        TRUSTED_HOSTS=list(hosts) if hosts else None,
        SEND_FILE_MAX_AGE_DEFAULT=None,  # browsers ask whether a file changed: a new version shows at once
    )
    app.register_blueprint(api)
    app.add_url_rule("/", "page", lambda: app.send_static_file("index.html"))
    app.before_request(_admit)
    app.after_request(_with_headers)
    app.register_error_handler(HTTPException, _http_fault)
    app.register_error_handler(InkproofError, _our_fault)
    app.register_error_handler(Exception, _unknown_fault)
    return app


def _admit() -> Response | None:
    """None lets the request in."""
    cost = page.limits.lab_cost if request.path.startswith(COSTLY) else 1.0
    if not current_app.config["RATE"].allows(request.remote_addr or "", cost):
        return _fault(429)
    if request.method in ("POST", "DELETE"):
        origin = request.headers.get("Origin")
        foreign = origin is not None and urlsplit(origin).netloc != request.host
        if foreign or request.headers.get("Sec-Fetch-Site", "none") not in ("none", "same-origin"):
            return _fault(403)
    return None


def _with_headers(response: Response) -> Response:
    response.headers.extend(HEADERS)
    if request.path.startswith("/api/"):
        response.headers["Cache-Control"] = "no-store"
    return response


def _fault(status: int) -> Response:
    sentence = SENTENCES.get(status, "The request could not be answered.")
    return as_json({"error": sentence.format(body=page.limits.body, rate=page.limits.rate)}, status)


def _http_fault(error: HTTPException) -> Response:
    response = _fault(error.code or 400)
    for name, value in error.get_headers():
        if name in ("Allow", "Retry-After"):
            response.headers[name] = value
    return response


def _our_fault(error: InkproofError) -> Response:
    return as_json({"error": str(error)}, 503 if isinstance(error, StorageError) else 422)


def _unknown_fault(error: Exception) -> Response:
    log.exception("A request failed", exc_info=error)
    return as_json({"error": "The server made a mistake; what it was stands in its terminal."}, 500)
