/** The table of everything that was taken: sortable, a row is chosen by its button. */
import { $, h, icon } from "./dom.js";
import { colour, percent } from "./words.js";

let by = null;
let down = false;

const KEYS = {
  file: (item) => item.path.toLowerCase(),
  genre: (item) => (item.answer ? shownGenre(item.answer).toLowerCase() : null),
  probability: ({ answer }) => (answer && answer.known !== false ? answer.probability : null),
};

/** What a table says of an answer: its genre, or "unknown". */
export const shownGenre = (answer) => (answer.known === false ? "unknown" : answer.genre ?? "no answer");

function sorted(items) {
  if (!by) return items;
  const key = KEYS[by];
  return [...items].sort((a, b) => {
    const [x, y] = [key(a), key(b)];
    if (x === null || y === null) return (x === null) - (y === null); // what has no answer comes last
    const order = typeof x === "string" ? x.localeCompare(y, undefined, { numeric: true }) : x - y;
    return down ? -order : order;
  });
}

export function watchTable(changed) {
  for (const button of document.querySelectorAll("#table [data-sort]")) {
    button.addEventListener("click", () => {
      const kind = button.dataset.sort;
      // Names begin at A; certainty begins with the least, which is worth a look.
      down = by === kind ? !down : false;
      by = kind;
      for (const each of document.querySelectorAll("#table [data-sort]")) {
        const order = each !== button ? "none" : down ? "descending" : "ascending";
        each.closest("th").setAttribute("aria-sort", order);
      }
      changed();
    });
  }
  $("table").addEventListener("keydown", (event) => {
    const step = { ArrowDown: 1, ArrowUp: -1 }[event.key];
    const names = [...$("table").querySelectorAll("tbody button")];
    const next = names[names.indexOf(event.target) + step];
    if (!step || !names.includes(event.target) || !next) return;
    event.preventDefault();
    next.focus();
    next.click();
  });
}

export function drawTable(items, chosen, choose) {
  const body = $("table").tBodies[0];
  const rows = sorted(items).map((item) => {
    const state = `${item.state} ${item === chosen}`;
    if (item.row?.dataset.state !== state) {
      const had = item.row?.contains(document.activeElement);
      const made = row(item, item === chosen, choose);
      made.dataset.state = state;
      item.row?.replaceWith(made);
      item.row = made;
      if (had) made.querySelector("button").focus();
    }
    return item.row;
  });
  const same = rows.length === body.rows.length && rows.every((each, i) => each === body.rows[i]);
  if (same) return;
  const focused = document.activeElement;
  body.replaceChildren(...rows);
  if (body.contains(focused)) focused.focus();
}

function row(item, isChosen, choose) {
  const name = h("button", { type: "button", "aria-current": isChosen ? "true" : null, title: item.path }, h("bdi", {}, item.path));
  return h("tr", { class: `${item.state}${isChosen ? " chosen" : ""}`, onclick: () => choose(item) },
    h("th", { scope: "row" }, name), ...cells(item));
}

function cells({ state, answer }) {
  if (state === "waiting") return [h("td", { colspan: 2, class: "soft" }, "waiting")];
  if (state === "busy") return [h("td", { colspan: 2, class: "soft" }, h("span", { class: "spinner", "aria-hidden": "true" }), "listening")];
  if (state === "failed") return [h("td", { colspan: 2, class: "bad" }, icon("warning"), "cannot be used")];
  const genre = shownGenre(answer);
  const tint = { "--genre": answer.known === false ? "var(--no-genre)" : colour(answer.genre) };
  const share = KEYS.probability({ answer });
  return [
    h("td", { ...tint, title: genre }, h("span", { class: "dot", "aria-hidden": "true" }), h("bdi", {}, genre)),
    share === null ? h("td", { class: "figure soft" }, "–")
      : h("td", { ...tint, class: "figure", "--share": share }, h("span", { class: "bar", "aria-hidden": "true" }), percent(share)),
  ];
}
