// Builds pages from elements, forms with errors, tables and messages, and never parses HTML.
import { Problem } from "./api.js";
import { moment, said, t } from "./texts.js";

/** An element. `on…` attributes are listeners; `null` and `false` are omitted. */
export function h(tag, attributes = {}, ...children) {
  const element = document.createElement(tag);
  for (const [name, value] of Object.entries(attributes)) {
    if (value === null || value === undefined || value === false) continue;
    if (name.startsWith("on")) element.addEventListener(name.slice(2), value);
    else element.setAttribute(name, value === true ? "" : value);
  }
  element.append(...children.flat().filter((child) => child !== null && child !== undefined && child !== false));
  return element;
}

export function time(text) {
  return text ? h("time", { datetime: text }, moment(text)) : "–";
}

export function badge(text, kind = "") {
  return h("span", { class: `badge ${kind}` }, text);
}

export function card(heading, ...children) {
  return h("section", { class: "card" }, heading && h("h2", {}, heading), ...children);
}

let clearing;

/** Shows a message in the live region, which screen readers announce, for a few seconds. */
export function announce(text) {
  const region = document.getElementById("status");
  clearTimeout(clearing);
  region.textContent = "";
  requestAnimationFrame(() => {
    region.textContent = text;
    clearing = setTimeout(() => (region.textContent = ""), 8000);
  });
}

/** The user-facing message of an error. */
export function explain(problem) {
  if (!(problem instanceof Problem)) throw problem; // a defect of this page
  if (problem.status === 0) return t("error.network");
  if (problem.status === 429) return t("error.tooMany", { seconds: problem.retryAfter || "60" });
  if (problem.status >= 500) return t("error.unavailable");
  if (problem.status === 412) return t("error.changedElsewhere");
  if (problem.needsVerificationFirst) return t("error.verifyFirst");
  if (problem.needsVerifiedEmail) return t("error.unverified");
  return said(problem.message);
}

/** A message above its subject, announced at once by screen readers. */
export function failure(problem) {
  const reference = problem.requestId && h("p", { class: "quiet" }, t("error.reference", { id: problem.requestId }));
  const again = problem.needsNewSignIn && h("p", {}, h("a", { href: "#/sign-in-again" }, t("signIn.again")));
  return h("div", { class: "message bad", role: "alert" }, h("p", {}, explain(problem)), again, reference);
}

/** An input with its label, hint and error. */
export function field(name, label, { id = `field-${name}`, hint, value = "", type = "text", ...attributes } = {}) {
  const checkbox = type === "checkbox";
  const input = h("input", { id, name, type, ...attributes });
  if (checkbox) input.checked = Boolean(value);
  else input.value = value;
  const labelled = checkbox
    ? [h("label", { for: id }, input, label)]
    : [h("label", { for: id }, label), input];
  const [below, show] = remarks(input, id, hint);
  const node = h("div", { class: checkbox ? "field check" : "field" }, ...labelled, ...below);
  return { name, node, input, show, read: () => (checkbox ? input.checked : input.value) };
}

/** Marks a button as busy or not. A disabled button would lose the focus. */
function busy(button, working) {
  if (working === true) button.setAttribute("aria-disabled", "true");
  if (working === false) button.removeAttribute("aria-disabled");
  return button.hasAttribute("aria-disabled");
}

/** The hint and the error of an input, and a function that shows an error. */
function remarks(input, id, hint) {
  const error = h("p", { class: "error", id: `${id}-error`, hidden: true });
  input.setAttribute("aria-describedby", [hint && `${id}-hint`, `${id}-error`].filter(Boolean).join(" "));
  const show = (message) => {
    error.textContent = message;
    error.hidden = !message;
    if (message) input.setAttribute("aria-invalid", "true");
    else input.removeAttribute("aria-invalid");
  };
  return [[hint && h("p", { class: "hint", id: `${id}-hint` }, hint), error].filter(Boolean), show];
}

/** A labelled select of `options`, pairs of value and text; a form field. */
export function choice(name, label, options, { hint, value } = {}) {
  const id = `field-${name}`;
  const input = h("select", { id, name }, options.map(([each, text]) => h("option", { value: each }, text)));
  if (value !== undefined) input.value = value;
  const [below, show] = remarks(input, id, hint);
  const node = h("div", { class: "field" }, h("label", { for: id }, label), input, ...below);
  return { name, node, input, show, read: () => input.value };
}

/** A text area of `text`; a form field whose value is what `parse` makes of the text. */
function area(name, label, text, parse, { hint, ...attributes }) {
  const id = `field-${name}`;
  const rows = Math.max(2, text.split("\n").length);
  const input = h("textarea", { id, name, rows, spellcheck: "false", ...attributes });
  input.value = text;
  const [below, show] = remarks(input, id, hint);
  const node = h("div", { class: "field" }, h("label", { for: id }, label), input, ...below);
  return { name, node, input, show, read: () => parse(input.value) };
}

/** A text area with one value per line; a form field. */
export function lines(name, label, { value = [], ...attributes } = {}) {
  return area(name, label, value.join("\n"), valuesOf, attributes);
}

function valuesOf(text) {
  return text.split("\n").map((line) => line.trim()).filter(Boolean);
}

/** A text area with JSON, blank for the value `empty`; a form field. The server refuses text that is no JSON. */
export function json(name, label, { value = null, empty = null, ...attributes } = {}) {
  const text = JSON.stringify(value, null, 2);
  return area(name, label, text === JSON.stringify(empty) ? "" : text, (given) => parsed(given, empty), attributes);
}

function parsed(text, empty) {
  try {
    return text.trim() ? JSON.parse(text) : empty;
  } catch {
    return text;
  }
}

/** A group of check boxes for `options`, pairs of value and text; a form field whose value is a list. */
export function checks(name, legend, options, { value = [] } = {}) {
  const id = `field-${name}`;
  const boxes = options.map(([each]) => h("input", { id: `${id}-${each}`, type: "checkbox", value: each }));
  for (const box of boxes) box.checked = value.includes(box.value);
  const [below, show] = remarks(boxes[0], id);
  const labelled = boxes.map((box, index) => h("div", { class: "field check" }, h("label", {}, box, options[index][1])));
  const node = h("fieldset", {}, h("legend", {}, legend), ...labelled, ...below);
  return { name, node, input: boxes[0], show, read: () => boxes.filter((box) => box.checked).map((box) => box.value) };
}

/** A form of `fields`; `submit(values)` may throw a Problem, whose errors appear at their fields. */
export function form(fields, { button, submit, kind = "", more = [] }) {
  const place = h("div", {});
  const send = h("button", { class: kind }, button);
  async function onsubmit(event) {
    event.preventDefault();
    if (busy(send)) return;
    place.replaceChildren();
    for (const each of fields) each.show(each.input.required && !each.read() ? t("error.required") : "");
    if (focusFirstError(fields)) return;
    busy(send, true);
    try {
      await submit(Object.fromEntries(fields.map((each) => [each.name, each.read()])));
    } catch (problem) {
      showProblem(problem, fields, place);
    } finally {
      busy(send, false);
    }
  }
  const nodes = fields.map((each) => each.node);
  return h("form", { novalidate: true, onsubmit }, place, ...nodes, h("div", { class: "actions" }, send, ...more));
}

function focusFirstError(fields) {
  const first = fields.find((each) => each.input.getAttribute("aria-invalid"));
  first?.input.focus();
  return Boolean(first);
}

/** The messages of a field; those of a list are by the index of the wrong value, counted from 1 here, others by name. */
function sentences(messages) {
  if (typeof messages === "string") return [said(messages)];
  if (Array.isArray(messages)) return messages.flatMap(sentences);
  const place = (key) => (/^\d+$/.test(key) ? Number(key) + 1 : key);
  return Object.entries(messages).map(([key, each]) => `${place(key)}: ${sentences(each).join(" ")}`);
}

function showProblem(problem, fields, place) {
  const unclaimed = Object.entries(problem.errors || {}).filter(([name, messages]) => {
    const own = fields.find((each) => each.name === name);
    own?.show(sentences(messages).join(" "));
    return !own;
  });
  if (focusFirstError(fields) && !unclaimed.length) return;
  const message = failure(problem);
  message.append(...unclaimed.map(([name, messages]) => h("p", {}, `${name}: ${sentences(messages).join(" ")}`)));
  place.replaceChildren(message);
}

/** A table. A column is `{label, cell(row), kind}`; the label of `kind` action is for screen readers only. */
export function table(caption, columns, rows) {
  if (!rows.length) return h("p", { class: "quiet" }, t("table.empty"));
  const headings = columns.map(({ label }) => h("th", { scope: "col", role: "columnheader" }, label));
  const lines = rows.map((row) =>
    h("tr", { role: "row" }, columns.map(({ label, cell, kind }) =>
      h("td", { role: "cell", class: kind, "data-label": label }, h("span", {}, cell(row))))));
  return h("table", { role: "table" },
    h("caption", {}, caption),
    h("thead", { role: "rowgroup" }, h("tr", { role: "row" }, headings)),
    h("tbody", { role: "rowgroup" }, lines));
}

/** A button that runs `act` once at a time and shows errors above itself. */
export function action(label, act, { kind = "plain", name = label } = {}) {
  const button = h("button", { type: "button", class: kind, "aria-label": name === label ? null : name, onclick }, label);
  async function onclick() {
    if (busy(button)) return;
    busy(button, true);
    try {
      await act();
    } catch (problem) {
      button.closest("section, main").prepend(failure(problem));
    } finally {
      busy(button, false);
    }
  }
  return button;
}

/** Asks in a dialog; true when the answer is yes. */
export function confirm(question, yes) {
  const no = h("button", { value: "no", class: "plain" }, t("dialog.cancel"));
  const choices = h("form", { method: "dialog", class: "actions" }, h("button", { value: "yes", class: "danger" }, yes), no);
  const dialog = h("dialog", { "aria-labelledby": "question" }, h("p", { id: "question" }, question), choices);
  document.body.append(dialog);
  dialog.showModal();
  no.focus();
  return new Promise((resolve) => {
    dialog.addEventListener("close", () => {
      dialog.remove();
      resolve(dialog.returnValue === "yes");
    });
  });
}
