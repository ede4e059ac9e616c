"""Estimator heads, sound but for one thing each."""

import json

import numpy as np


class Centroids:
    """The nearest genre's centre: nothing wrong with it."""

    def __init__(self, params, seed):
        self.seed = seed

    def fit(self, features, genres, groups, n_genres):
        self.n_genres_ = n_genres
        self.mean_, self.scale_ = features.mean(0), features.std(0) + 1e-6
        scaled = self.embed(features)
        self.seen_ = np.unique(genres)
        self.centres_ = np.stack([scaled[genres == g].mean(0) for g in self.seen_])
        return self

    def predict_proba(self, features):
        distance = ((self.embed(features)[:, None] - self.centres_) ** 2).mean(2)
        closeness = np.exp(distance.min(1, keepdims=True) - distance)
        made = np.zeros((len(features), self.n_genres_))
        made[:, self.seen_] = closeness
        return self.finished(made)

    def finished(self, made):
        return made / made.sum(1, keepdims=True)

    def embed(self, features):
        return np.clip((features - self.mean_) / self.scale_, -4, 4)

    def save(self, path):
        state = {n: np.asarray(v).tolist() for n, v in vars(self).items() if n.endswith("_")}
        path.write_text(json.dumps(state))

    def restore(self, path):
        for name, value in json.loads(path.read_text()).items():
            setattr(self, name, np.asarray(value))
        self.n_genres_ = int(self.n_genres_)
        return self


class Scores(Centroids):
    def finished(self, made):
        return made


class WarmStart(Centroids):
    def fit(self, features, genres, groups, n_genres):
        kept = getattr(self, "mean_", None)
        super().fit(features, genres, groups, n_genres)
        if kept is not None:
            self.mean_ = (self.mean_ + kept) / 2
        return self


class Shifted(Centroids):
    def predict_proba(self, features):
        made = super().predict_proba(features)
        moved = np.zeros_like(made)
        moved[:, : len(self.seen_)] = made[:, self.seen_]
        return moved


class Pickled(Centroids):
    def save(self, path):
        import pickle

        path.write_bytes(pickle.dumps(vars(self)))

    def restore(self, path):
        import pickle

        vars(self).update(pickle.loads(path.read_bytes()))
        return self


class Forgetful(Centroids):
    def save(self, path):
        super().save(path)
        state = json.loads(path.read_text())
        state["mean_"] = [0.0] * len(state["mean_"])
        path.write_text(json.dumps(state))


class Unscaled(Centroids):
    def embed(self, features):
        return np.exp(features.astype(np.float32))


class Random(Centroids):
    def predict_proba(self, features):
        made = super().predict_proba(features) + 0.1 * np.random.default_rng().random((1, 1))
        return made / made.sum(1, keepdims=True)
