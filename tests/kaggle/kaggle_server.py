"""A stand-in for Kaggle on loopback: the calls that the client makes, and every way in which they fail.

It answers as a proxy (the client is pointed at it by http_proxy) and refuses CONNECT, so that nothing can
leave the machine.
"""

from __future__ import annotations

import json
import re
import socket
import struct
import threading
import time
from contextlib import suppress
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

API = "http://localhost/api/v1/competitions.CompetitionApiService/"
KERNELS = "http://localhost/api/v1/kernels.KernelsApiService/"
STORAGE = "http://localhost/storage"
SIGNATURE = "X-Goog-Signature=5f3c9d1e7b2a4860"
LISTED_DATE = "2026-01-31T12:00:00Z"
LAST_MODIFIED = "Wed, 11 Dec 2019 18:31:31 GMT"


@dataclass
class Fault:
    """How one call fails: a status, or 'reset' or 'stall' after half of what it should send or take.

    after_work: the call does its work first, and only its answer is lost. times: for how many calls.
    """

    how: int | str
    times: int = 1_000_000
    headers: dict[str, str] = field(default_factory=dict)
    as_json: bool = False
    after_work: bool = False


class KaggleServer(ThreadingHTTPServer):
    """State of the service. Tests set what they need and read what happened."""

    daemon_threads = True

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), Handler)
        self.slug = "digit-recognizer"
        self.archive = b""
        self.archives: list[bytes] = []  # served first, one a download
        self.faults: dict[str, Fault] = {}
        self.calls: list[str] = []
        self.bodies: list[dict[str, Any]] = []
        self.ranges: list[str | None] = []
        self.uploads: list[bytes] = []
        self.submissions: list[dict[str, Any]] = []
        self.unlisted_looks = 0  # ListSubmissions calls before a submission is listed
        self.pending_looks = 0  # ListSubmissions calls before a submission has its score
        self.verdict = {"status": "COMPLETE", "publicScore": "0.98614"}
        self.limits = {"numToday": 2, "numTotal": 9, "numAllowedNow": 3, "limitedByTotal": False}
        self.kernel = {"ref": "/code/stub/x", "url": "https://www.kaggle.com/code/stub/x", "versionNumber": 1}
        self.leaderboard = [0.99942, 0.99, 0.98, 0.97]
        self.stalled = threading.Event()  # set when a call begins to stall
        self.released = threading.Event()
        self.hung_up = threading.Event()  # set when a stalled client goes away by itself

    @property
    def port(self) -> int:
        return self.server_address[1]

    def handle_error(self, request: Any, client_address: Any) -> None:
        """A client that hangs up is what some of the tests are about."""

    def take_fault(self, call: str) -> Fault | None:
        fault = self.faults.get(call)
        if fault is None or fault.times < 1:
            return None
        fault.times -= 1
        return fault

    def answer(self, call: str, body: dict[str, Any]) -> dict[str, Any]:
        if call == "StartSubmissionUpload":
            return {"token": "blob-token", "createUrl": f"{STORAGE}/upload?{SIGNATURE}"}
        if call == "CreateSubmission":
            number = 40_000_000 + len(self.submissions)
            self.submissions.insert(0, {
                "ref": number, "date": LISTED_DATE, "fileName": "submission.csv",
                "description": body.get("submissionDescription"), "status": "PENDING", "publicScore": "",
            })  # fmt: skip
            return {"message": "Successfully submitted to Digit Recognizer", "ref": number}
        if call == "ListSubmissions":
            if self.unlisted_looks > 0:
                self.unlisted_looks -= 1
                return {"submissions": []}
            if self.pending_looks > 0:
                self.pending_looks -= 1
            else:
                for one in self.submissions:
                    one.update(self.verdict)
            return {"submissions": self.submissions}
        if call == "GetSubmissionLimits":
            return self.limits
        if call == "GetLeaderboard":
            start = int(body.get("pageToken") or 0)
            page = [
                {"teamId": 7, "teamName": "équipe", "submissionDate": LISTED_DATE, "score": f"{score:.5f}"}
                for score in self.leaderboard[start : start + 2]
            ]
            more = str(start + 2) if start + 2 < len(self.leaderboard) else ""
            return {"submissions": page, "nextPageToken": more}
        raise AssertionError(f"the client made a call that this server does not know: {call}")


class Handler(BaseHTTPRequestHandler):
    server: KaggleServer
    protocol_version = "HTTP/1.1"

    def log_message(self, format: str, *arguments: Any) -> None:
        pass

    def do_CONNECT(self) -> None:
        self.server.calls.append(f"CONNECT {self.path} {self.headers.get('User-Agent')}")
        self._send(403, b"")

    def do_POST(self) -> None:
        raw = self.rfile.read(int(self.headers.get("Content-Length") or 0))
        body = json.loads(raw or b"{}")
        call = self.path.removeprefix(API)
        self.server.calls.append(call)
        self.server.bodies.append(body)
        fault = self.server.take_fault(call)
        if fault is not None:
            if fault.after_work:
                self.server.answer(call, body)
            self._fail(fault)
        elif not self.headers.get("Authorization"):
            self._send(401, b"")
        elif call == f"{KERNELS}SaveKernel":
            self._send(200, json.dumps(self.server.kernel).encode(), JSON)
        elif body.get("competitionName") != self.server.slug:
            self._send(404, b"")
        elif call == "DownloadDataFiles":
            self._send(302, b"", {"Location": f"{STORAGE}/bundle/{self.server.slug}.zip?{SIGNATURE}"})
        else:
            self._send(200, json.dumps(self.server.answer(call, body)).encode(), JSON)

    def do_GET(self) -> None:
        self.server.calls.append("GET")
        if self.server.archives:
            self.server.archive = self.server.archives.pop(0)
        content = self.server.archive
        asked = self.headers.get("Range")
        self.server.ranges.append(asked)
        start = int(re.fullmatch(r"bytes=(\d+)-", asked).group(1)) if asked else 0
        headers = {"Last-Modified": LAST_MODIFIED, "Accept-Ranges": "bytes", "ETag": f'"{hash(content)}"'}
        fault = self.server.take_fault("GET")
        if fault is not None and isinstance(fault.how, int):
            self._fail(fault)
            return
        if asked:
            headers["Content-Range"] = f"bytes {start}-{len(content) - 1}/{len(content)}"
        rest = content[start:]
        if fault is None:
            self._send(206 if asked else 200, rest, headers)
        else:
            self._head(206 if asked else 200, len(rest), headers)
            self.wfile.write(rest[: len(rest) // 2])
            time.sleep(0.2)  # a reset takes away what the client has not read yet
            self._fail(fault)

    def do_PUT(self) -> None:
        self.server.calls.append("PUT")
        length = int(self.headers["Content-Length"])
        fault = self.server.take_fault("PUT")
        if fault is not None and isinstance(fault.how, str):
            self.rfile.read(length // 2)
            self._fail(fault)
            return
        content = self.rfile.read(length)
        if fault is not None:
            self._fail(fault)
            return
        self.server.uploads.append(content)
        self._send(200, b"")

    def _fail(self, fault: Fault) -> None:
        if isinstance(fault.how, int):
            text = json.dumps({"code": fault.how, "message": TEXTS[fault.how]})
            if fault.as_json:
                self._send(fault.how, text.encode(), fault.headers | JSON)
            else:
                self._send(fault.how, b"", fault.headers)
        elif fault.how == "stall":
            self.server.stalled.set()
            self.connection.settimeout(0.1)
            while not self.server.released.is_set():
                with suppress(TimeoutError):
                    if not self.connection.recv(65536):
                        self.server.hung_up.set()
                        break
            self.close_connection = True
        else:
            # Zero seconds to linger: the connection ends with a reset, not with a goodbye.
            self.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
            self.close_connection = True
            self.connection.close()

    def _head(self, status: int, length: int, headers: dict[str, str]) -> None:
        self.send_response(status)
        for name, value in {"Content-Length": str(length), **headers}.items():
            self.send_header(name, value)
        self.end_headers()

    def _send(self, status: int, content: bytes, headers: dict[str, str] | None = None) -> None:
        self._head(status, len(content), headers or {})
        self.wfile.write(content)


JSON = {"Content-Type": "application/json"}
TEXTS = {
    401: "Unauthenticated",
    403: "You must accept this competition's rules before you'll be able to download files.",
    404: "Competition not found",
    429: "Too many requests",
    500: "Internal error",
    503: "The service is currently unavailable",
}
