"""The application behind waitress: several threads, one process, an address that is free or a sentence."""

import errno
import gc
import json
import logging
import socket
import sys
from typing import Any

from flask import Flask
from threadpoolctl import threadpool_limits
from waitress import create_server
from waitress.channel import HTTPChannel
from waitress.task import ErrorTask

from pipeline.errors import InkproofError, UsageError

THREADS = 4  # beside one for each training, whose events keep a thread as long as it is watched
# The application refuses bodies above limits.body, in JSON, once it has read them: to close a socket with bytes unread
# resets the connection, and the client loses the answer that says why. What is larger is cut, for the disk's sake.
MOST_READ_BYTES = 100_000_000
SWITCH_SECONDS = 0.0005  # Python lets a thread compute for 5 ms before another gets its turn: too long here


class JsonErrorTask(ErrorTask):
    """Waitress' own refusals (a malformed request, a huge body) as JSON, like all others."""

    def execute(self) -> None:
        fault = self.request.error
        status, _, _ = fault.to_response()
        body = json.dumps({"error": f"{fault.reason}: {fault.body}."}).encode()
        self.status = status
        self.content_length = len(body)
        self.response_headers += [("Content-Type", "application/json"), ("X-Content-Type-Options", "nosniff")]
        self.set_close_on_finish()
        self.write(body)


class Channel(HTTPChannel):
    error_task_class = JsonErrorTask


def bind(app: Flask, host: str, port: int) -> Any:
    """A waitress server that holds the address and waits for `run()`; `close()` ends it.

    port 0 takes any free one; `effective_port` tells which. Raises InkproofError for an address in use,
    UsageError for one that cannot be had.
    """
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    listener = socket.socket(family, socket.SOCK_STREAM)
    try:
        if sys.platform != "win32":  # there it would let two programs share the port
            listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listener.bind((host, port))
    except OSError as error:
        listener.close()
        if error.errno == errno.EADDRINUSE:
            raise InkproofError(
                f"Port {port} of {host} is in use by another program: end that one, or choose another port, such as "
                f"--port {port + 1 if port < 65535 else port - 1}."
            ) from error
        raise UsageError(
            f"{host}, port {port}, cannot be had ({error.strerror}): the page is served on an address of this "
            "machine, such as --host 127.0.0.1, and on a port from 1024 to 65535."
        ) from error
    # With more work than threads requests wait their turn, which is not worth a line each.
    logging.getLogger("waitress.queue").setLevel(logging.ERROR)
    server = create_server(
        app,
        sockets=[listener],
        threads=THREADS + app.config["PAGE"].limits.trainings,
        ident=None,
        connection_limit=1000,
        # A client may send just as its idle connection is closed, and finds it reset: so not too soon.
        channel_timeout=120,
        backlog=1024,
        asyncore_use_poll=True,
        max_request_body_size=MOST_READ_BYTES,
        clear_untrusted_proxy_headers=True,
    )
    server.channel_class = Channel
    return server


def run(server: Any) -> None:
    """Answer requests until Ctrl-C. One matrix thread a request: the requests themselves run side by side."""
    sys.setswitchinterval(SWITCH_SECONDS)
    # All that is loaded by now stays: the garbage collector need not look at it again, which takes it tens of ms.
    gc.collect()
    gc.freeze()
    with threadpool_limits(1):
        server.run()
