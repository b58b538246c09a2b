// The sign-in pages of the provider, which also work without this script: sign-in with a passkey (WebAuthn), and the
// hint for the account console that this browser has a session.
const form = document.forms[0];
const button = document.getElementById("passkey");
const failed = document.getElementById("passkey-failed");
const fields = ["request", "mfa_token"].map((name) => form.elements[name]).filter(Boolean);

/** The console asks for its session where it finds this; when the sign-in fails, it asks in vain, once. */
function hint() {
  localStorage.setItem("tessera.signed-in", "yes");
}

async function signIn() {
  const body = new URLSearchParams(fields.map(({ name, value }) => [name, value]));
  const answer = await fetch("/auth-ms/oauth/passkey-options", { method: "POST", body });
  if (!answer.ok) throw new Error(`The options were refused with ${answer.status}.`);
  const publicKey = PublicKeyCredential.parseRequestOptionsFromJSON(await answer.json());
  const credential = await navigator.credentials.get({ publicKey });
  send({ ...Object.fromEntries(body), step: "passkey", credential: JSON.stringify(credential) });
  hint();
}

/** Sends a form of its own, so that no password that was typed goes along. */
function send(values) {
  const signed = document.createElement("form");
  signed.method = "post";
  signed.action = form.action;
  for (const [name, value] of Object.entries(values)) {
    signed.append(Object.assign(document.createElement("input"), { type: "hidden", name, value }));
  }
  document.body.append(signed);
  signed.submit();
}

form.addEventListener("submit", ({ submitter }) => {
  if (submitter?.name !== "cancel") hint();
});

button.addEventListener("click", async () => {
  button.disabled = true;
  failed.hidden = true;
  try {
    await signIn();
  } catch (error) {
    failed.hidden = ["NotAllowedError", "AbortError"].includes(error.name); // the user cancelled
  } finally {
    button.disabled = false;
  }
});

// The button is hidden where the browser, or the page's host name, does not support passkeys.
if (window.PublicKeyCredential?.parseRequestOptionsFromJSON && location.hostname !== "127.0.0.1") {
  button.hidden = false;
  document.getElementById("no-passkey")?.remove();
}
