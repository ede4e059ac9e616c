/** One track after the other: hear it, answer by a key; each answer is kept before the next track is shown. */
import { get, post, soundOf, takeToken } from "./api.js";
import { $, h, icon } from "./dom.js";

const AHEAD = 4; // tracks of the queue that are known here
const STEP = 5; // s
const REASONS = {
  suspect: "the label may be wrong", artist: "the artist's other tracks have another genre", uncertain: "the models are unsure",
  disagree: "the models disagree", unlike: "it sounds unlike the rest",
};

const audio = new Audio();
const sounds = new Map(); // track_id → promise of an address
let genres = [];
let queue = [];
let commands = []; // how to learn from the answers
let chosen = null; // genres that are picked while "several" is on
let busy = true;
let started = false; // whether the person has played something: then the next track plays by itself

const percent = (share) => `${Math.round(100 * share)} %`;
const clock = (seconds) => `${Math.floor(seconds / 60)}:${String(Math.floor(seconds % 60)).padStart(2, "0")}`;
const colour = (genre) => `var(--g${genres.indexOf(genre) % 8})`;
const named = (track) => track.title || track.track_id;

function trouble(error) {
  $("trouble").hidden = !error;
  if (error) $("trouble").replaceChildren(error.message, " ", error.hint || "");
}

function sound(track) {
  if (!sounds.has(track.track_id)) {
    const address = soundOf(track.audio);
    address.catch(() => sounds.delete(track.track_id));
    sounds.set(track.track_id, address);
  }
  return sounds.get(track.track_id);
}

function forget() {
  const wanted = new Set(queue.slice(0, AHEAD).map((track) => track.track_id));
  for (const [id, address] of sounds) {
    if (wanted.has(id)) continue;
    sounds.delete(id);
    address.then(URL.revokeObjectURL, () => {});
  }
}

async function listen(track) {
  audio.pause();
  audio.removeAttribute("src");
  const address = await sound(track).catch((error) => {
    if (queue[0] === track) trouble(error);
  });
  if (!address || queue[0] !== track) return;
  audio.src = address;
  if (started) await audio.play().catch(() => {});
  if (queue[1]) sound(queue[1]).catch(() => {});
}

async function play() {
  started = true;
  if (!audio.getAttribute("src") && queue[0]) await listen(queue[0]);
  else if (audio.paused) await audio.play().catch(() => {});
  else audio.pause();
}

function showViews(track) {
  $("views").tBodies[0].replaceChildren(...track.views.map((view) => h("tr", {},
    h("th", { scope: "row" }, h("bdi", {}, view.name)),
    h("td", { class: view.genre === track.label ? "agrees" : null },
      h("i", { class: "dot", "--genre": colour(view.genre) }), h("bdi", {}, view.genre)),
    h("td", { class: "figure" }, percent(view.probability)))));
}

function showGenres(track) {
  $("genres").replaceChildren(...genres.map((genre, place) => h("button", {
    type: "button", class: genre === track.label ? "label" : null, "--genre": colour(genre),
    "--share": String(track.probabilities[genre] ?? 0), "data-genre": genre,
    "aria-pressed": chosen ? String(chosen.has(genre)) : null,
    onclick: () => pick(genre),
  },
  place < 9 && h("kbd", {}, String(place + 1)),
  h("span", {}, h("bdi", {}, genre), " ", h("span", { class: "percent" },
    percent(track.probabilities[genre] ?? 0), genre === track.label && " · label now")))));
}

function show() {
  const track = queue[0];
  chosen = null;
  several();
  for (const id of ["track", "answers"]) $(id).hidden = !track;
  $("end").hidden = Boolean(track);
  if (!track) return end();
  $("title").replaceChildren(h("bdi", {}, named(track)));
  $("who").replaceChildren([track.artist, track.album].filter(Boolean).join(" · "));
  const guess = percent(track.probabilities[track.suggested] ?? 0);
  $("why").replaceChildren(
    "Labelled ", h("strong", {}, h("bdi", {}, track.label)), "; sounds like ",
    h("strong", {}, h("bdi", {}, track.suggested)), ` (${guess}).`,
    h("span", { class: "small soft" }, `Here because ${track.reasons.map((reason) => REASONS[reason]).join(" and ")}.`,
      ...(track.tested ? [" The models are tested on this track: your answer is kept, but its label changes only with a new split: ",
        h("code", {}, `${commands[0]} --split NAME`)] : [])));
  showViews(track);
  showGenres(track);
  $("seek").value = 0;
  $("now").textContent = "0:00";
  $("length").textContent = "";
  listen(track);
  return forget();
}

function end() {
  audio.pause();
  audio.removeAttribute("src");
  $("end-title").textContent = "Nothing is left to hear.";
  $("end-title").focus();
}

function count({ answered, left }) {
  $("progress").max = Math.max(answered + left, 1);
  $("progress").value = answered;
  $("count").textContent = `${answered} answered, ${left} left to hear`;
  for (const id of ["undo", "undo-end"]) $(id).disabled = !answered;
}

async function refill() {
  const state = await get(`v1/review/queue?count=${AHEAD}`);
  genres = state.genres;
  queue = state.tracks;
  $("dataset").replaceChildren("Review of ", h("strong", {}, h("bdi", {}, state.dataset)));
  ({ commands } = state);
  $("commands").textContent = commands.join("\n");
  $("correct").textContent = commands[0];
  count(state);
}

/** One request at a time, so that no key answers a track that is not on the screen. */
async function send(work) {
  if (busy) return;
  busy = true;
  $("review").setAttribute("aria-busy", "true");
  try {
    trouble(null);
    await work();
  } catch (error) {
    trouble(error);
  } finally {
    busy = false;
    $("review").setAttribute("aria-busy", "false");
  }
}

const answer = (said, some = []) => send(async () => {
  const track = queue[0];
  if (!track) return;
  await post("v1/review/answers", { track_id: track.track_id, answer: said, genres: some });
  $("told").textContent = `${named(track)}: ${said === "genre" ? some[0] : said}`;
  await refill();
  show();
});

const undo = () => send(async () => {
  const { track_id: id, track } = await post("v1/review/undo", {});
  $("told").textContent = id ? `Undone: ${track ? named(track) : id}` : "There is nothing to undo";
  await refill();
  if (track) queue = [track, ...queue.filter((other) => other.track_id !== id)];
  show();
});

function pick(genre) {
  if (!chosen) return answer("genre", [genre]);
  if (!chosen.delete(genre)) chosen.add(genre);
  for (const button of $("genres").children) {
    button.setAttribute("aria-pressed", String(chosen.has(button.dataset.genre)));
  }
  return undefined;
}

function several(on = false) {
  chosen = on ? new Set() : null;
  $("several").setAttribute("aria-pressed", String(on));
  $("confirm").hidden = !on;
  $("question").textContent = on ? "Which genres is it? None, if you do not know." : "Which genre is it?";
  for (const button of $("genres").children) {
    if (on) button.setAttribute("aria-pressed", "false");
    else button.removeAttribute("aria-pressed");
  }
}

const done = () => chosen && answer("several", [...chosen]);
const move = (seconds) => { audio.currentTime = Math.max(0, audio.currentTime + seconds); };

function key(event) {
  if (event.ctrlKey || event.metaKey || event.altKey || event.repeat) return;
  const onButton = event.target.closest?.("button, input, [tabindex='0']");
  const keys = {
    s: () => several(!chosen), n: () => answer("not music"), k: () => answer("skip"), u: undo,
    Escape: () => several(false),
    ...(event.target.id !== "seek" && { ArrowLeft: () => move(-STEP), ArrowRight: () => move(STEP) }),
    ...(!onButton && { " ": play }),
    ...(chosen && event.target.id !== "cancel" && { Enter: done }),
  };
  const genre = /^[1-9]$/.test(event.key) && genres[Number(event.key) - 1];
  const work = genre ? () => pick(genre) : keys[event.key.length === 1 ? event.key.toLowerCase() : event.key];
  if (!work || (!queue[0] && work !== undo)) return;
  event.preventDefault();
  work();
}

for (const [event, work] of Object.entries({
  timeupdate: () => {
    $("now").textContent = clock(audio.currentTime);
    $("seek").value = audio.duration ? audio.currentTime / audio.duration : 0;
  },
  loadedmetadata: () => { if (Number.isFinite(audio.duration)) $("length").textContent = clock(audio.duration); },
})) audio.addEventListener(event, work);
for (const event of ["play", "pause", "ended", "emptied"]) {
  audio.addEventListener(event, () => {
    $("play").setAttribute("aria-label", audio.paused ? "Play" : "Pause");
    $("play").replaceChildren(icon(audio.paused ? "play" : "pause"));
  });
}

$("play").addEventListener("click", play);
$("seek").addEventListener("input", () => { if (audio.duration) audio.currentTime = $("seek").value * audio.duration; });
$("several").addEventListener("click", () => several(!chosen));
$("not-music").addEventListener("click", () => answer("not music"));
$("skip").addEventListener("click", () => answer("skip"));
$("done").addEventListener("click", done);
$("cancel").addEventListener("click", () => several(false));
for (const id of ["undo", "undo-end"]) $(id).addEventListener("click", undo);
addEventListener("keydown", key);

takeToken();
busy = false;
send(async () => {
  await refill();
  show();
});
