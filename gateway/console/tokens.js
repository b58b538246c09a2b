// Personal access tokens: made, shown once, revoked; for admins those of another user, too.
import { call } from "./api.js";
import { action, announce, card, checks, choice, confirm, field, form, h, time } from "./dom.js";
import { list } from "./paging.js";
import { named, t } from "./texts.js";

const API = "/auth-ms/auth/personal-tokens";
const DAYS = [7, 30, 90, 365];

/** The tokens of the user itself, with a form for new ones. */
export function tokensCard(me) {
  const tokens = listed(API);
  const place = h("div", {});
  const fields = [
    field("name", t("tokens.newName"), { id: "field-token", required: true, maxlength: 60, hint: t("tokens.name.hint") }),
    checks("scopes", t("tokens.scopes"), ["read", "write", ...(me.is_admin ? ["admin"] : [])].map((scope) => [scope, t(`tokens.scope.${scope}`)]), { value: ["read"] }),
    choice("expires_in_days", t("tokens.lifetime"), DAYS.map((days) => [days, t("tokens.days", { days })]), { value: 30 }),
  ];
  const add = form(fields, {
    button: t("tokens.add"),
    submit: async (values) => {
      const body = { ...values, expires_in_days: Number(values.expires_in_days) };
      const { value } = await call("POST", API, { body });
      announce(t("tokens.added"));
      place.replaceChildren(...shown(value.token));
      place.firstElementChild.focus();
      fields[0].input.value = "";
      await tokens.reload();
    },
  });
  return card(t("tokens.title"), h("p", {}, t("tokens.explained")), place, tokens.node, add);
}

/** The tokens of another user, for admins. */
export function tokensOf(user) {
  return card(t("tokens.title"), h("p", {}, t("tokens.ofUser")), listed(API, `&user_id=${user.id}`).node);
}

function shown(token) {
  const copy = navigator.clipboard && action(t("tokens.copy"), async () => {
    await navigator.clipboard.writeText(token);
    announce(t("tokens.copied"));
  });
  return [
    h("p", { tabindex: "-1" }, t("tokens.once")),
    h("p", {}, h("code", { id: "personal-token" }, token)),
    ...(copy ? [h("div", { class: "actions" }, copy)] : []),
  ];
}

function listed(path, query = "") {
  const columns = [
    { label: t("tokens.name"), cell: (row) => row.name },
    { label: t("tokens.scopes"), cell: (row) => row.scopes.map((scope) => (row.resource ? scope : named("tokens.scope", scope))).join(", ") },
    { label: t("tokens.resource"), cell: (row) => row.resource || "Tessera" },
    { label: t("tokens.expires"), cell: (row) => time(row.expires_at) },
    { label: t("tokens.used"), cell: (row) => time(row.last_used_at) },
    {
      label: t("table.action"),
      kind: "action",
      cell: (row) => action(t("tokens.revoke"), async () => {
        if (!(await confirm(t("tokens.revoke.sure", { name: row.name }), t("tokens.revoke")))) return;
        await call("DELETE", `${path}/${row.id}`);
        announce(t("tokens.revoked"));
        await rows.reload();
      }, { kind: "danger", name: t("tokens.revoke.name", { name: row.name }) }),
    },
  ];
  const rows = list(`${path}?limit=20${query}`, t("tokens.caption"), columns);
  return rows;
}
