"""A TCP proxy between two programs that resets connections, delays packets or drops answers."""

import socket
import struct
import threading
import time
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from urllib.parse import urlsplit, urlunsplit

CHUNK = 65536
RESET = struct.pack("ii", 1, 0)  # SO_LINGER: closing sends RST and discards unsent data


@dataclass
class Progress:
    """How many of the texts in `cut_after` have passed on a connection."""

    matched: int = 0


class Proxy:
    """Listens on a port of its own until it is closed."""

    def __init__(self, port: int) -> None:
        self.delay = 0.0  # seconds of delay for each chunk, in each direction
        self.cut_after: list[bytes] = []  # once these have passed, in this order, answers are dropped
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
        """Reset every open connection."""
        for each in list(self._open):
            self._reset(each)

    def silence(self) -> None:
        """Accept connections and bytes, but forward nothing until `speak`."""
        self._passing.clear()

    def speak(self) -> None:
        """Forward what was held, and continue."""
        self._passing.set()

    def close(self) -> None:
        """Close the proxy and all its connections."""
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
            progress = Progress()
            for way in ((client, server, self._pass_request), (server, client, self._pass_answer)):
                threading.Thread(target=self._pass_on, args=(*way, progress), daemon=True).start()

    def _pass_on(
        self,
        source: socket.socket,
        target: socket.socket,
        passes: Callable[[bytes, Progress], bool],
        progress: Progress,
    ) -> None:
        with suppress(OSError):
            while piece := source.recv(CHUNK):
                time.sleep(self.delay)
                self._passing.wait()
                if not passes(piece, progress):
                    break
                target.sendall(piece)
        self._reset(source)
        self._reset(target)

    def _pass_request(self, piece: bytes, progress: Progress) -> bool:
        for text in self.cut_after[progress.matched :]:
            if text not in piece:
                break
            progress.matched += 1
        return True

    def _pass_answer(self, piece: bytes, progress: Progress) -> bool:
        if not self.cut_after or progress.matched < len(self.cut_after):
            return True
        self.cuts += 1
        return False

    def _reset(self, each: socket.socket) -> None:
        self._open.discard(each)
        with suppress(OSError):
            each.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, RESET)
            each.shutdown(socket.SHUT_RD)  # wakes the thread that reads
        each.close()
