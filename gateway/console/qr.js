// A QR code (ISO/IEC 18004) of a short text, drawn as SVG: bytes, error correction L, versions 1 to 10, mask 0.
const SVG = "http://www.w3.org/2000/svg";
// By version: total data codewords, error correction codewords per block, blocks, centres of alignment patterns.
const VERSIONS = [
  [19, 7, 1, []], [34, 10, 1, [6, 18]], [55, 15, 1, [6, 22]], [80, 20, 1, [6, 26]], [108, 26, 1, [6, 30]],
  [136, 18, 2, [6, 34]], [156, 20, 2, [6, 22, 38]], [194, 24, 2, [6, 24, 42]], [232, 30, 2, [6, 26, 46]],
  [274, 18, 4, [6, 28, 50]],
];
const VERSION_BITS = { 7: 0x07c94, 8: 0x085bc, 9: 0x09a99, 10: 0x0a4d3 };
const FORMAT_BITS = 0b111011111000100; // error correction L, mask 0

function multiply(a, b) {
  let product = 0;
  for (let bit = 7; bit >= 0; bit -= 1) {
    product = (product << 1) ^ ((product >>> 7) * 0x11d);
    product ^= ((b >>> bit) & 1) * a;
  }
  return product;
}

/** The remainder of `data` divided by the generator polynomial of that degree (Reed and Solomon). */
function correction(data, degree) {
  const generator = new Array(degree).fill(0);
  generator[degree - 1] = 1;
  let root = 1;
  for (let step = 0; step < degree; step += 1) {
    for (let index = 0; index < degree; index += 1) {
      generator[index] = multiply(generator[index], root) ^ (generator[index + 1] ?? 0);
    }
    root = multiply(root, 2);
  }
  const remainder = new Array(degree).fill(0);
  for (const byte of data) {
    const factor = byte ^ remainder.shift();
    remainder.push(0);
    generator.forEach((coefficient, index) => (remainder[index] ^= multiply(coefficient, factor)));
  }
  return remainder;
}

/** All codewords of `bytes`, in the order in which they are drawn. */
function codewords(bytes, version) {
  const [total, degree, blocks] = VERSIONS[version - 1];
  let bits = "0100" + bytes.length.toString(2).padStart(version < 10 ? 8 : 16, "0");
  for (const byte of bytes) bits += byte.toString(2).padStart(8, "0");
  bits += "0".repeat(Math.min(4, total * 8 - bits.length));
  bits += "0".repeat(-bits.length & 7);
  const data = bits.match(/.{8}/g).map((byte) => parseInt(byte, 2));
  for (let pad = 0xec; data.length < total; pad ^= 0xec ^ 0x11) data.push(pad);
  const parts = [];
  for (let block = 0, start = 0; block < blocks; block += 1) {
    const length = Math.floor(total / blocks) + (block >= blocks - (total % blocks) ? 1 : 0);
    parts.push(data.slice(start, start + length));
    start += length;
  }
  const interleave = (lists) =>
    Array.from({ length: Math.max(...lists.map((each) => each.length)) }, (_, index) =>
      lists.filter((each) => index < each.length).map((each) => each[index])).flat();
  return [...interleave(parts), ...interleave(parts.map((part) => correction(part, degree)))];
}

function patterns(version) {
  const size = version * 4 + 17;
  const grid = Array.from({ length: size }, () => new Array(size).fill(null));
  const set = (row, column, dark) => {
    if (row >= 0 && column >= 0 && row < size && column < size) grid[row][column] = dark;
  };
  for (let index = 0; index < size; index += 1) grid[6][index] = grid[index][6] = index % 2 === 0;
  const square = (row, column, radius, light) => {
    for (let y = -radius; y <= radius; y += 1) {
      for (let x = -radius; x <= radius; x += 1) set(row + y, column + x, !light.includes(Math.max(Math.abs(x), Math.abs(y))));
    }
  };
  for (const [row, column] of [[3, 3], [3, size - 4], [size - 4, 3]]) square(row, column, 4, [2, 4]);
  const centres = VERSIONS[version - 1][3];
  const last = centres.length - 1;
  centres.forEach((row, i) => centres.forEach((column, j) => {
    if (!((i === 0 && j === 0) || (i === 0 && j === last) || (i === last && j === 0))) square(row, column, 2, [1]);
  }));
  information(set, size, version);
  return grid;
}

function information(set, size, version) {
  for (let index = 0; index < 15; index += 1) {
    const dark = Boolean((FORMAT_BITS >>> index) & 1);
    if (index < 8) set(index < 6 ? index : index + 1, 8, dark);
    else set(8, index === 8 ? 7 : 14 - index, dark);
    if (index < 8) set(8, size - 1 - index, dark);
    else set(size - 15 + index, 8, dark);
  }
  set(size - 8, 8, true);
  for (let index = 0; version >= 7 && index < 18; index += 1) {
    const dark = Boolean((VERSION_BITS[version] >>> index) & 1);
    const [near, far] = [Math.floor(index / 3), size - 11 + (index % 3)];
    set(near, far, dark);
    set(far, near, dark);
  }
}

/** The modules of the code of `text`, row by row; true is dark. Throws RangeError for a text that is too long. */
export function modules(text) {
  const bytes = new TextEncoder().encode(text);
  const version = 1 + VERSIONS.findIndex(([total], index) => bytes.length + (index < 9 ? 2 : 3) <= total);
  if (!version) throw new RangeError("too long for a QR code of this size");
  const grid = patterns(version);
  const fixed = grid.map((row) => row.map((module) => module !== null));
  const bits = codewords(bytes, version).map((byte) => byte.toString(2).padStart(8, "0")).join("");
  const size = grid.length;
  let next = 0;
  for (let right = size - 1; right > 0; right -= 2) {
    if (right === 6) right = 5; // the column of the timing pattern
    for (let step = 0; step < size; step += 1) {
      const upwards = ((right + 1) & 2) === 0;
      const row = upwards ? size - 1 - step : step;
      for (const column of [right, right - 1]) {
        if (!fixed[row][column]) grid[row][column] = (bits[next++] === "1") !== ((row + column) % 2 === 0);
      }
    }
  }
  return grid;
}

/** The image, with its text alternative. */
export function drawing(text, description) {
  const grid = modules(text);
  const size = grid.length + 8;
  const picture = document.createElementNS(SVG, "svg");
  const path = document.createElementNS(SVG, "path");
  const squares = grid.flatMap((row, y) => row.map((dark, x) => (dark ? `M${x + 4} ${y + 4}h1v1h-1z` : "")));
  path.setAttribute("d", squares.join(""));
  const attributes = { class: "qr", viewBox: `0 0 ${size} ${size}`, role: "img", "aria-label": description };
  for (const [name, value] of Object.entries(attributes)) picture.setAttribute(name, value);
  picture.setAttribute("shape-rendering", "crispEdges");
  picture.append(path);
  return picture;
}
