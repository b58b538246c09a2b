// The user's own profile and sessions.
import * as api from "./api.js";
import { action, announce, badge, card, confirm, field, form, h, time } from "./dom.js";
import { list } from "./paging.js";
import { named, t } from "./texts.js";

const LANGUAGES = [["en", "English"], ["it", "Italiano"]];

/** The fields that users may change themselves. */
export function profileFields(user) {
  return [
    field("name", t("field.name"), { value: user.name, autocomplete: "given-name", required: true }),
    field("surname", t("field.surname"), { value: user.surname, autocomplete: "family-name", required: true }),
    field("email", t("field.email"), { value: user.email, type: "email", autocomplete: "email", required: true }),
    field("phone", t("field.phone"), {
      value: user.phone, type: "tel", autocomplete: "tel", hint: t("field.phone.hint"),
    }),
    field("locale", t("field.locale"), { value: user.locale, list: "locales", required: true }),
    field("time_zone", t("field.timeZone"), { value: user.time_zone, list: "zones", required: true }),
  ];
}

export function suggestions() {
  const zones = Intl.supportedValuesOf?.("timeZone") || [];
  return [
    h("datalist", { id: "locales" }, LANGUAGES.map(([tag, name]) => h("option", { value: tag }, name))),
    h("datalist", { id: "zones" }, ["UTC", ...zones].map((zone) => h("option", { value: zone }))),
  ];
}

/** The changed `values` of `user`; an unchanged email requires no recent sign-in. */
export function differences(user, values) {
  return Object.fromEntries(Object.entries(values).filter(([name, value]) => value !== user[name]));
}

export async function profile({ go, changed, ended }) {
  const { value: user, tag } = await api.call("GET", "/users-ms/users/me");
  changed(user);
  let version = tag;
  let known = user;
  const edit = form(profileFields(user), {
    button: t("profile.save"),
    submit: async (values) => {
      const body = differences(known, values);
      const answer = await api.call("PATCH", `/users-ms/users/${user.id}`, { body, headers: { "If-Match": version } });
      [version, known] = [answer.tag, answer.value];
      changed(answer.value);
      announce(t(answer.value.pending_email && body.email ? "profile.pending.sent" : "profile.saved"));
      if ("email" in body || "phone" in body) go("/profile"); // shows what must be confirmed
    },
  });
  const remove = action(t("profile.delete"), async () => {
    if (!(await confirm(t("profile.delete.sure"), t("profile.delete.yes")))) return;
    await api.call("DELETE", `/users-ms/users/${user.id}`, { headers: { "If-Match": version } });
    api.forget();
    ended(t("profile.deleted"));
  }, { kind: "danger" });
  return [
    ...(user.email_verified ? [] : [unverified()]),
    ...(user.pending_email ? [pending(user, () => go("/profile"))] : []),
    ...(user.phone && !user.phone_verified ? [unverifiedPhone(user, () => go("/profile"))] : []),
    card(t("profile.data"), ...suggestions(), edit),
    card(t("export.title"), h("p", {}, t("export.explained")), action(t("export.button"), download)),
    card(t("profile.delete"), h("p", {}, t("profile.delete.explained")), remove),
  ];
}

/** States that the address is unconfirmed, with a button that sends the email again. */
export function unverified(text = t("profile.unverified")) {
  const send = action(t("profile.unverified.send"), async () => {
    await api.call("POST", "/auth-ms/auth/email/verification");
    announce(t("profile.unverified.sent"));
  });
  return h("section", { class: "message", "aria-label": t("profile.unverified.title") },
    h("p", {}, text), h("div", { class: "actions" }, send));
}

/** A pending change of the address. */
function pending(user, again) {
  const cancel = action(t("profile.pending.cancel"), async () => {
    await api.call("PATCH", `/users-ms/users/${user.id}`, { body: { email: user.email } });
    announce(t("profile.pending.cancelled"));
    again();
  });
  return h("section", { class: "message", "aria-label": t("profile.pending.title") },
    h("p", {}, t("profile.pending", { email: user.pending_email })), h("div", { class: "actions" }, cancel));
}

function unverifiedPhone(user, again) {
  const place = h("section", { class: "message", "aria-label": t("phone.title") });
  const code = field("code", t("phone.code"), {
    id: "field-phone-code", hint: t("phone.code.hint"), inputmode: "numeric", autocomplete: "one-time-code", required: true,
  });
  const check = form([code], {
    button: t("phone.confirm"),
    submit: async (values) => {
      await api.call("POST", "/auth-ms/auth/phone/verify", { body: { code: values.code.trim() } });
      announce(t("phone.confirmed"));
      again();
    },
  });
  const send = action(t("phone.send"), async () => {
    await api.call("POST", "/auth-ms/auth/phone/verification");
    place.replaceChildren(h("p", {}, t("phone.sent", { phone: user.phone })), check);
    code.input.focus();
  });
  place.append(h("p", {}, t("phone.unverified", { phone: user.phone })), h("div", { class: "actions" }, send));
  return place;
}

/** All data that the services store about the user, as one file. */
async function download() {
  const paths = {
    users: "/users-ms/users/me/export", auth: "/auth-ms/auth/export", notification: "/notification-ms/export",
  };
  const all = {};
  for (const [service, path] of Object.entries(paths)) all[service] = (await api.call("GET", path)).value;
  const url = URL.createObjectURL(new Blob([JSON.stringify(all, null, 2)], { type: "application/json" }));
  const link = h("a", { href: url, download: "tessera-data.json", hidden: true });
  document.body.append(link);
  link.click();
  link.remove();
  setTimeout(() => URL.revokeObjectURL(url), 60_000);
  announce(t("export.done"));
}

/** The user's events in the audit log. */
export function activity({ me }) {
  const columns = [
    { label: t("audit.at"), cell: (row) => time(row.at) },
    { label: t("audit.event"), cell: (row) => named("audit-event", row.event) },
    { label: t("audit.outcome"), cell: (row) => badge(named("outcome", row.outcome), row.outcome === "success" ? "good" : "bad") },
    { label: t("sessions.device"), cell: (row) => h("span", { title: row.user_agent }, deviceName(row.user_agent || "")) },
    { label: t("sessions.address"), cell: (row) => row.address || "–" },
    { label: t("activity.by"), cell: (row) => t(row.actor_id && row.actor_id !== me.id ? "activity.admin" : "activity.you") },
  ];
  return [card(null, h("p", {}, t("activity.explained")),
    list("/auth-ms/auth/activity?limit=20", t("activity.caption"), columns).node)];
}

export function sessions({ go, ended }, wanted) {
  const columns = [
    { label: t("sessions.device"), cell: (row) => device(row, wanted) },
    { label: t("sessions.address"), cell: (row) => row.address || "–" },
    { label: t("sessions.began"), cell: (row) => time(row.created_at) },
    { label: t("sessions.used"), cell: (row) => time(row.last_used_at) },
    { label: t("table.action"), kind: "action", cell: (row) => endButton(row) },
  ];
  function endButton(row) {
    const name = t("sessions.end.name", { device: deviceName(row.user_agent), id: row.id });
    return action(t("sessions.end"), async () => {
      if (row.current) {
        await api.signOut();
        return void ended(t("signOut.done"));
      }
      await api.call("DELETE", `/auth-ms/auth/sessions/${row.id}`);
      announce(t("sessions.ended"));
      go("/sessions");
    }, { kind: "danger", name });
  }
  const all = action(t("sessions.endAll"), async () => {
    if (!(await confirm(t("sessions.endAll.sure"), t("sessions.endAll")))) return;
    await api.signOut({ all: true });
    ended(t("signOut.done"));
  }, { kind: "danger" });
  return [
    card(null, list("/auth-ms/auth/sessions?limit=20", t("sessions.caption"), columns).node),
    h("div", { class: "actions" }, all),
  ];
}

function device(row, wanted) {
  const marks = [
    row.current && badge(t("sessions.current"), "good"),
    row.impersonated && badge(t("sessions.impersonated"), "bad"),
    String(row.id) === wanted && badge(t("sessions.asked"), "bad"),
  ].filter(Boolean);
  const methods = row.methods.map((method) => named("method", method)).join(", ");
  return h("span", { title: row.user_agent }, deviceName(row.user_agent), " ", ...marks,
    h("br"), h("span", { class: "quiet" }, methods));
}

/** Browser and system of a user agent, such as `Firefox, Linux`; the beginning of an unknown one. */
function deviceName(agent) {
  const find = (pairs) => pairs.find(([pattern]) => pattern.test(agent))?.[1];
  const browser = find([
    [/Edg/, "Edge"], [/Firefox/, "Firefox"], [/Chrom/, "Chrome"], [/Safari/, "Safari"], [/curl/, "curl"],
  ]);
  const system = find([
    [/Android/, "Android"], [/iPhone|iPad/, "iOS"], [/Windows/, "Windows"], [/Mac OS/, "macOS"], [/Linux/, "Linux"],
  ]);
  return [browser, system].filter(Boolean).join(", ") || agent.slice(0, 40) || t("sessions.unknown");
}

/** What an application says of itself. Its logo would tell its server of each visit to this page. */
function links(application) {
  const known = [["client_uri", "site"], ["policy_uri", "policy"], ["tos_uri", "terms"]].filter(([member]) => application[member]);
  if (!known.length) return null;
  const link = ([member, text]) =>
    h("li", {}, h("a", { href: application[member], target: "_blank", rel: "noopener noreferrer" }, t(`clients.${text}`)));
  return h("ul", { class: "links" }, known.map(link));
}

/** The applications that the user has allowed something. */
export function applications() {
  const takeBack = (row, scope) => scope !== "openid" && row.scopes.length > 1 && action(t("applications.takeBack"), async () => {
    const scopes = row.scopes.filter((each) => each !== scope);
    await api.call("PUT", `/auth-ms/auth/consents/${row.client_id}`, { body: { scopes } });
    announce(t("applications.takenBack"));
    await rows.reload();
  }, { name: t("applications.takeBack.name", { name: row.name, scope: named("scope", scope) }) });
  const columns = [
    { label: t("applications.name"), cell: (row) => h("span", {}, row.name, links(row)) },
    { label: t("applications.scopes"), cell: (row) => h("ul", { class: "links scopes" }, row.scopes.map((scope) => h("li", {}, named("scope", scope), takeBack(row, scope)))) },
    { label: t("applications.since"), cell: (row) => time(row.given_at) },
    {
      label: t("table.action"),
      kind: "action",
      cell: (row) => action(t("applications.disconnect"), async () => {
        if (!(await confirm(t("applications.disconnect.sure", { name: row.name }), t("applications.disconnect")))) return;
        await api.call("DELETE", `/auth-ms/auth/consents/${row.client_id}`);
        announce(t("applications.disconnected"));
        await rows.reload();
      }, { kind: "danger", name: t("applications.disconnect.name", { name: row.name }) }),
    },
  ];
  const rows = list("/auth-ms/auth/consents?limit=20", t("applications.caption"), columns);
  return [card(null, h("p", {}, t("applications.explained")), rows.node)];
}
