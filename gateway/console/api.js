// Calls to the services. Only this module has the access token; the refresh token is in a cookie hidden from scripts.
const SIGNED_IN = "tessera.signed-in"; // a hint that the cookie exists, which avoids useless requests
const MARGIN_SECONDS = 20;
const COOKIE = { "Token-Delivery": "cookie" };

let accessToken = null;
let goodUntil = 0;
let refreshing = null;

/** A problem document of a service (RFC 9457); status 0 when there was no answer. */
export class Problem extends Error {
  constructor(status, body = {}, retryAfter = null) {
    super(body.detail || body.title || String(status));
    Object.assign(this, { status, title: body.title, code: body.code, errors: body.errors || {}, requestId: body.request_id, retryAfter });
  }

  get needsNewSignIn() {
    return this.code === "sign_in_again";
  }

  get needsVerificationFirst() {
    return this.code === "email_verification_required";
  }

  get needsVerifiedEmail() {
    return this.code === "email_not_verified";
  }
}

async function send(method, path, { body, headers = {} } = {}) {
  const options = { method, headers: { ...headers }, credentials: "same-origin", cache: "no-store" };
  if (body !== undefined) {
    options.body = JSON.stringify(body);
    options.headers["Content-Type"] = "application/json";
  }
  let answer;
  try {
    answer = await fetch(path, options);
  } catch {
    throw new Problem(0);
  }
  const type = answer.headers.get("Content-Type") || "";
  const value = type.includes("json") ? await answer.json() : null;
  if (!answer.ok) throw new Problem(answer.status, value || {}, answer.headers.get("Retry-After"));
  return { value, tag: answer.headers.get("ETag") };
}

function keep(tokens) {
  accessToken = tokens.access_token;
  goodUntil = Date.now() + (tokens.expires_in - MARGIN_SECONDS) * 1000;
  localStorage.setItem(SIGNED_IN, "yes");
}

/** Somebody else may have signed in in this browser meanwhile, on the sign-in pages of the provider. */
function isOfAnotherUser(tokens) {
  return accessToken !== null && subjectOf(tokens.access_token) !== subjectOf(accessToken);
}

function claimsOf(token) {
  return JSON.parse(atob(token.split(".")[1].replaceAll("-", "+").replaceAll("_", "/")));
}

function subjectOf(token) {
  return claimsOf(token).sub;
}

/** True when an admin acts as the signed-in user. */
export function isImpersonated() {
  return accessToken !== null && "act" in claimsOf(accessToken);
}

/** Acts as a user instead of the admin who is signed in: this browser's session becomes the user's. Throws Problem. */
export async function impersonate(userId, reason) {
  await call("POST", "/auth-ms/auth/impersonations", { body: { user_id: userId, reason }, headers: COOKIE });
  location.hash = "#/profile";
  await startAgain();
}

/** Loads the page for that user; never settles, so that nothing of this one is sent in the other's name. */
function startAgain() {
  location.reload();
  return new Promise(() => {});
}

function forget() {
  accessToken = null;
  localStorage.removeItem(SIGNED_IN);
}

/** One refresh shared by all concurrent callers. */
function refresh({ quietly = false } = {}) {
  refreshing ??= send("POST", "/auth-ms/auth/refresh", { headers: COOKIE })
    .then(({ value }) => (isOfAnotherUser(value) ? startAgain() : keep(value)))
    .catch((problem) => {
      if (problem.status === 401 || problem.status === 403) {
        forget();
        if (!quietly) window.dispatchEvent(new Event("signed-out"));
      }
      throw problem;
    })
    .finally(() => {
      refreshing = null;
    });
  return refreshing;
}

/** An authenticated call; `{value, tag}` is the body and its ETag. Throws Problem. */
export async function call(method, path, { body, headers = {} } = {}) {
  if (!accessToken || Date.now() > goodUntil) await refresh();
  const sendIt = () => send(method, path, { body, headers: { ...headers, Authorization: `Bearer ${accessToken}` } });
  try {
    return await sendIt();
  } catch (problem) {
    if (problem.status !== 401) throw problem;
    await refresh(); // a removed key or an ended session: the refresh will show which
    return sendIt();
  }
}

/** An unauthenticated call. Throws Problem. */
export async function callOpenly(method, path, body, headers = {}) {
  return (await send(method, path, { body, headers })).value;
}

/** Resumes this browser's session; true when there is one. `renewed` requests a new token. */
export async function resume({ renewed = false } = {}) {
  if (accessToken && !renewed) return true;
  if (!localStorage.getItem(SIGNED_IN)) return false;
  try {
    await refresh({ quietly: renewed });
    return true;
  } catch (problem) {
    if (problem.status === 401 || problem.status === 403) return false;
    throw problem;
  }
}

/** The answer to a sign-in step: null when complete, otherwise the required next step. `look` is shown it. Throws Problem. */
export async function signIn(step, body, look = () => {}) {
  const answer = await callOpenly("POST", `/auth-ms/auth/${step}`, body, COOKIE);
  look(answer);
  if (answer.mfa_required || answer.enrolment_required) return answer;
  keep(answer);
  return null;
}

/** Leaves for a page of the service that may sign this browser in, and comes back with a session. */
export function leaveFor(url) {
  localStorage.setItem(SIGNED_IN, "yes");
  location.assign(url);
}

/** Ends this session, or with `all` every session of the user. Throws Problem. */
export async function signOut({ all = false } = {}) {
  await call("POST", `/auth-ms/auth/${all ? "logout-all" : "logout"}`, { headers: COOKIE });
  forget();
}

/** Called after the account was deleted or its sessions have ended. */
export { forget };

// A sign-out in another tab signs out this one too.
window.addEventListener("storage", (event) => {
  if (event.key === SIGNED_IN && event.newValue === null && accessToken) {
    accessToken = null;
    window.dispatchEvent(new Event("signed-out"));
  }
});
