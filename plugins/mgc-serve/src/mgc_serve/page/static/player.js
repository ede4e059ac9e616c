/** One sound at a time: the file that was dropped, or a known song that is near to it. */
const audio = new Audio();
let current = null; // { key, address, changed }

for (const event of ["play", "pause", "ended", "timeupdate", "loadedmetadata", "seeked"]) {
  audio.addEventListener(event, () => current?.changed(audio, event));
}
audio.addEventListener("error", () => current && audio.getAttribute("src") && current.changed(audio, "error"));

/** Put a sound into the player, or find it there; `source()` gives its address. */
async function load(key, source, changed) {
  if (current?.key === key) {
    current.changed = changed;
    return;
  }
  silence();
  const own = { key, changed };
  current = own;
  const address = await source();
  if (current !== own) return URL.revokeObjectURL(address);
  own.address = address;
  audio.src = address;
}

/** Watch a sound without playing it, as for its length. */
export const attach = (key, source, changed) => load(key, source, changed);

export async function toggle(key, source, changed) {
  const playing = current?.key === key && !audio.paused;
  await load(key, source, changed);
  if (playing) audio.pause();
  else if (current?.key === key) await audio.play().catch(() => {});
}

export async function playFrom(key, source, changed, seconds, until = null) {
  await load(key, source, changed);
  if (current?.key !== key) return;
  audio.currentTime = seconds;
  await audio.play().catch(() => {});
  if (until !== null) stopAt(key, until);
}

export function seek(key, seconds) {
  if (current?.key === key) audio.currentTime = seconds;
}

function stopAt(key, seconds) {
  const watch = () => {
    if (current?.key === key && audio.currentTime < seconds && !audio.paused) return;
    audio.removeEventListener("timeupdate", watch);
    if (current?.key === key && audio.currentTime >= seconds) audio.pause();
  };
  audio.addEventListener("timeupdate", watch);
}

export function silence() {
  const was = current;
  current = null;
  audio.pause();
  audio.removeAttribute("src");
  if (was?.address) URL.revokeObjectURL(was.address);
  was?.changed(audio, "gone");
}
