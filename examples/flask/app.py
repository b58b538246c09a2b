"""A Flask application that signs users in with Tessera, and learns from it what ends sessions and who is deleted.

README.md has the environment variables. Authlib makes and checks state, nonce and PKCE, and verifies ID tokens.
"""

import json
import os
import secrets
import sqlite3
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from functools import cache
from pathlib import Path

import jwt
from authlib.integrations.flask_client import OAuth, OAuthError
from flask import Flask, abort, jsonify, redirect, render_template, request, session
from flask.typing import ResponseReturnValue
from joserfc.errors import JoseError
from requests import RequestException
from standardwebhooks import Webhook, WebhookVerificationError

REQUIRED = ("APPLICATION_URL", "ISSUER", "CLIENT_ID", "CLIENT_SECRET", "SESSION_SECRET", "WEBHOOK_SECRET")
if missing := [name for name in REQUIRED if not os.environ.get(name)]:
    sys.exit(f"Set these environment variables, which README.md explains: {', '.join(missing)}")
URL, ISSUER, CLIENT_ID, CLIENT_SECRET, SESSION_SECRET, WEBHOOK_SECRET = (os.environ[name] for name in REQUIRED)
DATABASE = os.environ.get("DATABASE", "application.sqlite3")
SESSION_SECONDS = 8 * 3600
EVENT_SECONDS = 31 * 24 * 3600  # Tessera repeats no event that is older than 30 days
LOGOUT_EVENT = "http://schemas.openid.net/event/backchannel-logout"
RIGHTS_CHANGED = ("organisation_member_updated", "organisation_member_removed")

app = Flask(__name__)
is_https = URL.startswith("https://")
app.config.update(
    SECRET_KEY=SESSION_SECRET,
    SESSION_COOKIE_NAME="__Host-session" if is_https else "session",
    SESSION_COOKIE_SECURE=is_https,
    SESSION_COOKIE_SAMESITE="Lax",  # with Strict, the state would be missing on the way back from Tessera
    MAX_CONTENT_LENGTH=64 * 1024,
)
tessera = OAuth(app).register(
    "tessera",
    client_id=CLIENT_ID,
    client_secret=CLIENT_SECRET,
    server_metadata_url=f"{ISSUER}/.well-known/openid-configuration",
    client_kwargs={"scope": "openid profile organization", "code_challenge_method": "S256", "default_timeout": 10},
)
webhook = Webhook(WEBHOOK_SECRET)


@contextmanager
def database() -> Iterator[sqlite3.Connection]:
    """A transaction: it is rolled back when the block raises."""
    connection = sqlite3.connect(DATABASE, timeout=10)
    connection.row_factory = sqlite3.Row
    connection.executescript("PRAGMA foreign_keys = ON; PRAGMA secure_delete = ON;")  # overwrites what is deleted
    try:
        with connection:
            yield connection
    finally:
        connection.close()


os.umask(0o077)  # the database is for the user of this process alone
with database() as db:
    db.executescript(Path(__file__).with_name("schema.sql").read_text())


def visitor() -> sqlite3.Row | None:
    """The open session of this browser with the name of its user."""
    with database() as db:
        query = "SELECT * FROM visitors WHERE id = ? AND expires_at > ?"
        return db.execute(query, (session.get("id"), time.time())).fetchone()


@app.get("/")
def index() -> ResponseReturnValue:
    return render_template("index.html", visitor=visitor())


@app.get("/profile")
def profile() -> ResponseReturnValue:
    """For signed-in users: what the application keeps of them."""
    user = visitor()
    if user is None:
        return redirect("/login")
    return jsonify({name: user[name] for name in ("user_id", "name", "organisation", "roles")})


@app.get("/login")
def login() -> ResponseReturnValue:
    """Leads to Tessera, which asks members of several organisations for one, unless `?organization=acme` names it."""
    for name in [name for name in session if name.startswith("_state_")]:
        del session[name]  # of sign-ins that were given up, because a cookie holds 4 KB
    chosen = {name: value for name, value in request.args.items() if name == "organization"}
    return tessera.authorize_redirect(f"{URL}/callback", **chosen)


@app.get("/callback")
def callback() -> ResponseReturnValue:
    checks = {"iss": {"essential": True, "value": ISSUER}, "aud": {"essential": True, "value": CLIENT_ID}}
    tokens = tessera.authorize_access_token(claims_options=checks)
    user, now, former = tokens["userinfo"], time.time(), session.get("id")
    session.clear()
    session["id"] = secrets.token_urlsafe(32)  # new at each sign-in: nobody can have planted it
    with database() as db:
        db.execute("DELETE FROM sessions WHERE id = ? OR expires_at < ?", (former, now))
        name = "INSERT INTO users VALUES (?, ?) ON CONFLICT (id) DO UPDATE SET name = excluded.name"
        db.execute(name, (user["sub"], user.get("name", "")))
        rights = (user.get("org_id", ""), user.get("org_name", ""), " ".join(user.get("roles", [])))
        row = (session["id"], user["sid"], user["sub"], *rights, tokens["id_token"], now + SESSION_SECONDS)
        db.execute("INSERT INTO sessions VALUES (?, ?, ?, ?, ?, ?, ?, ?)", row)
    return redirect("/")


@app.post("/logout")
def logout() -> ResponseReturnValue:
    """Ends the session here and at Tessera (OpenID Connect RP-Initiated Logout 1.0)."""
    if request.headers.get("Origin") != URL:
        abort(403)  # another site sent the form (CSRF)
    user = visitor()
    session.clear()
    if user is None:
        return redirect("/", 303)
    with database() as db:
        db.execute("DELETE FROM sessions WHERE id = ?", (user["id"],))
    return redirect(tessera.create_logout_url(f"{URL}/", user["id_token"], client_id=CLIENT_ID)["url"], 303)


@cache
def signing_keys() -> jwt.PyJWKClient:
    return jwt.PyJWKClient(tessera.load_server_metadata()["jwks_uri"], timeout=10)


@app.post("/backchannel-logout")
def backchannel_logout() -> ResponseReturnValue:
    """Ends what has ended at Tessera (OpenID Connect Back-Channel Logout 1.0, §2.6); again, it finds nothing to end."""
    token, required = request.form.get("logout_token", ""), ["iss", "aud", "iat", "exp", "jti", "sid", "events"]
    try:
        if str(jwt.get_unverified_header(token).get("typ")).lower() != "logout+jwt":
            raise jwt.InvalidTokenError("this is no logout token")
        checks = {"algorithms": ["ES256"], "audience": CLIENT_ID, "issuer": ISSUER, "options": {"require": required}}
        claims = jwt.decode(token, signing_keys().get_signing_key_from_jwt(token), leeway=60, **checks)
        if LOGOUT_EVENT not in claims["events"] or "nonce" in claims:
            raise jwt.InvalidTokenError("this is no logout")
    except jwt.PyJWTError as error:
        app.logger.warning("logout token rejected: %s", error)
        return "", 400
    with database() as db:
        db.execute("DELETE FROM sessions WHERE sid = ?", (claims["sid"],))
    return "", 200


@app.post("/webhook")
def receive_event() -> ResponseReturnValue:
    """An event may come twice, so its id is stored in the transaction of its effect; and in any order."""
    try:  # the signature of the raw body, compared in constant time, and that it is at most five minutes old
        webhook.verify(request.get_data(), dict(request.headers), json_parse=False)
    except (WebhookVerificationError, ValueError):  # the latter for what is not even Base64
        return "", 401
    event = json.loads(request.get_data())
    user, organisation = str(event["data"].get("user_id")), str(event["data"].get("organisation_id"))
    with database() as db:
        db.execute("DELETE FROM events WHERE received_at < ?", (time.time() - EVENT_SECONDS,))
        if not db.execute("INSERT OR IGNORE INTO events VALUES (?, ?)", (event["id"], time.time())).rowcount:
            return "", 204
        if event["type"] == "user_deleted":
            db.execute("DELETE FROM users WHERE id = ?", (user,))  # sessions go by the foreign key
        elif event["type"] in RIGHTS_CHANGED:  # the next sign-in brings the rights of now
            db.execute("DELETE FROM sessions WHERE user_id = ? AND organisation = ?", (user, organisation))
        elif event["type"] == "organisation_deleted":
            db.execute("DELETE FROM sessions WHERE organisation = ?", (organisation,))
    return "", 204


@app.errorhandler(OAuthError)
@app.errorhandler(JoseError)
@app.errorhandler(RequestException)
def sign_in_failed(error: Exception) -> ResponseReturnValue:
    app.logger.warning("sign-in failed: %s", error)
    return render_template("index.html", problem="The sign-in failed."), 400


@app.after_request
def secure(response):  # `form-action` has Tessera too, because browsers apply it to the redirect after a logout
    policy = f"default-src 'none'; form-action 'self' {ISSUER}; frame-ancestors 'none'; base-uri 'none'"
    response.headers.update({"Content-Security-Policy": policy, "Cache-Control": "no-store"})
    response.headers.update({"X-Content-Type-Options": "nosniff", "Referrer-Policy": "same-origin"})
    return response
