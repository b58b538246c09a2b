// Sign-in with a passkey (WebAuthn). Without this script, or where the browser or the page's host name does not support
// passkeys, the button stays hidden and the form offers everything else.
const button = document.getElementById("passkey");
const failed = document.getElementById("passkey-failed");
const fields = ["request", "mfa_token"].map((name) => button.form.elements[name]).filter(Boolean);

async function signIn() {
  const body = new URLSearchParams(fields.map(({ name, value }) => [name, value]));
  const answer = await fetch("/auth-ms/oauth/passkey-options", { method: "POST", body });
  if (!answer.ok) throw new Error(`The options were refused with ${answer.status}.`);
  const publicKey = PublicKeyCredential.parseRequestOptionsFromJSON(await answer.json());
  const credential = await navigator.credentials.get({ publicKey });
  send({ ...Object.fromEntries(body), step: "passkey", credential: JSON.stringify(credential) });
}

/** Sends a form of its own, so that no password that was typed goes along. */
function send(values) {
  const form = document.createElement("form");
  form.method = "post";
  form.action = button.form.action;
  for (const [name, value] of Object.entries(values)) {
    form.append(Object.assign(document.createElement("input"), { type: "hidden", name, value }));
  }
  document.body.append(form);
  form.submit();
}

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

if (window.PublicKeyCredential?.parseRequestOptionsFromJSON && location.hostname !== "127.0.0.1") {
  button.hidden = false;
  document.getElementById("no-passkey")?.remove();
}
