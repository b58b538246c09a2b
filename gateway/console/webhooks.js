// For admins: webhooks, which tell products what happens; their secrets and deliveries.
import { call } from "./api.js";
import { action, announce, badge, card, checks, choice, confirm, field, form, h, time } from "./dom.js";
import { list } from "./paging.js";
import { named, t } from "./texts.js";

const API = "/notification-ms/webhooks";
const NEW = { url: "", description: "", events: [], enabled: true };
const OVERLAPS = [[86400, "day"], [3600, "hour"], [604800, "week"], [0, "none"]];

export function webhooks() {
  const columns = [
    { label: t("webhooks.url"), cell: (row) => h("a", { href: `#/webhooks/${row.id}` }, row.url) },
    { label: t("webhooks.description"), cell: (row) => row.description || "–" },
    { label: t("users.state"), cell: (row) => state(row) },
    { label: t("users.since"), cell: (row) => time(row.created_at) },
  ];
  const changed = [
    { label: t("audit.at"), cell: (row) => time(row.at) },
    { label: t("webhooks.change"), cell: (row) => named("webhook-change", row.change) },
    { label: t("webhooks.url"), cell: (row) => row.details.url || `${row.webhook_id}` },
    { label: t("audit.who"), cell: (row) => row.actor_id ? h("a", { href: `#/users/${row.actor_id}` }, String(row.actor_id)) : "–" },
  ];
  const add = h("p", {}, h("a", { href: "#/webhooks/new" }, t("webhooks.add")));
  return [
    card(null, h("p", {}, t("webhooks.explained")), add, list(`${API}?limit=20`, t("webhooks.caption"), columns).node),
    card(t("webhooks.changes"), list("/notification-ms/webhook-changes?limit=10", t("webhooks.changes.caption"), changed).node),
  ];
}

function state(webhook) {
  const marks = [
    webhook.enabled ? badge(t("webhooks.enabled"), "good") : badge(named("webhook-disabled", webhook.disabled_by), "bad"),
    webhook.enabled && webhook.failing_since && badge(t("webhooks.failing"), "bad"),
    webhook.is_replaying && badge(t("webhooks.replaying")),
  ];
  return h("span", {}, ...marks.filter(Boolean).flatMap((mark) => [mark, " "]));
}

async function fields(webhook) {
  const { value: catalogue } = await call("GET", "/notification-ms/webhook-event-types");
  return [
    field("url", t("webhooks.url"), { value: webhook.url, required: true, inputmode: "url", maxlength: 2000, hint: t("webhooks.url.hint") }),
    field("description", t("webhooks.description"), { value: webhook.description, maxlength: 200 }),
    checks("events", t("webhooks.events"), catalogue.events.map(({ type }) => [type, type]), { value: webhook.events }),
    field("enabled", t("webhooks.enabled"), { type: "checkbox", value: webhook.enabled }),
  ];
}

export async function addWebhook() {
  const place = card(t("clients.settings"));
  place.append(form(await fields(NEW), {
    button: t("webhooks.add"),
    submit: async (values) => {
      const { value } = await call("POST", API, { body: values });
      announce(t("webhooks.added"));
      place.replaceChildren(
        h("h2", { tabindex: "-1" }, t("webhooks.secret")),
        ...secret(value),
        h("p", {}, h("a", { href: `#/webhooks/${value.id}` }, t("clients.open", { name: value.url }))));
      place.querySelector("h2").focus();
    },
  }));
  return [back(), place];
}

function back() {
  return h("p", {}, h("a", { href: "#/webhooks" }, t("webhooks.back")));
}

function secret(made) {
  return [h("p", { tabindex: "-1" }, t("webhooks.secret.explained")), h("p", {}, h("code", { id: "webhook-secret" }, made.secret))];
}

export async function webhook({ go }, id) {
  const path = `${API}/${id}`;
  let { value: known, tag } = await call("GET", path);
  const status = h("p", {}, state(known));
  const edit = form(await fields(known), {
    button: t("profile.save"),
    submit: async (values) => {
      ({ value: known, tag } = await call("PUT", path, { body: values, headers: { "If-Match": tag } }));
      status.replaceChildren(state(known));
      announce(t("profile.saved"));
    },
  });
  const remove = action(t("webhooks.delete"), async () => {
    if (!(await confirm(t("webhooks.delete.sure", { url: known.url }), t("webhooks.delete")))) return;
    await call("DELETE", path, { headers: { "If-Match": tag } });
    announce(t("webhooks.deleted"));
    go("/webhooks");
  }, { kind: "danger" });
  return [back(), card(known.url, status, edit), deliveries(path), replay(path), rotation(path),
    card(t("webhooks.delete"), h("p", {}, t("webhooks.delete.explained")), remove)];
}

function deliveries(path) {
  const columns = [
    { label: t("webhooks.type"), cell: (row) => h("code", {}, row.type) },
    { label: t("webhooks.subject"), cell: (row) => row.subject },
    { label: t("notifications.status"), cell: (row) => badge(named("webhook-status", row.status), row.status === "failed" ? "bad" : "") },
    { label: t("clients.attempts"), cell: (row) => String(row.attempts) },
    { label: t("webhooks.answer"), cell: (row) => answer(row) },
    { label: t("webhooks.next"), cell: (row) => time(row.status === "pending" && row.next_attempt_at) },
    { label: t("dead.when"), cell: (row) => time(row.attempted_at || row.begun_at) },
    {
      label: t("table.action"),
      kind: "action",
      cell: (row) => action(t("webhooks.resend"), async () => {
        await call("POST", `${path}/deliveries/${row.id}/resend`);
        announce(t("webhooks.resent"));
        await rows.reload();
      }, { name: t("webhooks.resend.name", { type: row.type, id: row.id }) }),
    },
  ];
  const rows = list(`${path}/deliveries?limit=20`, t("webhooks.deliveries.caption"), columns);
  const test = action(t("webhooks.test"), async () => {
    await call("POST", `${path}/test`);
    announce(t("webhooks.tested"));
    await rows.reload();
  });
  const reload = action(t("webhooks.reload"), () => rows.reload());
  return card(t("webhooks.deliveries"), h("p", {}, t("webhooks.deliveries.explained")), h("div", { class: "actions" }, test, reload), rows.node);
}

function answer(row) {
  const milliseconds = row.answer_milliseconds === null ? "" : ` (${row.answer_milliseconds} ms)`;
  return h("span", { lang: "en" }, `${row.last_error || row.answer_status || "–"}${milliseconds}`);
}

function replay(path) {
  const since = field("since", t("webhooks.since"), { type: "datetime-local", required: true });
  return card(t("webhooks.replay"), h("p", {}, t("webhooks.replay.explained")), form([since], {
    button: t("webhooks.replay"),
    submit: async (values) => {
      await call("POST", `${path}/replay`, { body: { since: new Date(values.since).toISOString() } });
      announce(t("webhooks.replayed"));
    },
  }));
}

function rotation(path) {
  const place = h("div", {});
  const overlap = choice("overlap_seconds", t("webhooks.overlap"), OVERLAPS.map(([seconds, name]) => [seconds, t(`clients.overlap.${name}`)]));
  const rotate = form([overlap], {
    button: t("clients.rotate"),
    submit: async (values) => {
      const { value } = await call("POST", `${path}/secrets`, { body: { overlap_seconds: Number(values.overlap_seconds) } });
      announce(t("clients.rotated"));
      place.replaceChildren(...secret(value));
      place.firstElementChild.focus();
    },
  });
  return card(t("clients.rotation"), h("p", {}, t("webhooks.rotation.explained")), rotate, place);
}
