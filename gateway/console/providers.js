// For admins: the other providers with which users may sign in.
import { call } from "./api.js";
import { action, announce, badge, card, confirm, field, form, h, lines, time } from "./dom.js";
import { list } from "./paging.js";
import { named, t } from "./texts.js";

const PATH = "/auth-ms/external-providers";
const KINDS = ["openid", "github", "apple"];
const NEW = {
  name: "", slug: "", issuer: "", client_id: "", team_id: "", key_id: "", scopes: [],
  trusts_email: false, counts_as_second_factor: false, creates_accounts: true, enabled: true,
};
const KNOWN = {
  openid: {},
  github: { name: "GitHub", slug: "github", issuer: "https://github.com" },
  apple: { name: "Apple", slug: "apple", issuer: "https://appleid.apple.com" },
};

export function providers() {
  const columns = [
    { label: t("providers.name"), cell: (row) => h("a", { href: `#/providers/${row.slug}` }, row.name) },
    { label: t("providers.kind"), cell: (row) => named("provider-kind", row.kind) },
    { label: t("providers.issuer"), cell: (row) => h("code", {}, row.issuer) },
    { label: t("users.state"), cell: (row) => badge(t(row.enabled ? "providers.enabled" : "providers.disabled"), row.enabled ? "good" : "bad") },
    { label: t("users.since"), cell: (row) => time(row.created_at) },
  ];
  const add = h("ul", { class: "links" }, KINDS.map((kind) =>
    h("li", {}, h("a", { href: `#/providers/new/${kind}` }, t("providers.add.kind", { kind: named("provider-kind", kind) })))));
  return [card(null, h("p", {}, t("providers.explained")), add, list(`${PATH}?limit=20`, t("providers.caption"), columns).node)];
}

/** The fields of a provider; their names are those of the API. `isNew` has those that never change. */
function fields(provider, isNew) {
  const { kind } = provider;
  const isApple = kind === "apple";
  const hint = t(isNew ? "providers.secret.hint" : "providers.secret.kept");
  const callback = `${location.origin}/auth-ms/oauth/external/…/callback`;
  return [
    field("name", t("providers.name"), { value: provider.name, required: true, maxlength: 60, hint: t("providers.name.hint") }),
    ...(isNew ? [
      field("slug", t("providers.slug"), { value: provider.slug, required: true, maxlength: 40, hint: t("providers.slug.hint", { callback }) }),
      field("issuer", t("providers.issuer"), {
        value: provider.issuer, required: true, inputmode: "url", maxlength: 500, hint: t(`providers.issuer.${kind}`),
      }),
    ] : []),
    field("client_id", t(isApple ? "providers.servicesId" : "clients.id"), { value: provider.client_id, required: true, maxlength: 255 }),
    ...(isApple ? [
      field("team_id", t("providers.team"), { value: provider.team_id, required: true, maxlength: 20 }),
      field("key_id", t("providers.key"), { value: provider.key_id, required: true, maxlength: 20 }),
      lines("client_secret", t("providers.privateKey"), { hint, required: isNew, autocomplete: "off" }),
    ] : [
      field("client_secret", t("clients.secret"), { type: "password", hint, required: isNew, maxlength: 1000, autocomplete: "off" }),
    ]),
    field("scopes", t("users.scopes"), { value: provider.scopes.join(" "), hint: t("providers.scopes.hint") }),
    field("trusts_email", t("providers.trusts"), { type: "checkbox", value: provider.trusts_email }),
    ...(kind === "openid" ? [field("counts_as_second_factor", t("providers.factor"), { type: "checkbox", value: provider.counts_as_second_factor })] : []),
    field("creates_accounts", t("providers.creates"), { type: "checkbox", value: provider.creates_accounts }),
    field("enabled", t("providers.enabled.field"), { type: "checkbox", value: provider.enabled }),
  ];
}

/** What the API is sent; without a secret, the stored one stays. */
function bodyOf({ client_secret, scopes, ...values }) {
  const secret = Array.isArray(client_secret) ? client_secret.join("\n") : client_secret;
  return { ...values, scopes: scopes.split(/\s+/).filter(Boolean), ...(secret ? { client_secret: secret } : {}) };
}

export function addProvider({ go }, kind) {
  const add = form(fields({ ...NEW, ...KNOWN[kind], kind }, true), {
    button: t("providers.add"),
    submit: async (values) => {
      const { value } = await call("POST", PATH, { body: { ...bodyOf(values), kind } });
      announce(t("providers.added"));
      go(`/providers/${value.slug}`);
    },
  });
  return [back(), card(named("provider-kind", kind), add)];
}

function back() {
  return h("p", {}, h("a", { href: "#/providers" }, t("providers.back")));
}

export async function provider({ go }, slug) {
  const path = `${PATH}/${slug}`;
  const { value: known } = await call("GET", path);
  const edit = form(fields(known, false), {
    button: t("profile.save"),
    submit: async (values) => {
      await call("PUT", path, { body: bodyOf(values) });
      edit.querySelector("[name=client_secret]").value = "";
      announce(t("profile.saved"));
    },
  });
  const remove = action(t("providers.delete"), async () => {
    if (!(await confirm(t("providers.delete.sure", { name: known.name }), t("providers.delete")))) return;
    await call("DELETE", path);
    announce(t("providers.deleted"));
    go("/providers");
  }, { kind: "danger" });
  const facts = h("dl", { class: "facts" },
    h("dt", {}, t("providers.kind")), h("dd", {}, named("provider-kind", known.kind)),
    h("dt", {}, t("providers.issuer")), h("dd", {}, h("code", {}, known.issuer)),
    h("dt", {}, t("providers.redirect")), h("dd", {}, h("code", {}, known.redirect_uri)),
    h("dt", {}, t("users.since")), h("dd", {}, time(known.created_at)));
  return [
    back(),
    card(known.name, facts, edit),
    card(t("providers.delete"), h("p", {}, t("providers.delete.explained")), remove),
  ];
}
