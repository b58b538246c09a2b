const SVG = "http://www.w3.org/2000/svg";
const QUIET = 4; // modules around the code that stay light

/** An image of a QR code, given row by row (1 is dark), with its text alternative. */
export function drawing(rows, description) {
  const size = rows.length + 2 * QUIET;
  const picture = document.createElementNS(SVG, "svg");
  const path = document.createElementNS(SVG, "path");
  const dark = rows.flatMap((row, y) => [...row].map((bit, x) => (bit === "1" ? `M${x + QUIET} ${y + QUIET}h1v1h-1z` : "")));
  path.setAttribute("d", dark.join(""));
  const attributes = { class: "qr", viewBox: `0 0 ${size} ${size}`, role: "img", "aria-label": description };
  for (const [name, value] of Object.entries(attributes)) picture.setAttribute(name, value);
  picture.setAttribute("shape-rendering", "crispEdges");
  picture.append(path);
  return picture;
}
