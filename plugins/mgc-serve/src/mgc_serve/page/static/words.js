/** Numbers and certainty in words, and the colour of each genre. */
export const percent = (share) => (share > 0.995 && share < 1 ? ">99 %" : `${Math.round(100 * share)} %`);

export function clock(seconds) {
  const whole = Math.max(0, Math.round(seconds));
  const [h, m, s] = [Math.floor(whole / 3600), Math.floor(whole / 60) % 60, whole % 60];
  const two = (n) => String(n).padStart(2, "0");
  return h ? `${h}:${two(m)}:${two(s)}` : `${m}:${two(s)}`;
}

export function sure(probability) {
  if (probability >= 0.9) return "very sure";
  if (probability >= 0.7) return "fairly sure";
  if (probability >= 0.5) return "not very sure";
  return "unsure";
}

export function listed(words, last = "or") {
  return words.length < 2 ? words.join("") : `${words.slice(0, -1).join(", ")} ${last} ${words.at(-1)}`;
}

/** The genre with the largest probability, or "" if there is none. */
export const mostLikely = (shares) => Object.entries(shares || {}).reduce((best, each) => (each[1] > best[1] ? each : best), ["", -1])[0];

export const plural = (count, one, many = `${one}s`) => `${count.toLocaleString("en")} ${count === 1 ? one : many}`;

const COLOURS = 12;
let order = [];
export const setGenres = (genres) => { order = genres; };
/** A value for `--genre`; beyond the twelfth genre a colour comes again, nearer to that of the text. */
export function colour(genre) {
  const place = order.indexOf(genre);
  if (place < 0) return "var(--no-genre)";
  const own = `var(--g${place % COLOURS})`;
  return place < COLOURS ? own : `color-mix(in oklab, ${own} 45%, var(--ink))`;
}
