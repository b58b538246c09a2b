// Sign-in methods: password, one-time passwords, recovery codes, passkeys.
import { unverified } from "./account.js";
import { call, callOpenly, leaveFor } from "./api.js";
import { action, announce, badge, card, confirm, field, form, h, time } from "./dom.js";
import { list } from "./paging.js";
import { makePasskey, passkeysWork } from "./passkeys.js";
import { drawing } from "./qr.js";
import { t } from "./texts.js";
import { tokensCard } from "./tokens.js";

export async function page({ go, changed }) {
  const { value: user } = await call("GET", "/users-ms/users/me"); // the address may have been confirmed elsewhere
  const { value: factors } = await call("GET", "/auth-ms/auth/mfa");
  const { providers } = await callOpenly("GET", "/auth-ms/auth/providers");
  const again = () => go("/security");
  const may = (factor) => factors.offered.includes(factor);
  changed(user);
  if (!user.email_verified) return [passwordCard(user), unverified(t("factors.unverified"))];
  return [
    passwordCard(user),
    ...(factors.totp || may("totp") ? [totpCard(factors, again)] : []),
    ...(factors.recovery_codes || (may("recovery_codes") && (factors.totp || factors.passkeys)) ? [recoveryCard(factors)] : []),
    ...(factors.passkeys || may("passkeys") ? [passkeyCard(factors, again)] : []),
    ...(providers.length ? [identitiesCard(providers, again)] : []),
    tokensCard(user),
  ];
}

function passwordCard(me) {
  const username = h("input", { type: "email", autocomplete: "username", value: me.email, hidden: true, readonly: true });
  const fields = [
    field("current_password", t("field.currentPassword"), {
      type: "password", autocomplete: "current-password", required: true,
    }),
    field("new_password", t("field.newPassword"), {
      type: "password", autocomplete: "new-password", required: true, hint: t("field.password.hint"),
    }),
  ];
  const change = form(fields, {
    button: t("password.button"),
    submit: async (body) => {
      await call("POST", "/auth-ms/auth/password/change", { body });
      for (const each of fields) each.input.value = "";
      announce(t("password.done"));
    },
  });
  change.prepend(username);
  return card(t("password.title"), h("p", {}, t("password.explained")), change);
}

function totpCard(factors, again) {
  const place = h("div", {});
  const state = factors.totp ? badge(t("factors.on"), "good") : badge(t("factors.off"));
  if (factors.totp) {
    place.append(action(t("totp.disable"), async () => {
      if (!(await confirm(t("totp.disable.sure"), t("totp.disable")))) return;
      await call("DELETE", "/auth-ms/auth/mfa/totp");
      announce(t("totp.disabled"));
      again();
    }, { kind: "danger" }));
  } else {
    place.append(action(t("totp.enable"), () => enrol(place)));
  }
  return card(t("totp.title"), h("p", {}, t("totp.explained"), " ", state), place);
}

async function enrol(place) {
  const { value } = await call("POST", "/auth-ms/auth/mfa/totp");
  const code = field("code", t("factor.totp"), {
    hint: t("factor.totp.hint"), inputmode: "numeric", autocomplete: "one-time-code", required: true,
  });
  const check = form([code], {
    button: t("totp.confirm"),
    submit: async (values) => {
      const answer = await call("POST", "/auth-ms/auth/mfa/totp/confirm", { body: { code: values.code.trim() } });
      announce(t("totp.enabled"));
      place.replaceChildren(...codes(answer.value.recovery_codes));
      place.querySelector("h3")?.focus();
    },
  });
  place.replaceChildren(...setUp(value), check);
  code.input.focus();
}

/** How to set up an authenticator app. */
export function setUp({ qr_code, secret, uri }) {
  return [
    h("p", {}, t("totp.scan")),
    drawing(qr_code, t("totp.qr")),
    h("p", {}, t("totp.type"), " ", h("code", { id: "totp-secret" }, secret)),
    h("p", {}, h("a", { href: uri }, t("totp.open"))),
  ];
}

function codes(list) {
  return list.length ? recoveryCodes(list) : [h("p", {}, t("totp.enabled"))];
}

/** Recovery codes, which are shown only once. */
export function recoveryCodes(list) {
  return [
    h("h3", { tabindex: "-1" }, t("codes.new")),
    h("p", {}, t("codes.explained")),
    h("ul", { class: "codes", id: "recovery-codes" }, list.map((code) => h("li", {}, code))),
  ];
}

function recoveryCard(factors) {
  const place = h("div", {});
  if (factors.offered.includes("recovery_codes")) place.append(action(t("codes.renew"), async () => {
    if (!(await confirm(t("codes.renew.sure"), t("codes.renew")))) return;
    const { value } = await call("POST", "/auth-ms/auth/mfa/recovery-codes");
    place.replaceChildren(...codes(value.recovery_codes));
    place.querySelector("h3").focus();
  }));
  return card(t("codes.title"), h("p", {}, t("codes.left", { count: factors.recovery_codes })), place);
}

function passkeyCard(factors, again) {
  const columns = [
    { label: t("passkeys.name"), cell: (row) => row.name },
    { label: t("passkeys.made"), cell: (row) => time(row.created_at) },
    { label: t("passkeys.used"), cell: (row) => time(row.last_used_at) },
    {
      label: t("table.action"),
      kind: "action",
      cell: (row) => action(t("passkeys.remove"), async () => {
        if (!(await confirm(t("passkeys.remove.sure", { name: row.name }), t("passkeys.remove")))) return;
        await call("DELETE", `/auth-ms/auth/passkeys/${row.id}`);
        announce(t("passkeys.removed"));
        again();
      }, { kind: "danger", name: t("passkeys.remove.name", { name: row.name }) }),
    },
  ];
  const keys = list("/auth-ms/auth/passkeys?limit=20", t("passkeys.caption"), columns);
  const place = h("div", {});
  const add = form([field("name", t("passkeys.name"), { id: "field-passkey", required: true, maxlength: 100 })], {
    button: t("passkeys.add"),
    submit: async ({ name }) => {
      const { value: options } = await call("POST", "/auth-ms/auth/passkeys/options");
      const credential = await makePasskey(options);
      if (!credential) return;
      const { value } = await call("POST", "/auth-ms/auth/passkeys", { body: { name, credential } });
      announce(t("passkeys.added"));
      if (value.recovery_codes.length) place.replaceChildren(...codes(value.recovery_codes));
      await keys.reload();
    },
  });
  const works = passkeysWork() ? add : h("p", { class: "quiet" }, t("passkeys.unavailable"));
  const how = factors.offered.includes("passkeys") && works;
  return card(t("passkeys.title"), h("p", {}, t("passkeys.explained")), keys.node, how, place);
}

function identitiesCard(providers, again) {
  const columns = [
    { label: t("identities.provider"), cell: (row) => row.name },
    { label: t("identities.email"), cell: (row) => row.email || "–" },
    { label: t("identities.linked"), cell: (row) => time(row.linked_at) },
    { label: t("identities.used"), cell: (row) => time(row.last_used_at) },
    {
      label: t("table.action"),
      kind: "action",
      cell: (row) => action(t("identities.unlink"), async () => {
        if (!(await confirm(t("identities.unlink.sure", { name: row.name }), t("identities.unlink")))) return;
        await call("DELETE", `/auth-ms/auth/identities/${row.id}`);
        announce(t("identities.unlinked"));
        again();
      }, { kind: "danger", name: t("identities.unlink.name", { name: `${row.name} ${row.email}` }) }),
    },
  ];
  const linked = list("/auth-ms/auth/identities?limit=20", t("identities.caption"), columns);
  const links = providers.map(({ slug, name }) => h("p", {}, h("button", {
    type: "button", class: "plain", onclick: () => leaveFor(`/auth-ms/oauth/external/${slug}?link=1`),
  }, t("identities.link", { name }))));
  return card(t("identities.title"), h("p", {}, t("identities.explained")), linked.node, links);
}
