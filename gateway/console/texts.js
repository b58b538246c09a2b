// The language of the page: the remembered choice, otherwise the browser's.
import { texts as en } from "./en.js";
import { serverTexts, texts as it } from "./it.js";

const LANGUAGE = "tessera.language";
const LANGUAGES = { en, it };

function preferred() {
  const wanted = [localStorage.getItem(LANGUAGE), ...navigator.languages.map((tag) => tag.split("-")[0])];
  return wanted.find((language) => language in LANGUAGES) || "en";
}

export let language = preferred();

export function choose(wanted) {
  language = wanted;
  localStorage.setItem(LANGUAGE, wanted);
}

/** The text of `key`, with `{name}` replaced from `values`. */
export function t(key, values = {}) {
  const text = LANGUAGES[language][key] ?? key;
  return text.replace(/\{(\w+)\}/g, (_, name) => String(values[name]));
}

/** The text for a name from the services, such as `event.user_login_event`; an unknown name is returned unchanged. */
export function named(kind, name) {
  return LANGUAGES[language][`${kind}.${name}`] ?? name;
}

/** All texts of a kind: pairs of name and text. */
export function namesOf(kind) {
  const texts = Object.entries(LANGUAGES[language]).filter(([key]) => key.startsWith(`${kind}.`));
  return texts.map(([key, text]) => [key.slice(kind.length + 1), text]);
}

/** A service's error message, translated if it is known, otherwise the original English. */
export function said(message) {
  return (language === "it" && serverTexts[message]) || message;
}

export function moment(text) {
  return new Intl.DateTimeFormat(language, { dateStyle: "medium", timeStyle: "short" }).format(new Date(text));
}
