/** Talks to the server: the token, problem+json and "busy" are dealt with here alone. */
const KEY = "mgc-token";
const LONGEST_WAIT = 30; // s
const MOST_TRIES = 60;

export class Problem extends Error {
  constructor({ title, detail, hint, status }) {
    super(detail || title || "Something went wrong.");
    this.hint = hint || "";
    this.status = status;
  }
}

/** The token comes once, as #token=…, and leaves the address bar at once. */
export function takeToken() {
  const given = new URLSearchParams(location.hash.slice(1)).get("token");
  if (!given) return;
  sessionStorage.setItem(KEY, given);
  history.replaceState(null, "", location.pathname + location.search);
}

const pause = (seconds, signal) => new Promise((resolve, reject) => {
  const timer = setTimeout(resolve, 1000 * seconds);
  signal?.addEventListener("abort", () => { clearTimeout(timer); reject(signal.reason); }, { once: true });
});

async function problemOf(response) {
  const told = await response.json().catch(() => ({}));
  const title = `The server answered ${response.status} ${response.statusText}`.trim() + ".";
  const hint = response.status === 401 ? "Open the address that mgc serve printed, with its token." : told.hint;
  return new Problem({ title, ...told, hint, status: response.status });
}

export const get = async (path) => (await ask(path, {})).json();

export const post = async (path, told) => {
  const body = new Blob([JSON.stringify(told)], { type: "application/json" });
  return (await ask(path, { method: "POST", body })).json();
};

async function ask(path, init) {
  const token = sessionStorage.getItem(KEY);
  const headers = token ? { Authorization: `Bearer ${token}` } : {};
  for (let tried = 1; ; tried += 1) {
    let response;
    try {
      response = await fetch(path, { ...init, headers });
    } catch (error) {
      if (error.name === "AbortError") throw error;
      throw new Problem({ title: "The server does not answer.", hint: "Is mgc serve still running?" });
    }
    if (response.ok) return response;
    if (response.status !== 503 || tried === MOST_TRIES) throw await problemOf(response);
    await pause(Math.min(Number(response.headers.get("Retry-After")) || 1, LONGEST_WAIT), init.signal);
  }
}

export const getRuns = async () => (await (await ask("v1/runs", {})).json()).runs;

/** Bytes behind an address of the API, as an address that <audio> can play. */
export async function soundOf(address) {
  const response = await ask(address.replace(/^\//, ""), {});
  return URL.createObjectURL(await response.blob());
}

function send(what, file, options, signal) {
  const form = new FormData();
  form.append("file", file, file.name);
  const query = new URLSearchParams(Object.entries(options).filter(([, value]) => value !== undefined));
  return ask(`v1/${what}?${query}`, { method: "POST", body: form, signal }).then((response) => response.json());
}

export async function predict(file, options, signal) {
  const { genres, answers: [answer] } = await send("predict", file, options, signal);
  if (answer.error) throw new Problem(answer.error);
  return { ...answer, genres };
}

export const similar = (file, options, signal) => send("similar", file, options, signal);
export const explain = (file, options, signal) => send("explain", file, options, signal);
