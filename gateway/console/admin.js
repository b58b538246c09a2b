// For admins: users, dead letters, the audit log.
import { call, impersonate } from "./api.js";
import { differences, profileFields, suggestions } from "./account.js";
import { action, announce, badge, card, choice, confirm, field, form, h, time } from "./dom.js";
import { list } from "./paging.js";
import { namesOf, named, t } from "./texts.js";
import { tokensOf } from "./tokens.js";

const IMPERSONATIONS = "/auth-ms/auth/impersonations";

export function users() {
  const columns = [
    { label: t("users.id"), cell: (row) => String(row.id) },
    { label: t("users.name"), cell: (row) => h("a", { href: `#/users/${row.id}` }, `${row.name} ${row.surname}`) },
    { label: t("field.email"), cell: (row) => row.email },
    { label: t("users.state"), cell: (row) => states(row) },
    { label: t("users.since"), cell: (row) => time(row.created_at) },
  ];
  const rows = list("/users-ms/users?limit=20", t("users.caption"), columns);
  const search = field("search", t("users.search"), { type: "search", hint: t("users.search.hint") });
  const find = form([search], {
    button: t("users.search.button"),
    submit: ({ search: text }) =>
      rows.show(`/users-ms/users?limit=20${text.trim() ? `&search=${encodeURIComponent(text.trim())}` : ""}`),
  });
  find.setAttribute("role", "search");
  return [card(null, find, rows.node)];
}

function states(user) {
  const marks = [
    badge(user.is_active ? t("users.active") : t("users.inactive"), user.is_active ? "good" : "bad"),
    user.is_admin && badge(t("users.admin")),
    !user.email_verified && badge(t("users.unverified")),
  ];
  return h("span", {}, ...marks.filter(Boolean).flatMap((mark) => [mark, " "]));
}

export async function user({ go, changed, me }, id) {
  let { value: known, tag } = await call("GET", `/users-ms/users/${id}`);
  const fields = [
    ...profileFields(known),
    field("is_active", t("users.active"), { type: "checkbox", value: known.is_active }),
    field("is_admin", t("users.admin"), { type: "checkbox", value: known.is_admin }),
    field("scopes", t("users.scopes"), { value: known.scopes.join(" "), hint: t("users.scopes.hint") }),
  ];
  const edit = form(fields, {
    button: t("profile.save"),
    submit: async (values) => {
      const scopes = values.scopes.split(/\s+/).filter(Boolean);
      const body = differences(known, { ...values, scopes });
      if (scopes.join(" ") === known.scopes.join(" ")) delete body.scopes;
      const answer = await call("PATCH", `/users-ms/users/${id}`, { body, headers: { "If-Match": tag } });
      ({ value: known, tag } = answer);
      changed(known);
      announce(t(known.pending_email && body.email ? "profile.pending.sent" : "profile.saved"));
    },
  });
  const remove = action(t("user.delete"), async () => {
    if (!(await confirm(t("user.delete.sure", { email: known.email }), t("user.delete")))) return;
    await call("DELETE", `/users-ms/users/${id}`, { headers: { "If-Match": tag } });
    announce(t("user.deleted"));
    go("/users");
  }, { kind: "danger" });
  const facts = h("dl", { class: "facts" },
    h("dt", {}, t("users.id")), h("dd", {}, String(known.id)),
    h("dt", {}, t("users.state")), h("dd", {}, states(known)),
    h("dt", {}, t("users.since")), h("dd", {}, time(known.created_at)),
    ...(known.pending_email ? [h("dt", {}, t("user.pending")), h("dd", {}, known.pending_email)] : []));
  return [
    h("p", {}, h("a", { href: "#/users" }, t("user.back"))),
    card(`${known.name} ${known.surname}`, facts, ...suggestions(), edit),
    tokensOf(known),
    ...(await impersonation(known, me)),
    card(t("user.delete"), h("p", {}, t("user.delete.explained")), remove),
  ];
}

/** A card to act as the user, where that is on and the user may be acted as. */
async function impersonation(known, me) {
  if (known.is_admin || !known.is_active || known.id === me.id) return [];
  try {
    await call("GET", `${IMPERSONATIONS}?limit=1`);
  } catch (problem) {
    if (problem.code === "impersonation_off") return [];
    throw problem;
  }
  const begin = form([field("reason", t("impersonation.reason"), { required: true, maxlength: 200, hint: t("impersonation.reason.hint") })], {
    button: t("impersonation.begin"),
    submit: ({ reason }) => impersonate(known.id, reason),
  });
  return [card(t("impersonation.title"), h("p", {}, t("impersonation.explained")), begin)];
}

export function deadLetters({ go }) {
  const replay = async (queue, ids) => {
    const { value } = await call("POST", "/notification-ms/dead-letters/redeliver", { body: { queue, ...(ids && { ids }) } });
    announce(t("dead.replayed", { count: value.redelivered }));
    go("/dead-letters");
  };
  const columns = [
    { label: t("dead.queue"), cell: (row) => h("code", {}, row.queue) },
    { label: t("notifications.event"), cell: (row) => (row.event ? named("event", row.event) : "–") },
    { label: t("dead.user"), cell: (row) => row.user_id ? h("a", { href: `#/users/${row.user_id}` }, String(row.user_id)) : "–" },
    { label: t("dead.reason"), cell: (row) => h("span", { lang: "en" }, row.reason) },
    { label: t("dead.when"), cell: (row) => time(row.died_at) },
    {
      label: t("table.action"),
      kind: "action",
      cell: (row) => action(t("dead.replay"), () => replay(row.queue, [row.id]), {
        name: t("dead.replay.name", { queue: row.queue, id: row.user_id ?? row.id.slice(0, 8) }),
      }),
    },
  ];
  return [card(null, h("p", {}, t("dead.explained")), list("/notification-ms/dead-letters?limit=200", t("dead.caption"), columns).node)];
}

export function auditLog() {
  const columns = [
    { label: t("audit.at"), cell: (row) => time(row.at) },
    { label: t("audit.event"), cell: (row) => named("audit-event", row.event) },
    { label: t("audit.outcome"), cell: (row) => badge(named("outcome", row.outcome), row.outcome === "success" ? "good" : "bad") },
    { label: t("audit.who"), cell: (row) => who(row) },
    { label: t("sessions.address"), cell: (row) => row.address || "–" },
    { label: t("audit.request"), cell: (row) => h("code", {}, row.request_id || "–") },
  ];
  const rows = list("/auth-ms/auth/audit-log?limit=20", t("audit.caption"), columns);
  const id = field("user_id", t("audit.user"), { inputmode: "numeric", pattern: "[0-9]*" });
  const any = ["", t("audit.any")];
  const event = choice("event", t("audit.event"), [any, ...namesOf("audit-event")]);
  const outcome = choice("outcome", t("audit.outcome"), [any, ...namesOf("outcome")]);
  const find = form([id, event, outcome], {
    button: t("audit.filter"),
    submit: (values) => {
      const given = Object.entries(values).map(([name, value]) => [name, value.trim()]).filter(([, value]) => value);
      return rows.show(`/auth-ms/auth/audit-log?${new URLSearchParams([["limit", 20], ...given])}`);
    },
  });
  return [card(null, find, rows.node)];
}

function who(row) {
  if (!row.user_id) return row.username || "–";
  const actor = row.actor_id ? t("audit.by", { id: row.actor_id }) : "";
  return h("span", {}, h("a", { href: `#/users/${row.user_id}` }, String(row.user_id)), actor && ` ${actor}`);
}
