/** One file's answer: genre and certainty, its sound, every view's answer, what is near, and why. */
import { explain, predict, similar, soundOf } from "./api.js";
import { $, h, icon } from "./dom.js";
import { toggle } from "./player.js";
import { shownGenre } from "./table.js";
import { clock, colour, listed, mostLikely, percent, sure } from "./words.js";
import { waveform } from "./waveform.js";

const NEAREST = 5;
const ROWS = 12; // genres that are shown at first
const UNUSABLE = 422; // the status of a file that does not decode
const SHOWN = 4; // genres of the set; the others are counted

export const chip = (genre) =>
  h("span", { class: "chip", title: genre, "--genre": colour(genre) }, h("span", { class: "dot", "aria-hidden": "true" }), h("bdi", {}, genre));

/** Ask once per item and kind; later calls get the same promise. */
function once(item, kind, ask) {
  item.more[kind] ??= ask().catch((error) => { // so that it can be asked again
    item.more[kind] = null;
    throw error;
  });
  return item.more[kind];
}

export function showAnswer(item, run, signal) {
  const pane = $("answer");
  pane.style.setProperty("--genre", item.answer && item.answer.known !== false ? colour(item.answer.genre) : "var(--no-genre)");
  pane.toggleAttribute("data-unknown", item.answer?.known === false);
  pane.setAttribute("aria-busy", String(item.state === "waiting" || item.state === "busy"));
  const title = h("h2", { id: "answer-file" }, h("bdi", {}, item.path));
  $("said").textContent = spoken(item);
  if (item.state === "failed") return pane.replaceChildren(failure(title, item.problem));
  if (item.state !== "done") return pane.replaceChildren(waiting(title));
  const player = waveform(item);
  pane.replaceChildren(
    h("section", { class: "card verdict" }, title, verdict(item.answer), player.element),
    h("div", { class: "pair" }, views(item.answer), nearest(item, run, signal), why(item, run, signal, player)));
  player.ready();
  once(item, "timeline", () => predict(item.file, { run: run.name, timeline: true }, signal))
    .then(({ timeline }) => player.segments(timeline || []), (error) => player.note(error.message));
}

/** What a screen reader says when the answer to the chosen file is there. */
function spoken({ path, state, answer }) {
  if (state === "failed") return `${path}: cannot be used`;
  if (state !== "done") return "";
  const certainty = answer.known !== false && answer.genre ? `, ${percent(answer.probability)}, ${sure(answer.probability)}` : "";
  return `${path}: ${shownGenre(answer)}${certainty}`;
}

const failure = (title, problem) => h("section", { class: "card verdict failed" }, title,
  h("p", { class: "genre" }, icon("warning"), "Cannot be used"),
  h("p", {}, problem.message), h("p", { class: "soft" }, problem.hint || (problem.status === UNUSABLE && "The file is damaged, or holds no sound. Does it play elsewhere?")));

const waiting = (title) => h("section", { class: "card verdict" }, title,
  h("p", { class: "genre soft" }, "Listening…"), h("div", { class: "skeleton", "aria-hidden": "true" }));

function verdict(answer) {
  const unknown = answer.known === false;
  const said = h("p", { class: "genre" }, h("bdi", {}, shownGenre(answer)));
  if (!answer.genre) return h("div", {}, said, h("p", {}, answer.remark));
  const guess = [" Best guess: ", h("bdi", {}, answer.genre), `, ${percent(answer.probability)}.`];
  const how = unknown
    ? h("p", { class: "sure" }, ...(answer.remark ? [`It ${answer.remark}.`] : ["It is not like the music that this model learnt from.", ...guess]))
    : h("p", { class: "sure" }, h("strong", {}, percent(answer.probability)), ` ${sure(answer.probability)}`);
  return h("div", { class: unknown ? "unknown" : null }, h("div", { class: "said" }, said, how), set(answer), before(answer),
    !unknown && answer.remark && h("p", { class: "note" }, `It ${answer.remark}.`));
}

function set({ genres_at: genres, known }) {
  if (!genres?.length || known === false) return null;
  const more = genres.length > SHOWN + 1 ? genres.length - SHOWN : 0;
  return h("p", { class: "set", title: "Of ten tracks by new artists, nine have their true genre in such a set." }, h("span", { class: "soft" }, `Nine times in ten it is${genres.length > 1 ? " one of" : ""}:`),
    ...genres.slice(0, genres.length - more).map(chip), more > 0 && h("span", { class: "soft", title: listed(genres) }, `or one of ${more} more`));
}

function before({ heard_before: known }) {
  if (!known) return null;
  const held = mostLikely(known.out_of_fold);
  return h("p", { class: "note" }, "The model learnt from this very file", known.genre && ` as ${known.genre}`,
    held && `. Without it, it says ${held}, ${percent(known.out_of_fold[held])}`, ".");
}

/** Rows are genres, columns the model and its members: who says what, side by side. */
function views(answer) {
  const all = [{ name: answer.views?.length ? "Together" : "Probability", ...answer }, ...(answer.views || [])];
  const genres = Object.keys(answer.probabilities || {}).sort((a, b) => answer.probabilities[b] - answer.probabilities[a]);
  const cell = (view, genre) => {
    const share = view.probabilities?.[genre] ?? 0;
    return h("td", { class: genre === view.genre ? "best" : null, "--share": share }, h("span", { class: "bar", "aria-hidden": "true" }), h("span", {}, percent(share)));
  };
  const rows = genres.map((genre, place) => h("tr", { "--genre": colour(genre), hidden: place >= ROWS },
    h("th", { scope: "row", title: genre }, h("bdi", {}, genre)), ...all.map((view) => cell(view, genre))));
  const more = rows.slice(ROWS);
  return h("section", { class: "card views", "aria-labelledby": "views-title" },
    h("h3", { id: "views-title" }, answer.views?.length ? "Each view’s answer" : "All genres"),
    h("div", { class: "scroll", tabindex: 0, role: "group", "aria-labelledby": "views-title" }, h("table", {},
      h("thead", {}, h("tr", {}, h("td"), ...all.map(({ name }) => h("th", { scope: "col" }, h("bdi", {}, name))))),
      h("tbody", {}, ...rows))),
    more.length > 0 && h("button", {
      type: "button", class: "quiet", onclick: (event) => { more.forEach((each) => { each.hidden = false; }); event.currentTarget.remove(); },
    }, `${more.length} more genres`));
}

function nearest(item, run, signal) {
  const list = h("ol", { class: "songs" }, h("li", { class: "soft" }, "searching…"));
  once(item, "similar", () => similar(item.file, { run: run.name, count: NEAREST }, signal)).then(
    ({ tracks }) => list.replaceChildren(...(tracks.length ? tracks.map(song) : [h("li", { class: "soft" }, "none")])),
    (error) => list.replaceChildren(h("li", { class: "soft" }, error.message)));
  return h("section", { class: "card", "aria-labelledby": "near-title" }, h("h3", { id: "near-title" }, "Nearest known songs"), list);
}

function song({ track_id: id, title, artist, genre, audio }) {
  const name = title || `Track ${id}`;
  const button = h("button", { type: "button", class: "play small", "aria-label": `Play ${name}` }, icon("play"));
  button.addEventListener("click", () => toggle(audio, () => soundOf(audio), (sound, event) => {
    const playing = !sound.paused && event !== "gone" && event !== "ended";
    button.replaceChildren(icon(playing ? "pause" : "play"));
    button.setAttribute("aria-label", `${playing ? "Pause" : "Play"} ${name}`);
    if (event === "error") button.disabled = true;
  }));
  return h("li", { "--genre": colour(genre) }, button,
    h("span", { class: "name" }, h("bdi", {}, name), artist && h("bdi", { class: "soft" }, artist)),
    chip(genre));
}

function why(item, run, signal, player) {
  const place = h("div", { "aria-live": "polite" });
  const button = h("button", { type: "button", onclick: show }, `Why ${item.answer.genre}?`);
  const card = h("section", { class: "card why", "aria-label": "Explanation" }, button,
    h("span", { class: "soft" }, "Takes parts out of the sound and hears what changes; some seconds of work."), place);
  if (item.more.explain) show();
  return item.answer.genre ? card : null;

  function show() {
    button.disabled = true;
    place.replaceChildren(h("p", { class: "soft" }, h("span", { class: "spinner", "aria-hidden": "true" }), "explaining…"));
    once(item, "explain", () => explain(item.file, { run: run.name }, signal)).then(
      (told) => card.replaceChildren(...explanation(told, player)),
      (error) => { button.disabled = false; place.replaceChildren(h("p", {}, error.message)); });
  }
}

function explanation({ genre, bands, telling: [from, to], picture }, player) {
  const strongest = bands.filter(({ effect }) => effect > 0).sort((a, b) => b.effect - a.effect).slice(0, 2);
  const hertz = ({ low, high }) => `${Math.round(low)}–${Math.round(high)} Hz`;
  return [
    h("h3", {}, "Why ", h("bdi", {}, genre), "?"),
    h("p", {}, `Most telling: ${clock(from)} to ${clock(to)}${strongest.length ? `; ${listed(strongest.map(hertz), "and")}` : ""}.`),
    h("p", {}, h("button", { type: "button", onclick: () => player.play(from, to) }, icon("play"), h("span", {}, "Play the telling part"))),
    h("p", { class: "soft" }, "Blue speaks for ", h("bdi", {}, genre), ", orange against it: above by the second, at the right by the pitch. White lines frame the most telling part."),
    h("div", { class: "scroll", tabindex: 0, role: "group", "aria-label": "Picture" },
      h("img", { src: picture, alt: `Effect of each second and each frequency band on ${genre}` })),
  ];
}
