"""A mail server that accepts every mail at once and records when: `python -m evidence.bench.smtp_sink PORT FILE`.

It does the minimum that RFC 5321 requires, so that the sender is measured. A line of FILE is the recipient
and the Unix time in nanoseconds at which its mail was accepted.
"""

import asyncio
import sys
import time
from pathlib import Path
from typing import TextIO


async def _converse(reader: asyncio.StreamReader, writer: asyncio.StreamWriter, accepted: TextIO) -> None:
    writer.write(b"220 sink\r\n")
    recipient = ""
    while line := await reader.readline():
        verb = line[:4].upper()
        if verb == b"RCPT":
            recipient = line.split(b"<")[1].split(b">")[0].decode()
        if verb == b"DATA":
            writer.write(b"354 go on\r\n")
            await reader.readuntil(b"\r\n.\r\n")
            accepted.write(f"{recipient} {time.time_ns()}\n")
            accepted.flush()
        writer.write(b"221 bye\r\n" if verb == b"QUIT" else b"250 ok\r\n")
        if verb == b"QUIT":
            break
    writer.close()


async def _serve(port: int, file: Path) -> None:
    with file.open("w") as accepted:
        server = await asyncio.start_server(lambda r, w: _converse(r, w, accepted), "127.0.0.1", port)
        async with server:
            await server.serve_forever()


if __name__ == "__main__":
    asyncio.run(_serve(int(sys.argv[1]), Path(sys.argv[2])))
