"""An account's first minutes with the generated Python clients; prints what it learned as JSON."""

import json
import os

import tessera_auth as auth
import tessera_notification as notification
import tessera_users as users

EMAIL, PASSWORD, NEW_EMAIL = (os.environ[name] for name in ("EMAIL", "PASSWORD", "NEW_EMAIL"))


def client(package, url, token=None):
    return package.ApiClient(package.Configuration(host=url, access_token=token))


def refused(package, call):
    """The status, and the code and codes by field of the problem document."""
    try:
        call()
    except package.ApiException as error:
        assert isinstance(error.data, package.Problem), error
        return [error.status, error.data.code, error.data.error_codes]
    raise AssertionError("the request was not refused")


def sign_up(email):
    body = users.UserInputRequest(name="Ada", surname="Lovelace", email=email, password=PASSWORD)
    return users.UsersApi(client(users, os.environ["USERS_URL"])).create_user(body)


def log_in(password):
    body = auth.LoginInputRequest(username=EMAIL, password=password)
    return auth.SignInApi(client(auth, os.environ["AUTH_URL"])).login(body).actual_instance


learned = {
    "signed_up": sign_up(NEW_EMAIL).email,
    "taken": refused(users, lambda: sign_up(NEW_EMAIL)),
    "invalid": refused(users, lambda: sign_up("nobody")),
    "wrong_password": refused(auth, lambda: log_in("a wrong password")),
}
tokens = log_in(PASSWORD)
assert isinstance(tokens, auth.TokenOutput)
of_users = users.UsersApi(client(users, os.environ["USERS_URL"], tokens.access_token))
answer = of_users.get_current_user_with_http_info()
profile = answer.data
sessions = auth.SessionsApi(client(auth, os.environ["AUTH_URL"], tokens.access_token)).list_sessions(limit=1)
api = notification.NotificationsApi(client(notification, os.environ["NOTIFICATION_URL"], tokens.access_token))
verification = "email_verification_requested_event"
later = users.UserOutput.from_dict(json.loads(answer.raw_data) | {"id": 2**40, "added_later": 1})
learned |= {
    "profile": [profile.email, profile.email_verified],
    "sessions": [[session.current for session in sessions.results], sessions.next],
    "notified": [row.event for row in api.list_notifications(event=verification, medium="email").results],
    "forbidden": refused(users, of_users.list_users),
    "later": later.id,
}
print(json.dumps(learned))
