"""A mail server for development: accepts every email, stores it as a file, and shows it.

Its HTTP API is the part of Mailpit's (https://mailpit.axllent.org/docs/api-v1/) that the demo and the tests use, so
they work against both. `python -m local.mail_catcher FOLDER SMTP_PORT HTTP_PORT`.
"""

import functools
import html
import json
import os
import random
import re
import signal
import sys
import threading
import time
import uuid
from email import message_from_bytes, policy
from email.message import EmailMessage
from email.utils import getaddresses, parseaddr
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, unquote, urlsplit

from aiosmtpd.controller import Controller

_TERM = re.compile(r'(?:(\w+):)?(?:"([^"]*)"|(\S+))')


class Mailbox:
    """The emails in a folder, one `.eml` file each, named so that they sort by time."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.rejection: tuple[int, int] = (0, 0)  # the SMTP code for rejected recipients, and the percentage rejected
        folder.mkdir(parents=True, exist_ok=True)

    async def handle_RCPT(self, server: Any, session: Any, envelope: Any, address: str, options: list[str]) -> str:
        """Called by aiosmtpd for every recipient."""
        code, probability = self.rejection
        if random.randrange(100) < probability:  # noqa: S311 - chance, not a secret
            return f"{code} rejected on purpose"
        envelope.rcpt_tos.append(address)
        return "250 OK"

    async def handle_DATA(self, server: Any, session: Any, envelope: Any) -> str:
        """Called by aiosmtpd for every email; stores it on disk before accepting it."""
        identifier = f"{time.time_ns():020d}-{uuid.uuid4().hex[:8]}"
        part = self.folder / f"{identifier}.part"
        part.write_bytes(envelope.original_content or envelope.content)
        path = self.folder / f"{identifier}.eml"
        part.rename(path)
        _summary(str(path))
        return "250 OK"

    def newest_first(self) -> list[dict[str, Any]]:
        """A summary of every email."""
        names = sorted((name for name in os.listdir(self.folder) if name.endswith(".eml")), reverse=True)  # noqa: PTH208 - paths are slow to make
        return [_summary(f"{self.folder}/{name}") for name in names]

    def search(self, query: str) -> list[dict[str, Any]]:
        """The emails that match every term: `to:`, `from:`, `subject:`, or a word of the text."""
        found = self.newest_first()
        for field, quoted, word in _TERM.findall(query):
            wanted = (quoted or word).lower()
            found = [mail for mail in found if wanted in _searchable(mail, field)]
        return found

    def message(self, identifier: str) -> dict[str, Any] | None:
        """One complete email; None when it does not exist."""
        path = self.folder / f"{identifier}.eml"
        return _message(path) if re.fullmatch(r"[\w-]+", identifier) and path.exists() else None

    def delete_all(self) -> None:
        """Deletes every email."""
        for path in self.folder.glob("*.eml"):
            path.unlink(missing_ok=True)


def _searchable(mail: dict[str, Any], field: str) -> str:
    if field == "to":
        return " ".join(recipient["Address"] for recipient in mail["To"]).lower()
    if field == "from":
        return str(mail["From"]["Address"]).lower()
    if field == "subject":
        return str(mail["Subject"]).lower()
    return f"{mail['Subject']} {mail['Snippet']}".lower()


@functools.lru_cache(maxsize=100_000)
def _summary(path: str) -> dict[str, Any]:
    """What lists show of an email. Files never change, so a search does not read tens of thousands of them again."""
    whole = _message(Path(path))
    return {name: value for name, value in whole.items() if name not in ("Text", "HTML", "Date")}


def _message(path: Path) -> dict[str, Any]:
    parsed = message_from_bytes(path.read_bytes(), policy=policy.default)
    assert isinstance(parsed, EmailMessage)  # noqa: S101 - the default policy makes no other
    text, markup = _body(parsed, "plain"), _body(parsed, "html")
    name, address = parseaddr(str(parsed["From"] or ""))
    created = time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(int(path.stem[:20]) / 1e9))
    return {
        "ID": path.stem,
        "MessageID": str(parsed["Message-ID"] or "").strip("<>"),
        "From": {"Name": name, "Address": address},
        "To": [{"Name": n, "Address": a} for n, a in getaddresses([str(parsed["To"] or "")])],
        "Subject": str(parsed["Subject"] or ""),
        "Date": created,
        "Created": created,
        "Snippet": " ".join(text.split())[:250],
        "Text": text,
        "HTML": markup,
    }


def _body(mail: EmailMessage, kind: str) -> str:
    part = mail.get_body((kind,))
    return str(part.get_content()) if part else ""


class Handler(BaseHTTPRequestHandler):
    """Mailpit's routes for finding emails, and two HTML pages."""

    mailbox: Mailbox

    def do_GET(self) -> None:
        url = urlsplit(self.path)
        query = parse_qs(url.query)
        if url.path == "/api/v1/messages":
            self._list(self.mailbox.newest_first(), query)
        elif url.path == "/api/v1/search":
            self._list(self.mailbox.search(query.get("query", [""])[0]), query)
        elif url.path.startswith("/api/v1/message/"):
            mail = self.mailbox.message(unquote(url.path.rpartition("/")[2]))
            self._json(mail or {"Error": "message not found"}, 200 if mail else 404)
        elif url.path == "/":
            self._page(_index_page(self.mailbox.newest_first()))
        elif url.path.startswith("/mail/"):
            mail = self.mailbox.message(unquote(url.path.rpartition("/")[2]))
            self._page(_mail_page(mail) if mail else "No such email.", 200 if mail else 404)
        else:
            self._json({"Error": "not found"}, 404)

    def do_PUT(self) -> None:
        """Mailpit's chaos API: `{"Recipient": {"ErrorCode": 451, "Probability": 100}}`; `{}` turns it off."""
        body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
        if urlsplit(self.path).path == "/api/v1/chaos":
            wanted = json.loads(body or b"{}").get("Recipient", {})
            self.mailbox.rejection = (int(wanted.get("ErrorCode", 451)), int(wanted.get("Probability", 0)))
            self._json({"Recipient": wanted})
        else:
            self._json({"Error": "not found"}, 404)

    def do_DELETE(self) -> None:
        if urlsplit(self.path).path == "/api/v1/messages":
            self.mailbox.delete_all()
            self._send(b"ok", "text/plain", 200)
        else:
            self._json({"Error": "not found"}, 404)

    def _list(self, found: list[dict[str, Any]], query: dict[str, list[str]]) -> None:
        limit = query.get("limit", ["50"])[0]
        shown = found[: int(limit) if limit.isdecimal() else 50]
        self._json({"total": len(found), "count": len(shown), "messages_count": len(found), "messages": shown})

    def _json(self, value: Any, status: int = 200) -> None:
        self._send(json.dumps(value).encode(), "application/json", status)

    def _page(self, body: str, status: int = 200) -> None:
        self._send(f"<!doctype html><meta charset=utf-8><title>Mail</title>{body}".encode(), "text/html", status)

    def _send(self, body: bytes, kind: str, status: int) -> None:
        self.send_response(status)
        self.send_header("Content-Type", f"{kind}; charset=utf-8")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_: Any) -> None:
        """Logs nothing, because tests poll."""


def _index_page(mails: list[dict[str, Any]]) -> str:
    rows = "".join(
        f"<tr><td>{html.escape(mail['Created'])}<td>{html.escape(', '.join(to['Address'] for to in mail['To']))}"
        f'<td><a href="/mail/{html.escape(mail["ID"])}">{html.escape(mail["Subject"]) or "(no subject)"}</a>'
        for mail in mails[:200]
    )
    return f"<h1>{len(mails)} emails</h1><table cellpadding=6><tr><th>When<th>To<th>Subject{rows}</table>"


def _mail_page(mail: dict[str, Any]) -> str:
    frame = f'<iframe sandbox width="100%" height="400" srcdoc="{html.escape(mail["HTML"])}"></iframe>'
    return (
        f"<p><a href=/>All emails</a><h1>{html.escape(mail['Subject'])}</h1><pre>{html.escape(mail['Text'])}</pre>"
        f"{frame if mail['HTML'] else ''}"
    )


def main() -> None:
    """Serves until SIGTERM."""
    folder, smtp_port, http_port = Path(sys.argv[1]), int(sys.argv[2]), int(sys.argv[3])
    Handler.mailbox = Mailbox(folder)
    smtp = Controller(Handler.mailbox, hostname="127.0.0.1", port=smtp_port)
    smtp.start()
    web = ThreadingHTTPServer(("127.0.0.1", http_port), Handler)
    signal.signal(signal.SIGTERM, lambda *_: threading.Thread(target=web.shutdown).start())
    web.serve_forever()
    smtp.stop()


if __name__ == "__main__":
    main()
