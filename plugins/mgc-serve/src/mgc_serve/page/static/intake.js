/** Takes files: dropped, picked, or everything in a folder. */
import { $ } from "./dom.js";

const AUDIO = /\.(mp3|mp2|mpga|wav|wave|flac|ogg|oga|opus|aiff?|aifc|au|snd|caf|w64|rf64|m4a|mp4|aac|wma|webm|mka)$/i;

/** In a folder lie covers and lists too: of those only music is taken; what is dropped by itself is kept. */
const music = (files) => files.filter(({ file }) => AUDIO.test(file.name));
const named = (file, path = "") => ({ file, path: path || file.webkitRelativePath || file.name });

async function inside(entry) {
  if (entry.isFile) {
    const file = await new Promise((resolve, reject) => entry.file(resolve, reject)).catch(() => null);
    return file ? [named(file, entry.fullPath.replace(/^\//, ""))] : [];
  }
  const reader = entry.createReader();
  const found = [];
  for (;;) { // a reader gives at most 100 entries at a time
    const some = await new Promise((resolve, reject) => reader.readEntries(resolve, reject)).catch(() => []);
    if (!some.length) return found;
    for (const each of some) found.push(...await inside(each));
  }
}

async function dropped(transfer) {
  // Entries must be taken before the first await: afterwards the list is empty.
  const entries = [...transfer.items].map((item) => item.webkitGetAsEntry?.()).filter(Boolean);
  if (!entries.length) return [...transfer.files].map((file) => named(file));
  const found = [];
  for (const entry of entries) {
    const files = await inside(entry);
    found.push(...(entry.isFile ? files : music(files)));
  }
  return found;
}

export function watchIntake(take) {
  $("pick-files").addEventListener("click", () => $("files").click());
  $("pick-folder").addEventListener("click", () => $("folder").click());
  $("files").addEventListener("change", (event) => picked(event.target, (files) => files));
  $("folder").addEventListener("change", (event) => picked(event.target, music));

  function picked(input, choose) {
    const files = [...input.files].map((file) => named(file));
    input.value = ""; // so that the same file can be picked again
    take(choose(files));
  }

  let depth = 0; // dragenter and dragleave come for every element that is crossed
  const over = (change) => {
    depth = change ? Math.max(0, depth + change) : 0;
    document.body.classList.toggle("over", depth > 0);
  };
  addEventListener("dragenter", () => over(1));
  addEventListener("dragleave", () => over(-1));
  addEventListener("dragover", (event) => event.preventDefault());
  addEventListener("drop", async (event) => {
    event.preventDefault();
    over(0);
    take(await dropped(event.dataTransfer));
  });
}
