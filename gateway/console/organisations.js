// Organisations: one's own, and for those who manage them, members and invitations. Also the page of an invitation.
import * as api from "./api.js";
import { action, announce, card, choice, confirm, field, form, h, time } from "./dom.js";
import { NEW_PASSWORD, hideToken } from "./entry.js";
import { list } from "./paging.js";
import { language, t } from "./texts.js";

const BASE = "/users-ms/organisations";
const BUILT_IN = ["member", "admin", "owner"];

export function organisations() {
  const columns = [
    { label: t("organisations.name"), cell: (row) => h("a", { href: `#/organisations/${row.id}` }, row.name) },
    { label: t("organisations.roles"), cell: (row) => (row.roles || []).join(", ") || "–" },
  ];
  return [card(null, list(`${BASE}?limit=20`, t("organisations.caption"), columns).node)];
}

export async function organisation({ me, go }, id) {
  const { value: known } = await api.call("GET", `${BASE}/${id}`);
  const own = known.roles || [];
  const facts = h("dl", { class: "facts" },
    h("dt", {}, t("organisations.slug")), h("dd", {}, h("code", {}, known.slug)),
    h("dt", {}, t("organisations.roles")), h("dd", {}, own.join(", ") || "–"));
  const leave = own.length > 0 && action(t("organisation.leave"), async () => {
    if (!(await confirm(t("organisation.leave.sure", { organisation: known.name }), t("organisation.leave")))) return;
    await api.call("DELETE", `${BASE}/${id}/members/${me.id}`);
    announce(t("organisation.left"));
    go("/organisations");
  }, { kind: "danger" });
  const back = h("p", {}, h("a", { href: "#/organisations" }, t("organisation.back")));
  const about = card(known.name, facts, leave);
  const manages = me.is_admin || own.includes("admin") || own.includes("owner");
  if (!manages) return [back, about];
  return [back, about, members(id), invitations(id), await domains(me, id)];
}

/** Whose verified addresses join; only administrators of the installation change them. */
async function domains(me, id) {
  const { value: known } = await api.call("GET", `${BASE}/${id}/domains`);
  const explained = h("p", {}, t("domains.explained"));
  if (!me.is_admin) return card(t("domains.title"), explained, h("p", {}, known.domains.join(", ") || "–"));
  const entry = field("domains", t("domains.title"), { value: known.domains.join(" "), hint: t("domains.hint") });
  return card(t("domains.title"), explained, form([entry], {
    button: t("domains.save"),
    submit: async (values) => {
      const body = { domains: values.domains.split(/[\s,]+/).filter(Boolean) };
      const { value } = await api.call("PUT", `${BASE}/${id}/domains`, { body });
      entry.input.value = value.domains.join(" ");
      announce(t("domains.saved"));
    },
  }));
}

function members(id) {
  const edit = h("div", {});
  const columns = [
    { label: t("users.name"), cell: (row) => `${row.name} ${row.surname}` },
    { label: t("field.email"), cell: (row) => row.email },
    { label: t("organisations.roles"), cell: (row) => row.roles.join(", ") },
    {
      label: t("table.action"),
      kind: "action",
      cell: (row) => h("span", {},
        action(t("member.change"), () => change(row), { name: t("member.change.name", row) }), " ",
        action(t("member.remove"), () => remove(row), { name: t("member.remove.name", row) })),
    },
  ];
  const rows = list(`${BASE}/${id}/members?limit=20`, t("members.caption"), columns);
  const remove = async (row) => {
    if (!(await confirm(t("member.remove.sure", row), t("member.remove")))) return;
    await api.call("DELETE", `${BASE}/${id}/members/${row.user_id}`);
    announce(t("member.removed"));
    await rows.reload();
  };
  const change = (row) => {
    const fields = roleFields("member", row.roles);
    edit.replaceChildren(h("h3", {}, t("member.change.name", row)), form(fields, {
      button: t("profile.save"),
      submit: async (values) => {
        await api.call("PUT", `${BASE}/${id}/members/${row.user_id}`, { body: { roles: rolesOf("member", values) } });
        edit.replaceChildren();
        announce(t("member.changed"));
        await rows.reload();
      },
    }));
    fields[0].input.focus();
  };
  return card(t("members.title"), rows.node, edit);
}

function invitations(id) {
  const again = async (row) => {
    await api.call("POST", `${BASE}/${id}/invitations/${row.id}/mail`);
    announce(t("invitation.sent"));
    await rows.reload();
  };
  const withdraw = async (row) => {
    await api.call("DELETE", `${BASE}/${id}/invitations/${row.id}`);
    announce(t("invitation.withdrawn"));
    await rows.reload();
  };
  const rows = list(`${BASE}/${id}/invitations?limit=20`, t("invitations.caption"), [
    { label: t("field.email"), cell: (row) => row.email },
    { label: t("organisations.roles"), cell: (row) => row.roles.join(", ") },
    { label: t("invitations.until"), cell: (row) => time(row.expires_at) },
    {
      label: t("table.action"),
      kind: "action",
      cell: (row) => h("span", {},
        action(t("invitation.again"), () => again(row), { name: t("invitation.again.name", row) }), " ",
        action(t("invitation.withdraw"), () => withdraw(row), { name: t("invitation.withdraw.name", row) })),
    },
  ]);
  const email = field("email", t("field.email"), { type: "email", autocomplete: "off", required: true });
  const invite = form([email, ...roleFields("invited", ["member"])], {
    button: t("invitation.send"),
    submit: async (values) => {
      const body = { email: values.email, roles: rolesOf("invited", values) };
      await api.call("POST", `${BASE}/${id}/invitations`, { body });
      email.input.value = "";
      announce(t("invitation.sent"));
      await rows.reload();
    },
  });
  return card(t("invitations.title"), rows.node, h("h3", {}, t("invitation.send")), invite);
}

/** The fields of the built-in role and of others; the errors of both appear at the form. */
function roleFields(kind, roles) {
  const options = BUILT_IN.map((role) => [role, t(`role.${role}`)]);
  const others = roles.filter((role) => !BUILT_IN.includes(role));
  return [
    choice(`${kind}_role`, t("role.title"), options, { value: roles.find((role) => BUILT_IN.includes(role)) }),
    field(`${kind}_others`, t("role.others"), { value: others.join(" "), hint: t("role.others.hint") }),
  ];
}

function rolesOf(kind, values) {
  return [values[`${kind}_role`], ...values[`${kind}_others`].split(/\s+/).filter(Boolean)];
}

/** Where the link of an invitation leads: join with this account, sign in to another, or create one. */
export async function invitation({ me, go, signedIn, signedOut, comeBack }, token) {
  hideToken("/invitation");
  const asked = await api.callOpenly("POST", `${BASE}/invitations/look-up`, { token });
  const explained = h("p", {}, t("invitation.explained", asked));
  const signIn = () => {
    comeBack(`/invitation/${token}`);
    go("/sign-in");
  };
  if (me) {
    const accept = form([], {
      button: t("invitation.accept"),
      submit: async () => {
        const { value } = await api.call("POST", `${BASE}/invitations/accept`, { body: { token } });
        announce(t("invitation.accepted"));
        go(`/organisations/${value.id}`);
      },
    });
    const other = action(t("invitation.other"), async () => {
      await api.signOut();
      signedOut();
      signIn();
    });
    return [card(null, explained, h("p", {}, t("invitation.as", me)), accept, other)];
  }
  const fields = [
    field("name", t("field.name"), { autocomplete: "given-name", required: true }),
    field("surname", t("field.surname"), { autocomplete: "family-name", required: true }),
    field("password", t("field.password"), { ...NEW_PASSWORD, hint: t("field.password.hint") }),
  ];
  const zone = Intl.DateTimeFormat().resolvedOptions().timeZone;
  const create = form(fields, {
    button: t("signUp.button"),
    submit: async (values) => {
      await api.callOpenly("POST", `${BASE}/invitations/sign-up`, { token, ...values, locale: language, time_zone: zone });
      comeBack("/organisations");
      if (!(await api.signIn("login", { username: asked.email, password: values.password }))) await signedIn();
      announce(t("invitation.accepted"));
    },
  });
  return [
    card(null, explained),
    card(t("invitation.known"), h("div", { class: "actions" }, h("button", { type: "button", onclick: signIn }, t("signIn.button")))),
    card(t("invitation.new"), h("p", {}, t("invitation.new.explained", asked)), create),
  ];
}
