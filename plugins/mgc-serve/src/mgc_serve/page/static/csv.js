/** Everything as CSV, with the columns of "mgc predict --csv --coverage 0.9". */
import { mostLikely } from "./words.js";

const RISKY = /^'*[=+\-@\t\r]/;
const NUMBER = /^[+-]?(\d+\.?\d*|\.\d+)(e[+-]?\d+)?$/i;

/** A cell that no spreadsheet computes: a ' before text that begins like a formula. */
function cell(value) {
  const text = value === null || value === undefined ? "" : String(value);
  const safe = RISKY.test(text) && !NUMBER.test(text) ? `'${text}` : text;
  return /[",\r\n]/.test(safe) ? `"${safe.replaceAll('"', '""')}"` : safe;
}

export function csvOf(items, genres) {
  const head = ["path", "genre", "probability", ...genres, "error", "remark", "unlike", "known", "heard_before", "out_of_fold_genre", "set"];
  const python = (value) => (typeof value === "boolean" ? (value ? "True" : "False") : value);
  const six = (value) => (typeof value === "number" ? value.toFixed(6) : value);
  const rows = items.filter(({ answer, problem }) => answer || problem).map(({ path, answer: a, problem }) => (a
    ? [path, a.genre, six(a.probability), ...genres.map((genre) => six(a.probabilities?.[genre])), "", a.remark,
      a.unlike, python(a.known), a.heard_before?.track_id, mostLikely(a.heard_before?.out_of_fold), (a.genres_at || []).join("; ")]
    : [path, "", "", ...genres.map(() => ""), problem.message, "", "", "", "", "", ""]));
  return [head, ...rows].map((row) => `${row.map(cell).join(",")}\n`).join("");
}

export function saveCsv(items, run) {
  const address = URL.createObjectURL(new Blob([csvOf(items, run.genres)], { type: "text/csv" }));
  const link = Object.assign(document.createElement("a"), { href: address, download: "genres.csv" });
  link.click();
  setTimeout(() => URL.revokeObjectURL(address), 60_000);
}
