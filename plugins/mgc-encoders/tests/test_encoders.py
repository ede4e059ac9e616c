"""The numbers of transformers' own models, and mgc's contract."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from mgc_encoders import speech
from mgc_encoders.windows import windows
from safetensors.torch import load_file, save_file

import mgc
from mgc import MgcError, UsageError
from mgc.checks import parametrize

from . import tiny
from .models import extractor, folder, heard, wave


@pytest.mark.parametrize("name", ["wav2vec2", "hubert", "wavlm", "mert"])
def test_states_are_those_of_the_model(name: str) -> None:
    from transformers import AutoModel, HubertModel, Wav2Vec2FeatureExtractor

    made = extractor(name)
    sound = wave(3.0, made.rate)
    prepare = Wav2Vec2FeatureExtractor.from_pretrained(folder(name))
    inputs = prepare(sound, sampling_rate=made.rate, return_tensors="pt")
    cls = HubertModel if name == "mert" else AutoModel
    config = speech.hubert_config(made.weights) if name == "mert" else None
    model = cls.from_pretrained(folder(name), config=config).eval()
    with torch.inference_mode():
        states = model(**inputs, output_hidden_states=True).hidden_states
    wanted = torch.stack([state[0].mean(0) for state in states]).numpy()
    assert wanted.shape == (tiny.BLOCKS + 1, tiny.WIDTH)
    np.testing.assert_allclose(heard(made, sound), wanted, atol=1e-5)


def test_a_full_ast_window_is_the_mean_of_all_patches() -> None:
    from transformers import ASTFeatureExtractor, ASTModel

    made = extractor("ast")
    sound = wave(10.24, made.rate)
    prepared = ASTFeatureExtractor()(sound, sampling_rate=made.rate, return_tensors="pt")
    model = ASTModel.from_pretrained(folder("ast")).eval()
    with torch.inference_mode():
        states = model(**prepared, output_hidden_states=True).hidden_states
    wanted = torch.stack([state[0, 2:].mean(0) for state in states]).numpy()
    np.testing.assert_allclose(heard(made, sound), wanted, atol=1e-5)


def test_the_mask_of_ast_leaves_out_patches_of_padding() -> None:
    made = extractor("ast")
    patches = made._heard(100)
    assert patches.shape == (12 * 101,)
    columns = patches.view(12, 101)
    assert columns[:, :10].all()
    assert not columns[:, 10:].any()


def test_clap_is_the_projected_audio_embedding() -> None:
    from transformers import ClapFeatureExtractor, ClapModel

    made = extractor("clap")
    sound = wave(7.0, made.rate)
    prepare = ClapFeatureExtractor.from_pretrained(folder("clap"))
    inputs = prepare(sound, sampling_rate=made.rate, return_tensors="pt")
    model = ClapModel.from_pretrained(folder("clap")).eval()
    with torch.inference_mode():
        state = model.audio_model(input_features=inputs["input_features"]).pooler_output
        wanted = model.audio_projection(state)[0].numpy()
    got = heard(made, sound)
    assert got.shape == (24,)
    # transformers scales an embedding to unit length in one of the two, not in the other.
    cosine = got @ wanted / np.linalg.norm(got) / np.linalg.norm(wanted)
    assert cosine == pytest.approx(1.0, abs=1e-5)


def test_clap_compares_audio_and_text_as_transformers_does() -> None:
    from transformers import ClapFeatureExtractor, ClapModel, RobertaTokenizerFast

    made, texts = extractor("clap"), ["dub techno", "bolero, sung ö"]
    sound = wave(7.0, made.rate)
    audio = ClapFeatureExtractor.from_pretrained(folder("clap"))
    words = RobertaTokenizerFast.from_pretrained(folder("clap"))
    inputs = words(texts, padding=True, return_tensors="pt")
    model = ClapModel.from_pretrained(folder("clap")).eval()
    with torch.inference_mode():
        features = model.get_text_features(**inputs).pooler_output
        heard_by_both = audio(sound, sampling_rate=made.rate, return_tensors="pt")
        logits = model(**heard_by_both, **inputs).logits_per_audio[0].numpy()
        embedded = made.embed_text(texts)
    np.testing.assert_allclose(embedded, features, atol=1e-6)
    vector = heard(made, sound)
    cosine = embedded.numpy() @ vector / np.linalg.norm(vector)
    np.testing.assert_allclose(made.logit_scale * cosine, logits, atol=1e-4)


def test_clap_answers_with_genres_in_words(tmp_path: Path) -> None:
    import soundfile

    sound = wave(3.0, 48_000)
    soundfile.write(tmp_path / "song.wav", sound, 48_000, subtype="FLOAT")
    genres = ["dub techno", "shoegaze", "bolero"]
    model = mgc.zero_shot(genres, settings={"model": str(folder("clap"))}, device="cpu")
    shares = model.predict(tmp_path / "song.wav").probabilities
    assert list(shares) == genres
    made = extractor("clap")
    with torch.inference_mode():
        each = torch.stack([made.embed_text([p.format(g) for g in genres]) for p in made.prompts])
    texts = each.mean(0) / each.mean(0).norm(dim=1, keepdim=True)
    vector = torch.from_numpy(heard(made, sound))
    wanted = (made.logit_scale * texts @ vector / vector.norm()).softmax(0)
    np.testing.assert_allclose(list(shares.values()), wanted, atol=1e-4)


@pytest.mark.parametrize("lost", ["tokenizer.json", "logit_scale_a", "text_model"])
def test_a_clap_without_its_text_side_hears_but_does_not_compare(lost: str, tmp_path: Path) -> None:
    tiny.clap(tmp_path)
    (tmp_path / lost).unlink(missing_ok=True)
    tensors = load_file(tmp_path / "model.safetensors")
    kept = {name: t for name, t in tensors.items() if not name.startswith(lost)}
    save_file(kept, tmp_path / "model.safetensors", metadata={"format": "pt"})
    made = extractor("clap", model=str(tmp_path))
    assert heard(made, wave(1.5, 48_000)).shape == (24,)
    with pytest.raises(MgcError, match=f"{lost}|tensors are missing") as caught:
        _ = made.embed_text(["dub techno"]), made.logit_scale
    assert "another copy" in caught.value.hint


def test_words_and_merges_are_a_tokenizer_too(tmp_path: Path) -> None:
    tiny.clap(tmp_path)
    (tmp_path / "tokenizer.json").unlink()
    (tmp_path / "vocab.json").write_text(json.dumps(tiny.letters()))
    (tmp_path / "merges.txt").write_text("#version: 0.2\n")
    both = [extractor("clap", model=str(place)) for place in (tmp_path, folder("clap"))]
    np.testing.assert_array_equal(*[made.embed_text(["dub techno"]) for made in both])


def test_windows_are_averaged_by_their_length() -> None:
    made = extractor("hubert")
    sound = wave(14.0, made.rate)
    first, second = heard(made, sound[: 10 * made.rate]), heard(made, sound[10 * made.rate :])
    np.testing.assert_allclose(heard(made, sound), (10 * first + 4 * second) / 14, atol=1e-5)


@pytest.mark.parametrize(
    ("samples", "lengths"), [(5, [5]), (20, [10, 10]), (21, [10, 10]), (24, [10, 10, 4])]
)
def test_a_short_remainder_is_left_out(samples: int, lengths: list[int]) -> None:
    assert [part.weight for part in windows(torch.zeros(samples), 10, 3)] == lengths


def test_one_layer_is_a_vector_and_all_are_layers() -> None:
    sound = wave(1.5, 16_000)
    every = heard(extractor("hubert"), sound)
    for layer, wanted in [(0, every[0]), (2, every[2]), ("last", every[-1]), (-2, every[-2]),
                          ("mean", every[1:].mean(0))]:  # fmt: skip
        made = extractor("hubert", layer=layer)
        assert made.kind == "vector"
        np.testing.assert_allclose(heard(made, sound), wanted, atol=1e-6)


def test_a_layer_that_is_not_there_is_refused() -> None:
    with pytest.raises(UsageError, match="has layers 0 to 3"):
        heard(extractor("hubert", layer=9), wave(1.5, 16_000))


@parametrize("mert", settings=lambda: {"model": str(folder("mert"))})
def test_mert_conforms(check: Any) -> None:
    check()


@parametrize("clap", settings=lambda: {"model": str(folder("clap"))})
def test_clap_conforms(check: Any) -> None:
    check()


@parametrize("ast", settings=lambda: {"model": str(folder("ast"))})
def test_ast_conforms(check: Any) -> None:
    check()


@parametrize("wav2vec2", settings=lambda: {"model": str(folder("wav2vec2")), "layer": "mean"})
def test_wav2vec2_conforms(check: Any) -> None:
    check()


@parametrize("hubert", settings=lambda: {"model": str(folder("hubert"))})
def test_hubert_conforms(check: Any) -> None:
    check()


@parametrize("wavlm", settings=lambda: {"model": str(folder("wavlm"))})
def test_wavlm_conforms(check: Any) -> None:
    check()
