// Sign-up, sign-in, and the pages that links in emails open.
import * as api from "./api.js";
import { announce, card, field, form, h } from "./dom.js";
import { makePasskey, getPasskey, passkeysWork } from "./passkeys.js";
import { recoveryCodes, setUp } from "./security.js";
import { language, t } from "./texts.js";

export const NEW_PASSWORD = { type: "password", autocomplete: "new-password", required: true };

/** With `again`, for an action that needs a recent sign-in, which another provider has to confirm then. */
export function signIn({ signedIn }, again) {
  const email = field("username", t("field.email"), {
    type: "email", autocomplete: "username webauthn", required: true, autofocus: true,
  });
  const password = field("password", t("field.password"), {
    type: "password", autocomplete: "current-password", required: true,
  });
  const place = card(null, form([email, password], {
    button: t("signIn.button"),
    submit: async (values) => {
      const pending = await api.signIn("login", values);
      if (pending?.enrolment_required) showMailedCode(place, pending, signedIn);
      else if (pending) showSecondFactor(place, pending, signedIn);
      else await signedIn();
    },
  }));
  if (passkeysWork()) place.append(passkeyForm({}, signedIn));
  const others = h("div", {});
  place.append(others);
  offerProviders(others, again ? "?again=1" : "");
  const links = h("ul", { class: "links" },
    h("li", {}, h("a", { href: "#/password/forgot" }, t("signIn.toForgot"))));
  offerSignUp(links);
  return [place, links];
}

/** Whether this installation lets people sign up themselves; without an answer, the form says what is wrong. */
async function signUpIsOffered() {
  try {
    const { policy } = await api.callOpenly("GET", "/users-ms/sign-up");
    return ["open", "domain"].includes(policy);
  } catch (problem) {
    if (!(problem instanceof api.Problem)) throw problem;
    return true;
  }
}

async function offerSignUp(links) {
  if (await signUpIsOffered()) links.prepend(h("li", {}, h("a", { href: "#/sign-up" }, t("signIn.toSignUp"))));
}

/** Adds the other providers with which anyone may sign in. Without an answer there are the other ways. */
async function offerProviders(place, query) {
  try {
    const { providers } = await api.callOpenly("GET", "/auth-ms/auth/providers");
    place.append(...providers.map(({ slug, name }) => h("p", {}, h("button", {
      type: "button", class: "plain", onclick: () => api.leaveFor(`/auth-ms/oauth/external/${slug}${query}`),
    }, t("signIn.with", { name })))));
  } catch (problem) {
    if (!(problem instanceof api.Problem)) throw problem;
  }
}

function passkeyForm(pending, signedIn) {
  return form([], {
    button: t("signIn.passkey"),
    kind: "plain",
    submit: async () => {
      const options = await api.callOpenly("POST", "/auth-ms/auth/login/passkey/options", pending);
      const credential = await getPasskey(options);
      if (!credential) return;
      const second = { ...pending, method: "passkey", credential };
      await (pending.mfa_token ? api.signIn("login/mfa", second) : api.signIn("login/passkey", { credential }));
      await signedIn();
    },
  });
}

function showSecondFactor(place, pending, signedIn) {
  const { mfa_token, methods } = pending;
  const step = (method) => {
    const code = field("code", t(`factor.${method}`), {
      id: `field-${method}`,
      hint: t(`factor.${method}.hint`), autocomplete: "one-time-code", required: true,
      inputmode: method === "totp" ? "numeric" : null,
    });
    return form([code], {
      button: t("factor.button"),
      kind: method === "totp" ? "" : "plain",
      submit: async (values) => {
        await api.signIn("login/mfa", { mfa_token, method, code: values.code.trim() });
        await signedIn();
      },
    });
  };
  const parts = [];
  if (methods.includes("totp")) parts.push(step("totp"));
  if (methods.includes("passkey") && passkeysWork()) parts.push(passkeyForm({ mfa_token }, signedIn));
  if (methods.includes("recovery_code")) {
    parts.push(h("details", {}, h("summary", {}, t("factor.lost")), step("recovery_code")));
  }
  place.replaceChildren(h("h2", { tabindex: "-1" }, t("factor.title")), h("p", {}, t("factor.explained")), ...parts);
  (place.querySelector("input") || place.querySelector("h2")).focus();
}

/** A second factor is required, and the user has none: the mailed code comes first, so that no thief of the password adds one. */
function showMailedCode(place, { enrolment_token }, signedIn) {
  const code = field("code", t("enrol.code"), { inputmode: "numeric", autocomplete: "one-time-code", required: true });
  place.replaceChildren(h("h2", { tabindex: "-1" }, t("enrol.title")), h("p", {}, t("enrol.mailed")), form([code], {
    button: t("factor.button"),
    submit: async (values) => {
      const body = { enrolment_token, code: values.code.trim() };
      const begun = await api.callOpenly("POST", "/auth-ms/auth/login/enrolment", body);
      showEnrolment(place, { enrolment_token, ...begun }, signedIn);
    },
  }));
  code.input.focus();
}

function showEnrolment(place, { enrolment_token, totp, passkey }, signedIn) {
  const complete = async (proof) => {
    let codes = [];
    await api.signIn("login/enrolment/complete", { enrolment_token, ...proof }, (answer) => {
      codes = answer.recovery_codes;
    });
    if (codes.length) showCodes(place, codes, signedIn);
    else await signedIn();
  };
  const parts = [];
  if (totp) {
    const code = field("code", t("factor.totp"), {
      hint: t("factor.totp.hint"), inputmode: "numeric", autocomplete: "one-time-code", required: true,
    });
    parts.push(...setUp(totp), form([code], {
      button: t("totp.confirm"), submit: (values) => complete({ factor: "totp", code: values.code.trim() }),
    }));
  }
  if (passkey && passkeysWork()) {
    parts.push(form([], {
      button: t("enrol.passkey"),
      kind: totp ? "plain" : "",
      submit: async () => {
        const credential = await makePasskey(passkey);
        if (credential) await complete({ factor: "passkeys", name: t("enrol.passkeyName"), credential });
      },
    }));
  }
  if (!parts.length) parts.push(h("p", {}, t("enrol.noPasskey")));
  place.replaceChildren(h("h2", { tabindex: "-1" }, t("enrol.title")), ...parts);
  place.querySelector("h2").focus();
}

function showCodes(place, codes, signedIn) {
  place.replaceChildren(...recoveryCodes(codes), form([], { button: t("enrol.kept"), submit: signedIn }));
  place.querySelector("h3").focus();
}

export async function signUp({ signedIn }) {
  const back = h("p", {}, h("a", { href: "#/sign-in" }, t("signUp.toSignIn")));
  if (!(await signUpIsOffered())) return [card(null, h("p", {}, t("signUp.off"))), back];
  const zone = Intl.DateTimeFormat().resolvedOptions().timeZone;
  const fields = [
    field("name", t("field.name"), { autocomplete: "given-name", required: true, autofocus: true }),
    field("surname", t("field.surname"), { autocomplete: "family-name", required: true }),
    field("email", t("field.email"), { type: "email", autocomplete: "username", required: true }),
    field("password", t("field.password"), { ...NEW_PASSWORD, hint: t("field.password.hint") }),
  ];
  let sent = null;
  let key = null;
  const sign = form(fields, {
    button: t("signUp.button"),
    submit: async (values) => {
      const body = { ...values, locale: language, time_zone: zone };
      if (JSON.stringify(body) !== sent) [sent, key] = [JSON.stringify(body), randomKey()];
      // Repeating the same body after a lost answer creates no second account.
      const user = await api.callOpenly("POST", "/users-ms/users", body, { "Idempotency-Key": key });
      const mailed = () => place.replaceChildren(h("p", { role: "status" }, t("signUp.mailed")));
      if (!user.id) return mailed(); // this installation conceals whether the address has an account
      try {
        const pending = await api.signIn("login", { username: values.email, password: values.password });
        if (pending?.enrolment_required) return showMailedCode(place, pending, signedIn);
        if (!pending) await signedIn();
      } catch (problem) {
        if (!problem.needsVerificationFirst) throw problem;
        return mailed();
      }
      announce(t("signUp.done"));
    },
  });
  const place = card(null, sign);
  return [place, back];
}

function randomKey() {
  return Array.from(crypto.getRandomValues(new Uint8Array(16)), (byte) => byte.toString(16).padStart(2, "0")).join("");
}

export function forgot() {
  const email = field("email", t("field.email"), {
    type: "email", autocomplete: "username", required: true, autofocus: true,
  });
  const place = card(null, h("p", {}, t("forgot.explained")), form([email], {
    button: t("forgot.button"),
    submit: async (values) => {
      await api.callOpenly("POST", "/auth-ms/auth/password/forgot", values);
      place.replaceChildren(h("p", { role: "status" }, t("forgot.done")));
    },
  }));
  return [place, h("p", {}, h("a", { href: "#/sign-in" }, t("signUp.toSignIn")))];
}

/** Removes the token of an emailed link from the address bar and the history at once. */
export function hideToken(page) {
  history.replaceState(null, "", `#${page}`);
}

export function reset({ go }, token) {
  hideToken("/password/reset");
  const password = field("new_password", t("field.newPassword"), {
    ...NEW_PASSWORD, hint: t("field.password.hint"), autofocus: true,
  });
  return [card(null, form([password], {
    button: t("reset.button"),
    submit: async (values) => {
      await api.callOpenly("POST", "/auth-ms/auth/password/reset", { token, ...values });
      api.forget();
      announce(t("reset.done"));
      go("/sign-in");
    },
  }))];
}

export function verify({ me, changed, signedOut }, token) {
  hideToken("/verify");
  const place = card(null, h("p", {}, t("verify.explained")), form([], {
    button: t("verify.button"), // a click, because mail servers open links to scan them
    submit: async () => {
      const answer = await api.callOpenly("POST", "/auth-ms/auth/email/verify", { token });
      const signedIn = me && (await api.resume({ renewed: true })); // the first verification of an address ends all sessions
      if (signedIn) changed((await api.call("GET", "/users-ms/users/me")).value);
      else if (me) signedOut();
      const over = answer?.first_proof || (me && !signedIn);
      const next = signedIn ? ["#/profile", "verify.toProfile"] : ["#/sign-in", "signUp.toSignIn"];
      place.replaceChildren(
        h("p", { role: "status" }, t("verify.done"), over ? ` ${t("verify.signInAgain")}` : ""),
        h("p", {}, h("a", { href: next[0] }, t(next[1]))));
    },
  }));
  return [place];
}

/** Opened from the email to the old address: undoes the change. */
export function undo({ signedOut }, token) {
  hideToken("/email/undo");
  const place = card(null, h("p", {}, t("undo.explained")), form([], {
    button: t("undo.button"),
    kind: "danger",
    submit: async () => {
      await api.callOpenly("POST", "/auth-ms/auth/email/change/undo", { token });
      signedOut();
      place.replaceChildren(
        h("p", { role: "status" }, t("undo.done")),
        h("ul", { class: "links" },
          h("li", {}, h("a", { href: "#/sign-in" }, t("signUp.toSignIn"))),
          h("li", {}, h("a", { href: "#/password/forgot" }, t("signIn.toForgot")))));
    },
  }));
  return [place];
}
