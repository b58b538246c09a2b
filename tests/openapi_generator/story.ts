// An account's first minutes with the generated TypeScript clients; prints what it learned as JSON.

import * as auth from "./auth/index.js";
import * as notification from "./notification/index.js";
import * as users from "./users/index.js";

function setting(name: string): string {
  const value = process.env[name];
  if (value === undefined) throw new Error(`${name} is missing`);
  return value;
}

const [email, password, newEmail] = [setting("EMAIL"), setting("PASSWORD"), setting("NEW_EMAIL")];

// The status, and the code and codes by field of the problem document.
async function refused(call: () => Promise<unknown>) {
  try {
    await call();
  } catch (error) {
    if (!(error instanceof users.ResponseError || error instanceof auth.ResponseError)) throw error;
    const problem: users.Problem = users.ProblemFromJSON(await error.response.json());
    return [error.response.status, problem.code, problem.errorCodes ?? null];
  }
  throw new Error("the request was not refused");
}

function signUp(email: string) {
  const api = new users.UsersApi(new users.Configuration({ basePath: setting("USERS_URL") }));
  return api.createUser({ userInputRequest: { name: "Ada", surname: "Lovelace", email, password } });
}

function logIn(password: string) {
  const api = new auth.SignInApi(new auth.Configuration({ basePath: setting("AUTH_URL") }));
  return api.login({ loginInputRequest: { username: email, password } });
}

const signedUp = await signUp(newEmail);
const taken = await refused(() => signUp(newEmail));
const invalid = await refused(() => signUp("nobody"));
const wrongPassword = await refused(() => logIn("a wrong password"));
const tokens = await logIn(password);
if (!("accessToken" in tokens)) throw new Error("a second factor is required");
const accessToken = tokens.accessToken;
const ofUsers = new users.UsersApi(new users.Configuration({ basePath: setting("USERS_URL"), accessToken }));
const ofAuth = new auth.Configuration({ basePath: setting("AUTH_URL"), accessToken });
const ofNotification = new notification.Configuration({ basePath: setting("NOTIFICATION_URL"), accessToken });
const profile = await ofUsers.getCurrentUser();
const sessions = await new auth.SessionsApi(ofAuth).listSessions({ limit: 1 });
const rows = await new notification.NotificationsApi(ofNotification).listNotifications({
  event: "email_verification_requested_event",
  medium: "email",
});
const later = users.UserOutputFromJSON({ ...users.UserOutputToJSON(profile), id: 2 ** 40, added_later: 1 });

console.log(
  JSON.stringify({
    signed_up: signedUp.email,
    taken,
    invalid,
    wrong_password: wrongPassword,
    profile: [profile.email, profile.emailVerified],
    sessions: [sessions.results.map((session) => session.current), sessions.next],
    notified: rows.results.map((row) => row.event),
    forbidden: await refused(() => ofUsers.listUsers()),
    later: later.id,
  }),
);
