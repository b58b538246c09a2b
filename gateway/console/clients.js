// For admins: the applications that sign users in with OpenID Connect, their secrets, and their logouts.
import { call } from "./api.js";
import { action, announce, badge, card, checks, choice, confirm, field, form, h, json, lines, time } from "./dom.js";
import { list } from "./paging.js";
import { named, namesOf, t } from "./texts.js";

const NEW = {
  name: "", token_endpoint_auth_method: "client_secret_basic", grant_types: ["authorization_code", "refresh_token"],
  redirect_uris: [], post_logout_redirect_uris: [], scopes: ["openid", "profile", "email"], resources: [],
  claims: {}, web_origins: [], backchannel_logout_uri: "", frontchannel_logout_uri: "",
  logo_uri: "", client_uri: "", policy_uri: "", tos_uri: "", jwks: null, jwks_uri: "",
  first_party: false, require_pkce: true, signing_algorithm: "ES256", subject_type: "public", is_active: true,
};
const READ_ONLY = ["id", "client_id", "client_secret", "registered_by", "created_at"];
const OVERLAPS = [[86400, "day"], [3600, "hour"], [604800, "week"], [0, "none"]];

export function clients() {
  const columns = [
    { label: t("clients.name"), cell: (row) => h("a", { href: `#/clients/${row.client_id}` }, row.name) },
    { label: t("clients.id"), cell: (row) => h("code", {}, row.client_id) },
    { label: t("users.state"), cell: (row) => state(row) },
    { label: t("users.since"), cell: (row) => time(row.created_at) },
  ];
  const add = h("p", {}, h("a", { href: "#/clients/new" }, t("clients.add")));
  return [card(null, h("p", {}, t("clients.explained")), add, list("/auth-ms/clients?limit=20", t("clients.caption"), columns).node)];
}

function state(client) {
  const marks = [
    badge(client.is_active ? t("users.active") : t("users.inactive"), client.is_active ? "good" : "bad"),
    client.first_party && badge(t("clients.firstParty.short")),
    client.registered_by && badge(t("clients.registeredItself")),
  ];
  return h("span", {}, ...marks.filter(Boolean).flatMap((mark) => [mark, " "]));
}

/** The fields of a client; their names are those of the API. */
function fields(client) {
  return [
    field("name", t("clients.name"), { value: client.name, required: true, maxlength: 100, hint: t("clients.name.hint") }),
    field("logo_uri", t("clients.logo"), { value: client.logo_uri, inputmode: "url", maxlength: 2000, hint: t("clients.logo.hint") }),
    field("client_uri", t("clients.site"), { value: client.client_uri, inputmode: "url", maxlength: 2000 }),
    field("policy_uri", t("clients.policy"), { value: client.policy_uri, inputmode: "url", maxlength: 2000 }),
    field("tos_uri", t("clients.terms"), { value: client.tos_uri, inputmode: "url", maxlength: 2000 }),
    choice("token_endpoint_auth_method", t("clients.method"), namesOf("client-method"), { value: client.token_endpoint_auth_method }),
    json("jwks", t("clients.keySet"), { value: client.jwks, hint: t("clients.keySet.hint") }),
    field("jwks_uri", t("clients.keys"), { value: client.jwks_uri, inputmode: "url", hint: t("clients.keys.hint") }),
    checks("grant_types", t("clients.grants"), namesOf("client-grant"), { value: client.grant_types }),
    lines("redirect_uris", t("clients.redirect"), { value: client.redirect_uris, hint: t("clients.redirect.hint") }),
    field("scopes", t("users.scopes"), { value: client.scopes.join(" "), hint: t("clients.scopes.hint") }),
    json("claims", t("clients.claims"), { value: client.claims, empty: {}, hint: t("clients.claims.hint") }),
    lines("resources", t("clients.resources"), { value: client.resources, hint: t("clients.resources.hint") }),
    field("first_party", t("clients.firstParty"), { type: "checkbox", value: client.first_party }),
    lines("post_logout_redirect_uris", t("clients.afterLogout"), { value: client.post_logout_redirect_uris }),
    field("backchannel_logout_uri", t("clients.backChannel"), { value: client.backchannel_logout_uri, hint: t("clients.backChannel.hint") }),
    field("frontchannel_logout_uri", t("clients.frontChannel"), { value: client.frontchannel_logout_uri, hint: t("clients.frontChannel.hint") }),
    lines("web_origins", t("clients.origins"), { value: client.web_origins, hint: t("clients.origins.hint") }),
    choice("signing_algorithm", t("clients.algorithm"), [["ES256", "ES256"], ["RS256", "RS256"]], {
      value: client.signing_algorithm, hint: t("clients.algorithm.hint"),
    }),
    choice("subject_type", t("clients.subject"), namesOf("client-subject"), { value: client.subject_type }),
    field("require_pkce", t("clients.pkce"), { type: "checkbox", value: client.require_pkce }),
    field("is_active", t("users.active"), { type: "checkbox", value: client.is_active }),
  ];
}

/** What the API is sent: the settings that this page does not show stay as they are. */
function bodyOf(known, values) {
  const kept = Object.entries(known).filter(([name]) => !READ_ONLY.includes(name));
  return { ...Object.fromEntries(kept), ...values, scopes: values.scopes.split(/\s+/).filter(Boolean) };
}

export function addClient() {
  const place = card(t("clients.settings"));
  place.append(form(fields(NEW), {
    button: t("clients.add"),
    submit: async (values) => {
      const { value } = await call("POST", "/auth-ms/clients", { body: bodyOf({}, values) });
      announce(t("clients.added"));
      place.replaceChildren(...registered(value));
      place.querySelector("h2").focus();
    },
  }));
  return [back(), place];
}

function back() {
  return h("p", {}, h("a", { href: "#/clients" }, t("clients.back")));
}

/** The id of a new client, and the secret, which is shown only once. */
function registered(client) {
  return [
    h("h2", { tabindex: "-1" }, t("clients.credentials")),
    h("p", {}, t(client.client_secret ? "clients.credentials.explained" : "clients.credentials.public")),
    credentials(client),
    h("p", {}, h("a", { href: `#/clients/${client.client_id}` }, t("clients.open", { name: client.name }))),
  ];
}

function credentials(client) {
  const secret = client.client_secret;
  return h("dl", { class: "facts" },
    h("dt", {}, t("clients.id")), h("dd", {}, h("code", {}, client.client_id)),
    ...(secret ? [h("dt", {}, t("clients.secret")), h("dd", {}, h("code", { id: "client-secret" }, secret))] : []));
}

export async function client({ go }, id) {
  const path = `/auth-ms/clients/${id}`;
  let { value: known } = await call("GET", path);
  const edit = form(fields(known), {
    button: t("profile.save"),
    submit: async (values) => {
      ({ value: known } = await call("PUT", path, { body: bodyOf(known, values) }));
      announce(t("profile.saved"));
    },
  });
  const remove = action(t("clients.delete"), async () => {
    if (!(await confirm(t("clients.delete.sure", { name: known.name }), t("clients.delete")))) return;
    await call("DELETE", path);
    announce(t("clients.deleted"));
    go("/clients");
  }, { kind: "danger" });
  const facts = h("dl", { class: "facts" },
    h("dt", {}, t("clients.id")), h("dd", {}, h("code", {}, known.client_id)),
    h("dt", {}, t("users.since")), h("dd", {}, time(known.created_at)),
    ...(known.registered_by ? [h("dt", {}, t("clients.registeredBy")), h("dd", {}, registrar(known.registered_by))] : []));
  const hasSecret = known.token_endpoint_auth_method.startsWith("client_secret");
  return [
    back(),
    card(known.name, facts, edit),
    ...(hasSecret ? [rotation(path)] : []),
    ...(known.backchannel_logout_uri ? [logouts(id)] : []),
    card(t("clients.delete"), h("p", {}, t("clients.delete.explained")), remove),
  ];
}

/** The client whose initial access token registered another, by its id: it may be deleted meanwhile. */
function registrar(id) {
  return h("a", { href: `#/clients/${id}` }, h("code", {}, id));
}

function rotation(path) {
  const place = h("div", {});
  const overlap = choice("overlap_seconds", t("clients.overlap"), OVERLAPS.map(([seconds, name]) => [seconds, t(`clients.overlap.${name}`)]));
  const rotate = form([overlap], {
    button: t("clients.rotate"),
    submit: async (values) => {
      const { value } = await call("POST", `${path}/secrets`, { body: { overlap_seconds: Number(values.overlap_seconds) } });
      announce(t("clients.rotated"));
      place.replaceChildren(h("p", { tabindex: "-1" }, t("clients.credentials.explained")), credentials(value));
      place.firstElementChild.focus();
    },
  });
  return card(t("clients.rotation"), h("p", {}, t("clients.rotation.explained")), rotate, place);
}

function logouts(id) {
  const columns = [
    { label: t("dead.user"), cell: (row) => h("a", { href: `#/users/${row.user_id}` }, String(row.user_id)) },
    { label: t("notifications.status"), cell: (row) => badge(named("logout", row.status), row.status === "failed" ? "bad" : "") },
    { label: t("clients.attempts"), cell: (row) => String(row.attempts) },
    { label: t("dead.reason"), cell: (row) => h("span", { lang: "en" }, row.last_error || "–") },
    { label: t("dead.when"), cell: (row) => time(row.created_at) },
    {
      label: t("table.action"),
      kind: "action",
      cell: (row) => row.status === "failed" && action(t("dead.replay"), async () => {
        await call("POST", `/auth-ms/logout-deliveries/${row.id}/redeliver`);
        announce(t("dead.replayed", { count: 1 }));
        await rows.reload();
      }, { name: t("clients.redeliver.name", { id: row.id }) }),
    },
  ];
  const rows = list(`/auth-ms/logout-deliveries?limit=20&client_id=${id}`, t("clients.logouts.caption"), columns);
  return card(t("clients.logouts"), h("p", {}, t("clients.logouts.explained")), rows.node);
}
