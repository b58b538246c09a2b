"""A browser without scripts: it follows redirects and sends the forms of the sign-in pages."""

from html.parser import HTMLParser
from urllib.parse import urljoin

import requests

REDIRECTS = 20


class Form(HTMLParser):
    """The first form of a page."""

    def __init__(self, page: str) -> None:
        super().__init__()
        self.action, self.method = "", "get"
        self.fields: dict[str, str] = {}
        self._is_open = self._found = False
        self.feed(page)

    def handle_starttag(self, tag: str, attributes: list[tuple[str, str | None]]) -> None:
        """Reads the form, and its hidden and filled fields; buttons are pressed by the caller."""
        given = {name: value or "" for name, value in attributes}
        if tag == "form" and not self._found:
            self._is_open = self._found = True
            self.action, self.method = given.get("action", ""), given.get("method", "get").lower()
        elif tag == "input" and self._is_open and given.get("type") != "radio":
            self.fields[given.get("name", "")] = given.get("value", "")

    def handle_endtag(self, tag: str) -> None:
        """Ends the form."""
        self._is_open = self._is_open and tag != "form"


class FormBrowser:
    """Visits pages; `certificates` is the path of the CA that it trusts. It stops before addresses in `outside`."""

    def __init__(self, *, certificates: str | None = None, outside: tuple[str, ...] = ()) -> None:
        self.session = requests.Session()
        self.session.verify = certificates or True
        self.session.trust_env = False
        self._outside = outside

    def open(self, url: str) -> requests.Response:
        """The page that a link leads to; the redirect itself when that leads outside. Raises TooManyRedirects."""
        return self._follow(self.session.get(url, allow_redirects=False, timeout=60))

    def send(self, page: requests.Response, *, formaction: str = "", **values: str) -> requests.Response:
        """Sends the form of a page with these values, by a button with a `formaction` if given, and follows where that
        leads."""
        form = Form(page.text)
        target = urljoin(page.url, formaction or form.action)
        if self._is_outside(target):
            raise ValueError(f"The form leads outside: {target}")
        fields = {name: value for name, value in form.fields.items() if name} | values
        if form.method == "post":
            return self._follow(self.session.post(target, fields, allow_redirects=False, timeout=60))
        return self._follow(self.session.get(target, params=fields, allow_redirects=False, timeout=60))

    def sign_in(self, page: requests.Response, email: str, password: str) -> requests.Response:
        """Signs in on the provider's page, and consents when asked."""
        page = self.send(page, username=email, password=password)
        return self.send(page, decision="allow") if 'value="consent"' in page.text else page

    def _follow(self, answer: requests.Response) -> requests.Response:
        for _ in range(REDIRECTS):
            target = urljoin(answer.url, answer.headers.get("Location", ""))
            if not answer.is_redirect or self._is_outside(target):
                return answer
            answer = self.session.get(target, allow_redirects=False, timeout=60)
        raise requests.TooManyRedirects(f"More than {REDIRECTS} redirects, the last one to {target}")

    def _is_outside(self, url: str) -> bool:
        return url.startswith(self._outside) if self._outside else False
