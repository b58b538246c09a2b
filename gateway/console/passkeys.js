// Passkeys (WebAuthn), if the browser and the page's host name support them.
export function passkeysWork() {
  return Boolean(window.PublicKeyCredential?.parseRequestOptionsFromJSON) && location.hostname !== "127.0.0.1";
}

/** The authenticator's signature as JSON; null when the user cancels. */
export function getPasskey(options) {
  const publicKey = PublicKeyCredential.parseRequestOptionsFromJSON(options);
  return asked(navigator.credentials.get({ publicKey }));
}

/** A new passkey as JSON; null when the user cancels. */
export function makePasskey(options) {
  const publicKey = PublicKeyCredential.parseCreationOptionsFromJSON(options);
  return asked(navigator.credentials.create({ publicKey }));
}

async function asked(promise) {
  try {
    return (await promise).toJSON();
  } catch (error) {
    if (["NotAllowedError", "AbortError", "InvalidStateError"].includes(error.name)) return null;
    throw error;
  }
}
