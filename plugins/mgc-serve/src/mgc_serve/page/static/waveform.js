/** The waveform in the colours of the timeline, a slider over it, and the timeline below. */
import { h, icon, svg } from "./dom.js";
import { attach, playFrom, seek, toggle } from "./player.js";
import { clock, colour, percent } from "./words.js";

const PITCH = 4; // px from bar to bar
const HEIGHT = 100;
const STEP = 5; // s per arrow key

/** The bars between two shares of the length, as one path in pixels. */
function bars(pairs, width, from, to) {
  const count = Math.max(1, Math.floor(width / PITCH));
  const loudest = Math.max(0.05, ...pairs.map(([low, high]) => Math.max(-low, high)));
  let path = "";
  for (let i = Math.ceil(from * count); i < Math.min(count, Math.ceil(to * count)); i += 1) {
    const part = pairs.slice(Math.floor((i * pairs.length) / count), Math.max(1, Math.ceil(((i + 1) * pairs.length) / count)));
    const mean = part.reduce((sum, [low, high]) => sum + (high - low) / 2, 0) / (part.length || 1);
    const half = Math.max(0.6, ((HEIGHT / 2 - 3) * mean) / loudest);
    path += `M${i * PITCH + 2} ${HEIGHT / 2 - half}v${2 * half}`;
  }
  return path;
}

function drawing(pairs, segments, length, width) {
  const parts = segments.length ? segments : [{ start: 0, end: length, genre: null }];
  const paths = parts.map(({ start, end, genre }) => {
    const path = svg("path", { d: bars(pairs, width, start / length, end / length) });
    path.style.setProperty("--genre", colour(genre));
    return path;
  });
  return svg("svg", { viewBox: `0 0 ${width} ${HEIGHT}`, preserveAspectRatio: "none", "aria-hidden": "true" }, ...paths);
}

/** A player for one item: returns its element, and `segments(list)` to colour it later. */
export function waveform(item) {
  const { answer, file } = item;
  const pairs = answer.waveform?.length ? answer.waveform : [[0, 0]];
  const source = async () => URL.createObjectURL(file);
  let segments = [];
  let length = answer.seconds;

  const button = h("button", { type: "button", class: "play", "aria-label": "Play", onclick: () => toggle(item, source, changed) }, icon("play"));
  const slider = h("input", {
    type: "range", min: 0, max: length, step: 0.01, value: 0, "aria-label": "Position",
    oninput: () => { seek(item, Number(slider.value)); place(Number(slider.value)); },
    onkeydown: keys,
  });
  const bed = h("div", { class: "bed" });
  const time = h("span", { class: "time soft" });
  const lane = h("ol", { class: "lane", "aria-label": "Timeline" });
  const mute = h("p", { class: "mute soft small", hidden: true }, "This browser cannot play files of this format.");
  const made = h("div", { class: "player" }, button, h("div", { class: "wave" }, bed, slider), time, lane, mute);
  new ResizeObserver(redraw).observe(bed);
  place(0);

  function keys(event) {
    if (event.key === " ") {
      event.preventDefault();
      toggle(item, source, changed);
    }
    const step = { ArrowRight: STEP, ArrowUp: STEP, ArrowLeft: -STEP, ArrowDown: -STEP }[event.key];
    if (!step) return;
    event.preventDefault();
    slider.value = Number(slider.value) + step;
    slider.dispatchEvent(new Event("input"));
  }

  function place(seconds) {
    const at = segments.find(({ start, end }) => start <= seconds && seconds < end);
    made.style.setProperty("--at", length ? Math.min(1, seconds / length) : 0);
    slider.value = seconds;
    slider.setAttribute("aria-valuetext", `${clock(seconds)} of ${clock(length)}${at ? `, ${at.genre ?? "no genre"}` : ""}`);
    time.textContent = `${clock(seconds)} / ${clock(length)}`;
  }

  function changed(audio, event) {
    const playing = !audio.paused && event !== "gone" && event !== "ended";
    button.replaceChildren(icon(playing ? "pause" : "play"));
    button.setAttribute("aria-label", playing ? "Pause" : "Play");
    if (playing) made.dataset.started = "";
    if (event === "error") {
      button.disabled = slider.disabled = true;
      mute.hidden = false;
      return;
    }
    if (event === "loadedmetadata" && Number.isFinite(audio.duration)) {
      length = audio.duration;
      slider.max = length;
      redraw();
    }
    place(event === "gone" ? 0 : audio.currentTime);
  }

  function redraw() {
    const width = Math.round(bed.clientWidth);
    if (!width) return;
    const whole = drawing(pairs, segments, length, width);
    const played = whole.cloneNode(true);
    played.classList.add("played");
    bed.replaceChildren(whole, played);
    lane.replaceChildren(...segments.map(({ start, end, genre, probability, remark }) => h("li",
      { "--genre": colour(genre), "--share": (end - start) / length },
      h("button", {
        type: "button",
        title: `${clock(start)}–${clock(end)} ${genre ?? remark ?? "no genre"}${genre ? ` ${percent(probability)}` : ""}`,
        "aria-label": `${clock(start)} to ${clock(end)}: ${genre ? `${genre}, ${percent(probability)}` : remark ?? "no genre"}`,
        onclick: () => playFrom(item, source, changed, start),
      }, h("bdi", {}, genre ?? "–")))));
  }

  return {
    element: made,
    ready: () => attach(item, source, changed),
    play: (from, to) => playFrom(item, source, changed, from, to),
    note: (text) => lane.replaceChildren(h("li", { class: "soft" }, text)),
    segments(list) {
      segments = list;
      length = Math.max(length, ...list.map(({ end }) => end));
      slider.max = length;
      redraw();
      place(Number(slider.value));
    },
  };
}
