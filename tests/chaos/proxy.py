"""A TCP proxy between two parts, which cuts, delays or swallows what goes through it."""

import socket
import struct
import threading
import time
from collections.abc import Callable
from contextlib import suppress
from urllib.parse import urlsplit, urlunsplit

CHUNK = 65536
RESET = struct.pack("ii", 1, 0)  # SO_LINGER: closing sends RST and forgets what was not sent


class Proxy:
    """Listens on a port of its own until it is closed."""

    def __init__(self, port: int) -> None:
        self.delay = 0.0  # seconds that each piece is held, in each direction
        self.cut_after: bytes | None = None  # a piece with these bytes is passed on, and its answer never comes
        self.cuts = 0
        self._target = port
        self._open: set[socket.socket] = set()
        self._passing = threading.Event()
        self._passing.set()
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.port = int(self._listener.getsockname()[1])
        threading.Thread(target=self._accept, daemon=True).start()

    def url(self, url: str) -> str:
        """The same URL, through this proxy."""
        parts = urlsplit(url)
        credentials, separator, _ = parts.netloc.rpartition("@")
        return urlunsplit(parts._replace(netloc=f"{credentials}{separator}127.0.0.1:{self.port}"))

    def cut(self) -> None:
        """Resets every connection that is open now."""
        for each in list(self._open):
            self._reset(each)

    def silence(self) -> None:
        """Takes connections and bytes, and passes nothing on until `speak`."""
        self._passing.clear()

    def speak(self) -> None:
        """Passes on what was held, and all that comes."""
        self._passing.set()

    def close(self) -> None:
        """Ends it and all its connections."""
        self._listener.close()
        self._passing.set()
        self.cut()

    def _accept(self) -> None:
        while True:
            try:
                client, _ = self._listener.accept()
            except OSError:
                return
            try:
                server = socket.create_connection(("127.0.0.1", self._target), timeout=5)
            except OSError:
                self._reset(client)
                continue
            server.settimeout(None)
            self._open |= {client, server}
            last = threading.Event()  # the next answer is the one that gets lost
            for passing in ((client, server, self._asks, last), (server, client, self._answers, last)):
                threading.Thread(target=self._pass_on, args=passing, daemon=True).start()

    def _pass_on(
        self,
        source: socket.socket,
        target: socket.socket,
        passes: Callable[[bytes, threading.Event], bool],
        last: threading.Event,
    ) -> None:
        with suppress(OSError):
            while piece := source.recv(CHUNK):
                time.sleep(self.delay)
                self._passing.wait()
                if not passes(piece, last):
                    break
                target.sendall(piece)
        self._reset(source)
        self._reset(target)

    def _asks(self, piece: bytes, last: threading.Event) -> bool:
        if self.cut_after and self.cut_after in piece:
            last.set()
        return True

    def _answers(self, piece: bytes, last: threading.Event) -> bool:
        self.cuts += last.is_set()
        return not last.is_set()

    def _reset(self, each: socket.socket) -> None:
        self._open.discard(each)
        with suppress(OSError):
            each.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, RESET)
            each.shutdown(socket.SHUT_RD)  # wakes the thread that reads
        each.close()
