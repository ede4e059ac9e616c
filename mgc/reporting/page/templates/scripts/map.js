// The map's points: which track, where, and what the run called it.
const tracks = {
  ...report.tracks,
  genre: unpacked(report.tracks.genre, Uint8Array),
};

function openMap(run) {
  const found = report.runs[run].map;
  if (found.ready) return found.ready;
  const steps = 65535;
  const place = (text) => Float32Array.from(unpacked(text, Uint16Array), (v) => (2 * v) / steps - 1);
  const x = place(found.x), y = place(found.y);
  const furthest = (values) => values.reduce((most, value) => Math.max(most, Math.abs(value)), 1e-3);
  found.ready = {
    x, y, reach: [furthest(x), furthest(y)],
    track: unpacked(found.track, Uint32Array),
    said: unpacked(found.said, Uint8Array),
    sure: unpacked(found.sure, Uint8Array),
    fold: unpacked(found.fold, Uint8Array),
    folds: found.folds, joined: found.joined, note: found.note,
  };
  return found.ready;
}

// The numbers of the points of each group: genres, or right and wrong. Wrong ones come last:
// they are drawn on top.
function mapGroups(points, mode, fold) {
  const count = mode === "genre" ? report.genres.length : 2;
  const groups = Array.from({ length: count }, () => []);
  for (let i = 0; i < points.x.length; i++) {
    if (fold !== null && points.fold[i] !== fold) continue;
    const genre = tracks.genre[points.track[i]];
    groups[mode === "genre" ? genre : Number(points.said[i] !== genre)].push(i);
  }
  return groups;
}

// What a point is, in words, as elements.
function pointWords(points, number) {
  const track = points.track[number];
  const title = document.createElement("strong");
  title.append(nameElement(tracks.title[track] || tracks.id[track], true));
  const parts = [title];
  const artist = tracks.artists[tracks.artist[track]];
  if (artist) {
    const by = document.createElement("div");
    by.append(nameElement(artist, true));
    parts.push(by);
  }
  const answer = document.createElement("div");
  const genre = tracks.genre[track], said = points.said[number];
  answer.append(nameElement(report.genres[genre], true));
  if (said === genre) answer.append(" ✓ named right, " + points.sure[number] + " % sure");
  else answer.append(" ✗ called ", nameElement(report.genres[said], true), ", " + points.sure[number] + " % sure");
  parts.push(answer);
  const id = document.createElement("small");
  id.append("track ", nameElement(tracks.id[track]));
  if (points.folds.length > 1) id.append(", fold " + points.folds[points.fold[number]]);
  parts.push(id);
  return parts;
}

// The nearest visible point in a direction, for the arrow keys: near, and not too far to the side.
function nextPoint(points, shown, from, step) {
  let best = -1, least = Infinity;
  for (const i of shown) {
    const dx = points.x[i] - points.x[from], dy = points.y[i] - points.y[from];
    const along = dx * step[0] + dy * step[1];
    if (along <= 1e-6) continue;
    const aside = Math.abs(dx * step[1] + dy * step[0]);
    const cost = along + 2.5 * aside;
    if (cost < least) { least = cost; best = i; }
  }
  return best < 0 ? from : best;
}
