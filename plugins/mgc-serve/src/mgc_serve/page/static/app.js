/** The page: what was taken, what is asked of the server, and what is shown of it. */
import { getRuns, predict, takeToken } from "./api.js";
import { chip, showAnswer } from "./answer.js";
import { saveCsv } from "./csv.js";
import { $, h } from "./dom.js";
import { watchIntake } from "./intake.js";
import { silence } from "./player.js";
import { watchRecorder } from "./recorder.js";
import { drawTable, watchTable } from "./table.js";
import { percent, plural, setGenres } from "./words.js";

const LOCAL = /^(localhost|127\..*|\[::1\])$/;
const KNOWN = 24; // genres that are listed before there are files
const AT_ONCE = 4;
const COVERAGE = 0.9;
const OPTIONS = { views: true, waveform: true, coverage: COVERAGE, lenient: true };

let runs = [];
let run = null;
let items = [];
let chosen = null;
let stuck = false; // without a model or a server nothing can be answered
let asking = new AbortController();
let busy = 0;

function trouble(text, hint = "") {
  $("trouble").hidden = !text;
  $("trouble").textContent = [text, hint].filter(Boolean).join(" ");
}

function take(files) {
  if (stuck) return;
  trouble(files.length ? "" : "There is no music in what you chose.");
  items.push(...files.map(({ file, path }) => ({ file, path, state: "waiting", more: {} })));
  if (chosen || !items.length) draw(null);
  else choose(items[0], false);
  work();
}

function work() {
  while (run && busy < AT_ONCE) {
    const item = items.find(({ state }) => state === "waiting");
    if (!item) return;
    answerOne(item, asking.signal);
  }
}

async function answerOne(item, signal) {
  busy += 1;
  item.state = "busy";
  draw(item);
  const told = await predict(item.file, { run: run.name, ...OPTIONS }, signal)
    .then((answer) => ({ state: "done", answer }), (problem) => ({ state: "failed", problem }));
  if (signal.aborted) return; // whoever aborted has begun anew
  Object.assign(item, told);
  busy -= 1;
  draw(item);
  work();
}

/** Forget all answers; the files stay. */
function startOver() {
  asking.abort();
  asking = new AbortController();
  busy = 0;
  silence();
  for (const item of items) Object.assign(item, { state: "waiting", answer: null, problem: null, more: {} });
}

function choose(item, byHand = true) {
  chosen = item;
  draw(item);
  if (byHand && matchMedia("(max-width: 900px)").matches) $("answer").scrollIntoView({ block: "start" });
}

function draw(changed = chosen) {
  const done = items.filter(({ state }) => state === "done" || state === "failed").length;
  document.body.dataset.state = items.length ? "full" : "empty";
  $("intake-title").classList.toggle("hidden", items.length > 0);
  $("list").hidden = $("answer").hidden = !items.length;
  $("count").textContent = done < items.length ? `${done} of ${items.length} answered` : plural(items.length, "file");
  $("progress").max = items.length || 1;
  $("progress").value = done;
  $("progress").hidden = done === items.length;
  $("export").disabled = !done;
  drawTable(items, chosen, choose);
  if (chosen && changed === chosen) showAnswer(chosen, run, asking.signal);
}

function chooseRun(name) {
  run = runs.find((each) => each.name === name);
  setGenres(run.genres);
  const interval = run.accuracy_low === null || run.accuracy_low === undefined ? ""
    : ` (${Math.round(100 * run.accuracy_low)}–${percent(run.accuracy_high)})`;
  $("run-facts").textContent = run.accuracy === null ? plural(run.genres.length, "genre")
    : `${plural(run.genres.length, "genre")} · right for ${percent(run.accuracy)}${interval} of songs new to it`;
  $("known").replaceChildren(h("span", { class: "soft" }, "Knows"), ...run.genres.slice(0, KNOWN).map(chip),
    run.genres.length > KNOWN && h("span", { class: "soft" }, `and ${run.genres.length - KNOWN} more`) || "");
  startOver();
  draw();
  work();
}

async function begin() {
  takeToken();
  if (!LOCAL.test(location.hostname)) $("where").textContent = `Files go to ${location.host} only.`;
  watchIntake(take);
  watchRecorder(take, trouble);
  watchTable(() => draw(null));
  $("export").addEventListener("click", () => saveCsv(items, run));
  $("clear").addEventListener("click", () => {
    startOver();
    items = [];
    chosen = null;
    draw();
    $("pick-files").focus();
  });
  $("run").addEventListener("change", (event) => chooseRun(event.target.value));
  try {
    runs = await getRuns();
  } catch (error) {
    stuck = true;
    trouble(error.message, error.hint);
    return;
  }
  if (!runs.length) {
    stuck = true;
    trouble("There is no model yet.", "Make one in a terminal: mgc demo, or mgc data add and mgc fit. Then load this page again.");
    return;
  }
  $("run").replaceChildren(...runs.map(({ name }) => h("option", { value: name }, name)));
  $("run").disabled = runs.length < 2;
  // With several datasets none is the default: the newest of one's own.
  $("run").value = (runs.find((each) => each.default) || runs.findLast((each) => !each.ready_made) || runs[0]).name;
  chooseRun($("run").value);
}

begin();
