// The console: routing, navigation and focus.
import * as api from "./api.js";
import * as account from "./account.js";
import * as admin from "./admin.js";
import * as clients from "./clients.js";
import { announce, failure, h } from "./dom.js";
import * as entry from "./entry.js";
import * as notices from "./notices.js";
import * as organisations from "./organisations.js";
import * as providers from "./providers.js";
import * as security from "./security.js";
import { choose, language, t } from "./texts.js";
import * as webhooks from "./webhooks.js";

// path, title, page and access: everyone, signed-in users, admins
const ROUTES = [
  [/^\/sign-in(\/again)?$/, "signIn.title", entry.signIn, "anybody"],
  [/^\/sign-up$/, "signUp.title", entry.signUp, "anybody"],
  [/^\/password\/forgot$/, "forgot.title", entry.forgot, "anybody"],
  [/^\/password\/reset\/([\w-]+)$/, "reset.title", entry.reset, "anybody"],
  [/^\/verify\/([\w-]+)$/, "verify.title", entry.verify, "anybody"],
  [/^\/email\/undo\/([\w-]+)$/, "undo.title", entry.undo, "anybody"],
  [/^\/invitation\/([\w-]+)$/, "invitation.title", organisations.invitation, "anybody"],
  [/^\/profile$/, "profile.title", account.profile, "person"],
  [/^\/security$/, "security.title", security.page, "person"],
  [/^\/sessions(?:\/(\d+))?$/, "sessions.title", account.sessions, "person"],
  [/^\/activity$/, "activity.title", account.activity, "person"],
  [/^\/applications$/, "applications.title", account.applications, "person"],
  [/^\/organisations$/, "organisations.title", organisations.organisations, "person"],
  [/^\/organisations\/(\d+)$/, "organisation.title", organisations.organisation, "person"],
  [/^\/notifications$/, "notifications.title", notices.notifications, "person"],
  [/^\/preferences$/, "preferences.title", notices.preferences, "person"],
  [/^\/users$/, "users.title", admin.users, "admin"],
  [/^\/users\/(\d+)$/, "user.title", admin.user, "admin"],
  [/^\/clients$/, "clients.title", clients.clients, "admin"],
  [/^\/clients\/new$/, "clients.add", clients.addClient, "admin"],
  [/^\/clients\/([0-9a-f]{32})$/, "client.title", clients.client, "admin"],
  [/^\/providers$/, "providers.title", providers.providers, "admin"],
  [/^\/providers\/new\/(openid|github|apple)$/, "providers.add", providers.addProvider, "admin"],
  [/^\/providers\/([a-z0-9-]+)$/, "provider.title", providers.provider, "admin"],
  [/^\/webhooks$/, "webhooks.title", webhooks.webhooks, "admin"],
  [/^\/webhooks\/new$/, "webhooks.add", webhooks.addWebhook, "admin"],
  [/^\/webhooks\/(\d+)$/, "webhook.title", webhooks.webhook, "admin"],
  [/^\/dead-letters$/, "dead.title", admin.deadLetters, "admin"],
  [/^\/audit-log$/, "audit.title", admin.auditLog, "admin"],
];
const PERSON = ["profile", "security", "sessions", "applications", "organisations", "activity", "notifications", "preferences"];
const ADMIN = ["users", "clients", "providers", "webhooks", "dead-letters", "audit-log"];

const main = document.getElementById("main");
let me = null;
let returnTo = "/profile";
let left = "/profile"; // the last page that needs a session
let turn = 0;

function path() {
  return location.hash.replace(/^#/, "") || "/";
}

function go(target) {
  if (path() === target) show();
  else location.hash = target;
}

/** The signed-in user from users-ms; null without a session. */
async function whoAmI() {
  if (!(await api.resume())) return null;
  me ??= (await api.call("GET", "/users-ms/users/me")).value;
  return me;
}

async function show() {
  const mine = ++turn; // the last requested page wins
  const asked = path();
  const route = ROUTES.find(([pattern]) => pattern.test(asked));
  try {
    const person = await whoAmI();
    if (mine !== turn) return;
    if (asked === "/sign-in-again") return void (await signInAgain());
    const allowed = route && (route[3] === "anybody" || (person && (route[3] === "person" || person.is_admin)));
    if (!allowed) return void redirect(route, asked, person);
    const [pattern, title, page, audience] = route;
    const content = await page({ me: person, go, signedIn, signedOut, changed, ended, comeBack }, ...pattern.exec(asked).slice(1));
    if (mine !== turn) return;
    if (audience !== "anybody") left = asked;
    draw(t(title), content, audience === "anybody");
  } catch (problem) {
    if (mine === turn) draw(t("error.title"), [failure(problem)], true);
  }
}

function redirect(route, asked, person) {
  if (!person && route) returnTo = asked;
  location.replace(`#${person ? "/profile" : "/sign-in"}`);
}

function draw(title, content, narrow) {
  document.title = `${title} - Tessera`;
  navigation();
  const heading = h("h1", { tabindex: "-1" }, title);
  main.className = narrow ? "narrow" : "";
  main.replaceChildren(heading, ...content);
  (main.querySelector("[autofocus]") || heading).focus();
  window.scrollTo(0, 0);
}

/** Called after a sign-in. */
async function signedIn() {
  me = null;
  const target = returnTo;
  returnTo = "/profile";
  announce(t("signIn.done"));
  go(target);
}

/** Called before a sign-in that is to lead back to `target`. */
function comeBack(target) {
  returnTo = target;
}

/** Called when the session has ended and the page itself says so. */
function signedOut() {
  api.forget();
  me = null;
  navigation();
}

/** Called after a change of the profile on this page. */
function changed(value) {
  if (me && value.id === me.id) me = value;
  navigation();
}

/** Called after the user has signed out. */
function ended(message) {
  me = null;
  announce(message);
  go("/sign-in");
}

async function signInAgain() {
  await api.signOut();
  me = null;
  returnTo = left;
  location.replace("#/sign-in/again");
}

function navigation() {
  const bar = document.getElementById("navigation");
  bar.hidden = !me;
  banner();
  bar.setAttribute("aria-label", t("navigation.label"));
  document.documentElement.lang = language;
  document.getElementById("skip").textContent = t("skip");
  document.getElementById("language-label").textContent = t("language");
  for (const each of document.querySelectorAll("[data-text]")) each.textContent = t(each.dataset.text);
  if (!me) return bar.replaceChildren();
  const here = path().split("/")[1];
  const link = (name) =>
    h("li", {}, h("a", { href: `#/${name}`, "aria-current": name === here ? "page" : null }, t(`navigation.${name}`)));
  const leave = h("li", {}, h("button", { type: "button", onclick: signOut }, t("navigation.sign-out")));
  const open = () => menu.setAttribute("aria-expanded", menu.getAttribute("aria-expanded") !== "true");
  const menu = h("button", { type: "button", class: "menu", "aria-expanded": "false", "aria-controls": "menu", onclick: open }, t("navigation.menu"));
  return bar.replaceChildren(menu, h("ul", { id: "menu" }, PERSON.map(link), me.is_admin ? ADMIN.map(link) : [], leave));
}

/** Says on every page that an admin acts as the user. */
function banner() {
  const place = document.getElementById("banner");
  place.hidden = !me || !api.isImpersonated();
  if (place.hidden) return void place.replaceChildren();
  const leave = h("button", { type: "button", onclick: signOut }, t("impersonation.end"));
  place.replaceChildren(h("p", {}, t("impersonation.banner", { name: `${me.name} ${me.surname}` })), leave);
}

async function signOut() {
  try {
    await api.signOut();
    ended(t("signOut.done"));
  } catch (problem) {
    main.prepend(failure(problem));
  }
}

const select = document.getElementById("language");
select.value = language;
select.addEventListener("change", () => {
  choose(select.value);
  show().then(() => select.focus());
});
document.getElementById("skip").addEventListener("click", (event) => {
  event.preventDefault();
  main.focus();
});
window.addEventListener("signed-out", () => {
  if (!me) return;
  returnTo = path();
  ended(t("signOut.ended"));
});
window.addEventListener("hashchange", show);
navigation();
show();
