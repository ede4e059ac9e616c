"""How well `unlike` tells music from what is not, beside methods that use a run's embeddings.

    python benchmarks/unknown.py --write        # the shipped textures of what is not music
    python benchmarks/unknown.py --any FOLDER...  # what tells music in general
    python benchmarks/unknown.py RUN...         # the tables of docs/answers-unknown.md

Runs with folds are needed. Each kind of sound counts once. The machines that judge a kind have not
seen it, nor a half of the others. Music is judged out of fold, with the limit of the other folds;
intervals resample artists.
"""

from __future__ import annotations

import argparse
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

import numpy as np
from safetensors.numpy import save
from sklearn.covariance import LedoitWolf
from sklearn.decomposition import PCA
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import roc_auc_score

from mgc import runs
from mgc.audio.audio_files import collect
from mgc.audio.given import given
from mgc.datasets.synthesis.not_music import kinds, not_music
from mgc.features.extraction import Rows, extract, features_of
from mgc.features.extractor_spec import ExtractorSpec
from mgc.fitting import music_reference
from mgc.home import replace_file
from mgc.prediction.predictor import Predictor
from mgc.prediction.unlike import mean_texture
from mgc.runs import Run
from mgc.runs.reference import ANY_MUSIC, UNKNOWN, Machine, Reference, standardised

SHIPPED_SEEDS, SEEDS = range(12), range(100, 102)
SECONDS = (30.0, 20.0, 10.0, 6.0)  # of the shipped sounds, by turns
NEIGHBOURS, COMPONENTS = 5, 50
DRAWS = 2_000
LINEAR_COST = 0.01

#: Scores of held-out rows and of sounds, the larger the less like the training rows.
Scores = tuple[np.ndarray, np.ndarray]


def write_shipped() -> None:
    """Write the textures that every reference is fitted with."""
    if "espeak" not in kinds():
        raise SystemExit("The shipped sounds hold espeak's speech: install espeak-ng first.")
    source = ExtractorSpec("texture")
    made, names = [], []
    for number, kind in enumerate(kinds()):
        for seed in SHIPPED_SEEDS:
            sound = not_music(kind, seed, SECONDS[seed % len(SECONDS)])
            made.append(mean_texture(features_of(given(sound), [source])["texture"]))
            names.append(number)
        print(kind, flush=True)
    content = {"textures": np.array(made, np.float32), "kinds": np.array(names, np.int16)}
    replace_file(music_reference.NOT_MUSIC, save(content, {"kinds": ", ".join(kinds())}))


def write_any(folders: Sequence[str]) -> None:
    """Write what models without known training music judge by, from folders of music; print how
    much of what is not music is unknown by machines that have not seen its kind."""
    source = ExtractorSpec("texture")
    corpora = []
    for folder in folders:
        paths = collect([Path(folder)])
        hashes = extract(paths, [source]).hashes
        known = [hashes[path] for path in paths if path in hashes]
        corpora.append(np.stack([mean_texture(source.store.read(key)) for key in known]))
    textures, numbers = music_reference.not_music()
    halves = [numbers % 2 != half for half in (0, 1)]
    for rows in (*halves, np.full(len(numbers), True)):
        others = (textures[rows], numbers[rows])
        machine = linear_machine(np.concatenate(corpora), *others)
        scores = [
            linear_machine(np.concatenate(corpora[:n] + corpora[n + 1 :]), *others).score(corpus)
            for n, corpus in enumerate(corpora)
        ]
        held_out = np.sort(np.concatenate(scores))
        made = Reference([machine], held_out, np.empty(0, np.uint64), source.info.revision)
        limit = made.limit(UNKNOWN)
        beyond = machine.score(textures[~rows]) > limit
        unknown = [beyond[numbers[~rows] == n].mean() for n in set(numbers[~rows])]
        lost = [(s > limit).mean() for s in scores]
        print(f"music lost {np.round(lost, 3)}; unknown", np.round(np.mean(unknown or [0]), 3))
    made.save(ANY_MUSIC.parent, ANY_MUSIC.name)


def linear_machine(music: np.ndarray, others: np.ndarray, number: np.ndarray) -> Machine:
    """As `fit_machine` of `mgc.fitting.music_reference`, but linear."""
    _, kind, counts = np.unique(number, return_inverse=True, return_counts=True)
    weights = np.concatenate([np.ones(len(music)), len(music) / len(counts) / counts[kind]])
    rows = np.concatenate([music, others])
    mean = np.average(rows, axis=0, weights=weights)
    scale = np.sqrt(np.average((rows - mean) ** 2, axis=0, weights=weights)) + 1e-6
    found = LogisticRegression(C=LINEAR_COST, max_iter=5_000)
    found.fit(standardised(rows, mean, scale), np.arange(len(rows)) >= len(music), weights)
    kernel = np.array([0.0, found.intercept_[0]])
    return Machine(mean, scale, found.coef_, np.ones(1), kernel)


class Sounds:
    """Sounds that are not music, and every extractor's features of them."""

    def __init__(self, sources: Mapping[str, ExtractorSpec]) -> None:
        self.kinds = np.repeat(np.arange(len(kinds())), len(SEEDS))
        self.features: dict[str, list[Rows]] = {name: [] for name in sources}
        for kind in kinds():
            for seed in SEEDS:
                sound = given(not_music(kind, seed))
                for name, source in sources.items():
                    self.features[name].append(features_of(sound, [source])[source.name])

    def means(self, scores: Scores, least: float = -np.inf) -> tuple[np.ndarray, np.ndarray]:
        """AUROC and the share beyond the default limit, which is at least this, by kind."""
        held_out, sounds = scores
        quantile = np.sort(held_out)[::-1][max(0, int(UNKNOWN * (len(held_out) + 1)) - 1)]
        limit = max(quantile, least)
        truth = np.repeat([0, 1], [len(held_out), len(SEEDS)])
        each = [sounds[self.kinds == kind] for kind in range(len(kinds()))]
        areas = [roc_auc_score(truth, np.concatenate([held_out, some])) for some in each]
        return np.array(areas), np.array([(some > limit).mean() for some in each])


def by_embedding(run: Run, sounds: Sounds) -> dict[str, Scores]:
    """The published methods: nearest neighbours, Mahalanobis, the largest probability."""
    predictor = Predictor(run)
    (fingerprint,) = {source.store.fingerprint for source in predictor.sources}
    answers = [
        [head.predict([rows]) for rows in sounds.features[fingerprint]]
        for head in predictor.heads[0]
    ]
    found: dict[str, list[Scores]] = {"nearest": [], "Mahalanobis": [], "probability": []}
    for fold, made in enumerate(answers):
        rows = {p: run.rows(p)[run.rows(p)["fold"] == fold] for p in ("training", "test")}
        near, held_out = (run.embeddings[rows[p].index] for p in rows)
        others = np.concatenate([embedding for _, embedding in made])
        found["nearest"].append(_nearest(near, held_out, others))
        covariance = LedoitWolf().fit(near)
        found["Mahalanobis"].append(
            (covariance.mahalanobis(held_out), covariance.mahalanobis(others))
        )
        largest = np.array([probabilities.max() for probabilities, _ in made])
        found["probability"].append((-run.probabilities(rows["test"]).max(1), -largest))
    return {name: _joined(scores) for name, scores in found.items()}


def _nearest(near: np.ndarray, *others: np.ndarray) -> Scores:
    """Mean distance to the nearest training rows among the whitened components."""
    components = min(COMPONENTS, *near.shape, len(near) - 1)
    white = PCA(components, whiten=True, random_state=0).fit(near)
    rows = white.transform(near)
    first, second = (
        np.sort(np.linalg.norm(white.transform(some)[:, None] - rows, axis=2), axis=1)
        for some in others
    )
    return first[:, :NEIGHBOURS].mean(1), second[:, :NEIGHBOURS].mean(1)


def _joined(scores: Sequence[Scores]) -> Scores:
    """All folds' held-out rows, and the mean over folds for each sound."""
    held_out, sounds = zip(*scores, strict=True)
    return np.concatenate(held_out), np.mean(sounds, axis=0)


class Textures:
    """The textures of a run's tracks, and machines on them."""

    def __init__(self, run: Run, sounds: Sounds) -> None:
        source = Predictor(run).sources[0].texture
        paths = [Path(path) for path in run.tracks["path"]]
        hashes = extract(paths, [source]).hashes
        means = [mean_texture(source.store.read(hashes[path])) for path in paths]
        self.music = dict(zip(run.tracks.index, means, strict=True))
        self.sounds = [mean_texture(rows) for rows in sounds.features[source.store.fingerprint]]
        self.run = run

    def rows(self, part: str, fold: int) -> np.ndarray:
        """The textures of a part of a fold."""
        rows = self.run.rows(part)
        return np.stack([self.music[t] for t in rows.loc[rows["fold"] == fold, "track_id"]])

    def scores(self, chosen: Callable[[np.ndarray], np.ndarray]) -> Scores:
        """With machines that know the chosen of the shipped sounds."""
        textures, numbers = music_reference.not_music()
        chosen_rows = chosen(numbers)
        made = []
        for fold in sorted(set(self.run.predictions["fold"])):
            machine = music_reference.fit_machine(
                self.rows("training", fold), textures[chosen_rows], numbers[chosen_rows]
            )
            made.append(
                (machine.score(self.rows("test", fold)), machine.score(np.stack(self.sounds)))
            )
        return _joined(made)


def unseen_kinds(textures: Textures, sounds: Sounds) -> tuple[np.ndarray, np.ndarray]:
    """AUROC and share that is unknown, of each kind by machines without its half of the kinds."""
    halves = [
        sounds.means(textures.scores(lambda n, half=half: n % 2 != half), least=0.0)
        for half in (0, 1)
    ]
    odd = np.arange(len(kinds())) % 2
    return np.choose(odd, [h[0] for h in halves]), np.choose(odd, [h[1] for h in halves])


def music_lost(textures: Textures) -> str:
    """The share of music beyond the limit of the other folds' music, with an interval by artist."""
    run = textures.run
    rows = run.rows("test")
    scores = textures.scores(lambda numbers: numbers >= 0)[0]
    lost = np.zeros(len(rows), bool)
    for fold in set(rows["fold"]):
        inside = (rows["fold"] == fold).to_numpy()
        others = Reference([], np.sort(scores[~inside]), np.zeros(0), 1)
        lost[inside] = scores[inside] > others.limit(UNKNOWN)
    _, group = np.unique(rows["group"], return_inverse=True)
    counts, hits = np.bincount(group), np.bincount(group, lost)
    drawn = np.random.default_rng(0).integers(0, len(counts), (DRAWS, len(counts)))
    low, high = np.quantile(hits[drawn].sum(1) / counts[drawn].sum(1), [0.025, 0.975])
    genres = rows.loc[lost, "genre"].value_counts().to_dict()
    return f"{lost.mean():.1%} ({low:.1%}–{high:.1%}) {genres or ''}"


def study(names: Sequence[str]) -> None:
    """Print a table of methods, one row per run, and the kinds that are missed."""
    found = [runs.load_finished(name) for name in names]
    sources = {}
    for run in found:
        for source in (*Predictor(run).sources, Predictor(run).sources[0].texture):
            sources[source.store.fingerprint] = source
    sounds = Sounds(sources)
    print("| run | unlike | nearest | Mahalanobis | probability | music lost |")
    print("|---" * 6 + "|")
    missed: dict[str, list[str]] = {}
    for run in found:
        textures = Textures(run, sounds)
        areas, unknown = unseen_kinds(textures, sounds)
        cells = [f"{areas.mean():.3f}, {unknown.mean():.0%}"]
        for scores in by_embedding(run, sounds).values() if run.kind == "single" else ():
            area, share = sounds.means(scores)
            cells.append(f"{area.mean():.3f}, {share.mean():.0%}")
        cells += ["–"] * (4 - len(cells))
        print(f"| {run.name} | {' | '.join(cells)} | {music_lost(textures)} |", flush=True)
        for kind, share in zip(kinds(), unknown, strict=True):
            if share < 1:
                missed.setdefault(kind, []).append(f"{run.record.dataset.name} {share:.0%}")
    for kind, where in missed.items():
        print(f"{kind}: {', '.join(dict.fromkeys(where))}")


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("runs", nargs="*")
    parser.add_argument("--write", action="store_true", help="write the shipped textures")
    parser.add_argument("--any", nargs="+", default=[], help="write the machine for all music")
    given_arguments = parser.parse_args()
    if given_arguments.write:
        write_shipped()
    if given_arguments.any:
        write_any(given_arguments.any)
    if given_arguments.runs:
        study(given_arguments.runs)
