// Adds a passkey during a sign-in (WebAuthn). The page also works without this script, with an authenticator app.
const form = document.forms[0];
const button = document.getElementById("passkey");
const failed = document.getElementById("passkey-failed");

async function add() {
  const publicKey = PublicKeyCredential.parseCreationOptionsFromJSON(JSON.parse(button.dataset.options));
  const credential = await navigator.credentials.create({ publicKey });
  const values = Object.fromEntries(["request", "enrolment_token"].map((name) => [name, form.elements[name].value]));
  send({ ...values, step: "enrolment", name: button.dataset.name, credential: JSON.stringify(credential) });
}

function send(values) {
  const made = document.createElement("form");
  made.method = "post";
  made.action = form.action;
  for (const [name, value] of Object.entries(values)) {
    made.append(Object.assign(document.createElement("input"), { type: "hidden", name, value }));
  }
  document.body.append(made);
  made.submit();
}

button.addEventListener("click", async () => {
  button.disabled = true;
  failed.hidden = true;
  try {
    await add();
  } catch (error) {
    failed.hidden = ["NotAllowedError", "AbortError"].includes(error.name); // the user cancelled
  } finally {
    button.disabled = false;
  }
});

// The button is hidden where the browser, or the page's host name, does not support passkeys.
if (window.PublicKeyCredential?.parseCreationOptionsFromJSON && location.hostname !== "127.0.0.1") {
  button.hidden = false;
  document.getElementById("no-passkey")?.remove();
}
