// A paginated list: a table with buttons for the next and the previous page.
import { call } from "./api.js";
import { failure, h, table } from "./dom.js";
import { t } from "./texts.js";

/** The pages of `path`; `columns` as for `table`. `reload()` of the result reloads the current page. */
export function list(path, caption, columns) {
  const place = h("div", { "aria-busy": "true" }, h("p", { class: "quiet" }, t("table.loading")));
  let shown = path;
  let requests = 0;
  async function show(url, moved = false) {
    shown = url;
    const number = ++requests; // a slow answer must not replace that of a later request
    place.setAttribute("aria-busy", "true");
    for (const button of place.querySelectorAll(":scope > .actions button")) button.disabled = true; // of the old list
    try {
      const { value } = await call("GET", url);
      if (number !== requests) return;
      const turn = (label, target) =>
        h("button", { type: "button", class: "plain", disabled: !target, onclick: () => show(target, true) }, label);
      const buttons = h("div", { class: "actions" }, turn(t("table.previous"), value.previous), turn(t("table.next"), value.next));
      const several = value.next || value.previous;
      place.replaceChildren(table(caption, columns, value.results), ...(several ? [buttons] : []));
      if (moved) {
        place.firstElementChild.tabIndex = -1; // the pressed button no longer exists
        place.firstElementChild.focus();
      }
    } catch (problem) {
      if (number === requests) place.replaceChildren(failure(problem));
    } finally {
      if (number === requests) place.removeAttribute("aria-busy");
    }
  }
  show(path);
  return { node: place, show, reload: () => show(shown) };
}
