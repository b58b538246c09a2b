// Passkeys (WebAuthn) where the browser has them and the page is at a name that may use them.
export function passkeysWork() {
  return Boolean(window.PublicKeyCredential?.parseRequestOptionsFromJSON) && location.hostname !== "127.0.0.1";
}

/** What the authenticator signs, as JSON; null when the person gives up. */
export function getPasskey(options) {
  const publicKey = PublicKeyCredential.parseRequestOptionsFromJSON(options);
  return asked(navigator.credentials.get({ publicKey }));
}

/** A new passkey, as JSON; null when the person gives up. */
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
