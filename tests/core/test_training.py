"""core.training: who is drawn, schedules, checkpoints that go on exactly where they stopped."""

import csv
import json
import os
from dataclasses import replace
from itertools import islice
from pathlib import Path

os.environ.setdefault("KERAS_BACKEND", "tensorflow")

import numpy as np
import pytest

from core import training
from core.dataset.build import build, find_speakers, plan
from core.errors import DatasetError
from core.examples import load_features, load_images
from core.spectral import COLUMNS
from core.spectrogram import BANDS, FRAMES, read_png
from core.training import Recipe, drawn, fit, random_crops, restore, validation_eer

VOICES = ("amina", "jo", "kofi")

# Keras 3.15 turns TensorFlow's variables into arrays in a way that NumPy 2 is leaving
pytestmark = pytest.mark.filterwarnings("ignore:__array__ implementation doesn't accept a copy:DeprecationWarning")


# --- who is drawn ---------------------------------------------------------------------------------------------------


def batches(speakers, count: int, *, seed: int = 0, step: int = 0, batch: int = 64) -> list[np.ndarray]:
    return [chosen for chosen, _ in islice(drawn(speakers, batch, seed=seed, step=step), count)]


SPEAKERS = np.repeat([0, 1, 2], [100, 25, 4])


def test_draws_are_the_same_for_the_same_seed():
    one, two, other = (batches(SPEAKERS, 5, seed=seed) for seed in (3, 3, 4))
    np.testing.assert_array_equal(one, two)
    assert (np.array(one) != np.array(other)).any()


def test_draws_resumed_are_the_draws_uninterrupted():
    np.testing.assert_array_equal(batches(SPEAKERS, 10)[6:], batches(SPEAKERS, 4, step=6))
    whole = [chance.random() for _, chance in islice(drawn(SPEAKERS, 8, seed=0, step=0), 10)]
    resumed = [chance.random() for _, chance in islice(drawn(SPEAKERS, 8, seed=0, step=6), 4)]
    assert whole[6:] == resumed


def test_voices_are_drawn_by_the_root_of_their_segments():
    """100, 25 and 4 segments: 10 to 5 to 2."""
    chosen = np.concatenate(batches(SPEAKERS, 200))
    assert chosen.min() >= 0 and chosen.max() < len(SPEAKERS)
    share = np.bincount(SPEAKERS[chosen]) / len(chosen)
    np.testing.assert_allclose(share, np.array([10, 5, 2]) / 17, atol=0.02)
    assert len(set(chosen)) == len(SPEAKERS)  # everything is drawn sometimes


def test_favoured_voices_are_drawn_more_often():
    favour = np.array([1.0, 1.0, 5.0])
    chosen = np.concatenate([rows for rows, _ in islice(drawn(SPEAKERS, 64, seed=0, step=0, favour=favour), 200)])
    share = np.bincount(SPEAKERS[chosen]) / len(chosen)
    np.testing.assert_allclose(share, np.array([10, 5, 10]) / 25, atol=0.02)


def test_draws_follow_the_labels_in_any_order(chance):
    mixed = chance.permutation(SPEAKERS)
    share = np.bincount(mixed[np.concatenate(batches(mixed, 200))]) / (200 * 64)
    np.testing.assert_allclose(share, np.array([10, 5, 2]) / 17, atol=0.02)


def test_crops_are_pieces_of_the_images(chance):
    images = np.tile(np.arange(FRAMES) % 251, (6, BANDS, 1)).astype(np.uint8)
    crops = random_crops(images, 150, chance)
    assert crops.shape == (6, BANDS, 150) and crops.dtype == np.uint8
    assert (np.diff(crops.astype(int), axis=2) % 251 == 1).all() and len(set(crops[:, 0, 0])) > 1
    np.testing.assert_array_equal(random_crops(images, FRAMES, chance), images)


# --- schedules ------------------------------------------------------------------------------------------------------


def test_the_rate_rises_then_falls():
    recipe = Recipe(steps=1000, rate=0.01, warm_up=100)
    rates = [recipe.rate_at(step) for step in range(1001)]
    assert rates[0] == pytest.approx(0.0001) and max(rates) == pytest.approx(0.01) == pytest.approx(rates[100])
    assert (np.diff(rates[:100]) > 0).all() and (np.diff(rates[100:]) <= 0).all()
    assert rates[550] == pytest.approx(0.01 * 0.505, rel=1e-3) and rates[1000] == pytest.approx(0.0001)


def test_the_margin_comes_late_and_stays():
    recipe = Recipe(steps=1000, margin=0.3, margin_from=0.25, margin_until=0.65)
    assert [recipe.margin_at(step) for step in (0, 250, 450, 650, 999)] == pytest.approx([0, 0, 0.15, 0.3, 0.3])
    constant = replace(recipe, margin_from=-1.0, margin_until=0.0)
    assert constant.margin_at(0) == constant.margin_at(999) == 0.3


@pytest.mark.parametrize("steps", [1, 2, 5])
def test_schedules_of_very_short_runs(steps):
    recipe = Recipe(steps=steps, warm_up=0)
    assert all(0 < recipe.rate_at(step) <= recipe.rate for step in range(steps + 1))
    assert all(0 <= recipe.margin_at(step) <= recipe.margin for step in range(steps + 1))


# --- the validation's measure ---------------------------------------------------------------------------------------


def test_perfect_embeddings_have_no_error_and_random_ones_half(chance):
    speakers, sessions = np.repeat(np.arange(10), 8), np.repeat(np.arange(20), 4)
    assert validation_eer(np.eye(10)[speakers], speakers, sessions) == pytest.approx(0.0, abs=1e-9)
    assert validation_eer(chance.standard_normal((80, 32)), speakers, sessions) == pytest.approx(0.5, abs=0.1)


def test_of_very_many_segments_some_tell(chance, monkeypatch):
    speakers, sessions = np.repeat(np.arange(40), 50), np.repeat(np.arange(400), 5)
    voices = np.eye(40)[speakers] + chance.normal(0.0, 0.25, (2000, 40))
    whole = validation_eer(voices, speakers, sessions)
    monkeypatch.setattr(training, "VALIDATED", 500)
    assert 0.02 < whole < 0.3 and validation_eer(voices, speakers, sessions) == pytest.approx(whole, rel=0.15)


def test_pairs_of_one_recording_do_not_count():
    """Embeddings that know the recording and not the voice are worthless across recordings."""
    speakers, sessions = np.repeat(np.arange(6), 4), np.repeat(np.arange(12), 2)
    by_session = np.eye(12)[sessions]
    assert validation_eer(by_session, speakers, sessions) > 0.4
    assert validation_eer(by_session, sessions, sessions) == pytest.approx(0.0, abs=1e-9)  # one recording each: they do


# --- a dataset in memory --------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def dataset(voice, tmp_path_factory) -> Path:
    import soundfile

    root = tmp_path_factory.mktemp("training")
    for name in VOICES:
        (root / "in" / name).mkdir(parents=True)
        for kind in ("enrol", "test"):
            soundfile.write(root / "in" / name / f"{kind}.wav", voice(f"{name}_{kind}").samples, 16_000)
    build(plan(find_speakers([root / "in"]), copies=1), root / "out")
    return root / "out"


def test_images_and_features_of_a_split_fit_together(dataset):
    images, rows = load_images(dataset, "train"), load_features(dataset, "train")
    assert images.values.shape == (len(images.speakers), BANDS, FRAMES) and images.values.dtype == np.uint8
    assert rows.values.shape == (len(images.speakers), len(COLUMNS)) and rows.values.dtype == np.float32
    assert images.names == rows.names == VOICES
    np.testing.assert_array_equal(images.speakers, rows.speakers)
    np.testing.assert_array_equal(images.sessions, rows.sessions)
    with (dataset / "segments.csv").open() as file:
        first = next(line for line in csv.DictReader(file) if line["split"] == "train")
    np.testing.assert_array_equal(images.values[0], read_png(dataset / first["path"]))
    assert images.names[images.speakers[0]] == first["speaker"]


def test_augmented_copies_carry_the_right_voice(dataset):
    plain, more = load_features(dataset, "train"), load_features(dataset, "train", augmented=True)
    assert len(more.values) == 2 * len(plain.values) == len(more.speakers) == len(more.sessions)
    np.testing.assert_array_equal(np.bincount(more.speakers), 2 * np.bincount(plain.speakers))


def test_speakers_with_few_segments_are_left_out(dataset):
    counts = np.bincount(load_images(dataset, "validation").speakers)
    fewest = counts.min()
    assert len(load_images(dataset, "validation", min_segments=fewest).names) == 3
    with pytest.raises(DatasetError, match="no 'validation' segments of speakers with at least 1000"):
        load_images(dataset, "validation", min_segments=1000)


# --- checkpoints ----------------------------------------------------------------------------------------------------


@pytest.fixture
def trainer(dataset):
    """`trainer(folder, steps)`: the small ANN trained in that folder; with `minutes=0` one step a call."""
    keras = pytest.importorskip("keras", reason="Keras is not installed: training needs it")
    pytest.importorskip("tensorflow", reason="TensorFlow is not installed: training needs it")
    from core.network_layers import AngularMarginLoss
    from core.networks import ann, with_margin_head

    examples = load_features(dataset, "train")
    values = examples.values[:, : COLUMNS.index("class_1_share")]  # what is learned in a few steps, not at once

    def train(folder: Path, steps: int = 12, hidden: tuple[int, ...] = (16,), margin: float = 0.2, **options):
        keras.utils.set_random_seed(1)
        body = ann(columns=values.shape[1], hidden=hidden, dropout=0.3)
        body.get_layer("standardise").adapt(values)
        model = with_margin_head(body, len(examples.names))
        model.compile(
            keras.optimizers.AdamW(1e-3, weight_decay=1e-3, global_clipnorm=5.0),
            AngularMarginLoss(0.0),
            metrics=["sparse_categorical_accuracy"],
        )
        recipe = Recipe(steps=12, batch=16, rate=5e-3, warm_up=2)

        def made(step: int):
            for chosen, _ in drawn(examples.speakers, recipe.batch, seed=0, step=step):
                yield values[chosen], examples.speakers[chosen].astype("int32")

        done = fit(model, made, replace(recipe, steps=steps, margin=margin), folder, **options)
        return done, model

    return train


def arrays(folder: Path) -> dict[str, np.ndarray]:
    with np.load(folder / "checkpoint.npz", allow_pickle=False) as file:
        return {name: file[name] for name in file.files if name != "recipe"}


@pytest.mark.slow
def test_stopped_and_resumed_is_as_if_never_stopped(trainer, tmp_path):
    """Weights, optimizer, moving statistics and the random state of dropout: all equal after 12 steps."""
    done, _ = trainer(tmp_path / "whole", every=6)
    assert done
    first, _ = trainer(tmp_path / "parts", minutes=0.0)  # time is over after the first step
    assert not first and int(arrays(tmp_path / "parts")["step"]) == 1
    second, _ = trainer(tmp_path / "parts", minutes=0.0)
    assert not second and int(arrays(tmp_path / "parts")["step"]) == 2
    last, _ = trainer(tmp_path / "parts")
    assert last
    whole, parts = arrays(tmp_path / "whole"), arrays(tmp_path / "parts")
    assert set(whole) == set(parts) and int(parts["step"]) == 12
    for name, value in whole.items():
        np.testing.assert_allclose(parts[name], value, rtol=1e-4, atol=1e-6, err_msg=name)


def test_training_learns_and_keeps_a_log(trainer, tmp_path):
    trainer(tmp_path, steps=40, every=10, validate=lambda: 0.25)
    with (tmp_path / "log.csv").open() as file:
        lines = list(csv.DictReader(file))
    assert [int(line["step"]) for line in lines] == [10, 20, 30, 40]
    assert float(lines[1]["loss"]) < 0.6 * float(lines[0]["loss"])  # later the margin makes it harder
    assert float(lines[-1]["accuracy"]) > float(lines[0]["accuracy"])
    assert {line["validation_eer"] for line in lines} == {"0.2500"}
    assert sorted(path.name for path in tmp_path.iterdir()) == ["checkpoint.npz", "log.csv"]
    with np.load(tmp_path / "checkpoint.npz", allow_pickle=False) as file:
        assert json.loads(str(file["recipe"]))["steps"] == 40


def test_a_finished_run_is_not_trained_further(trainer, tmp_path):
    trainer(tmp_path, steps=3)
    before = arrays(tmp_path)
    done, _ = trainer(tmp_path, steps=3)
    assert done
    for name, value in arrays(tmp_path).items():
        np.testing.assert_array_equal(value, before[name])


def test_a_run_that_goes_on_is_not_finished(trainer, tmp_path):
    """What a finished run wrote would stand beside a newer checkpoint."""
    trainer(tmp_path, steps=2)
    for name in training.FINISHED:
        (tmp_path / name).touch()
    trainer(tmp_path, steps=2)
    assert all((tmp_path / name).exists() for name in training.FINISHED)
    trainer(tmp_path, steps=4, minutes=0.0)
    assert int(arrays(tmp_path)["step"]) == 3 and not any((tmp_path / name).exists() for name in training.FINISHED)


def test_a_run_cannot_have_had_fewer_steps_than_it_had(trainer, tmp_path):
    trainer(tmp_path, steps=3)
    with pytest.raises(DatasetError, match="has had 3 steps, 2 are asked for: ask for as many or more"):
        trainer(tmp_path, steps=2)


def test_a_run_goes_on_with_its_own_recipe_only(trainer, tmp_path):
    trainer(tmp_path, steps=1)
    with pytest.raises(DatasetError, match=r"begun with margin 0\.2, now it is 0\.3"):
        trainer(tmp_path, steps=2, margin=0.3)
    assert trainer(tmp_path, steps=2)[0]


def test_a_run_goes_on_with_its_own_dataset_only(trainer, dataset, tmp_path):
    """The same number of voices and rows, but other ones: it would train not one batch and call itself theirs."""
    mine = load_features(dataset, "train")
    others = replace(mine, names=tuple(f"{name}'" for name in mine.names))
    assert mine.fingerprint() == load_features(dataset, "train").fingerprint() != others.fingerprint()
    assert replace(mine, values=mine.values + 1).fingerprint() != mine.fingerprint()
    taught = replace(mine, teacher=np.eye(len(mine.values), 8, dtype=np.float16))
    assert mine.lessons() == "" != taught.lessons() != replace(mine, teacher=taught.teacher[:, ::-1]).lessons()
    trainer(tmp_path, steps=3, known_by={"dataset": mine.fingerprint(), "teacher": 20.0})
    with pytest.raises(DatasetError, match="begun with dataset .*give another --output"):
        trainer(tmp_path, steps=3, known_by={"dataset": others.fingerprint(), "teacher": 20.0})
    with pytest.raises(DatasetError, match=r"begun with teacher 20\.0, now it is 5\.0"):
        trainer(tmp_path, steps=3, known_by={"dataset": mine.fingerprint(), "teacher": 5.0})
    assert trainer(tmp_path, steps=4, known_by={"dataset": mine.fingerprint(), "teacher": 20.0})[0]


def test_a_checkpoint_is_there_before_the_run_is_validated(trainer, tmp_path):
    """What validation breaks (memory, say) costs no training."""
    with pytest.raises(ZeroDivisionError):
        trainer(tmp_path, steps=2, every=1, validate=lambda: 1 / 0)
    assert int(arrays(tmp_path)["step"]) == 1


def test_a_checkpoint_of_another_network_is_refused(trainer, tmp_path):
    trainer(tmp_path, steps=1)
    with pytest.raises(DatasetError, match="made by another network or dataset: move it away"):
        trainer(tmp_path, steps=2, hidden=(24,))


@pytest.mark.parametrize("content", [None, b"", b"PK\x03\x04 cut off", b"no archive"])
def test_no_checkpoint_or_a_broken_one(tmp_path, content):
    path = tmp_path / "checkpoint.npz"
    if content is not None:
        path.write_bytes(content)
    with pytest.raises(DatasetError, match="checkpoint.npz is no checkpoint of a training run"):
        restore(path, [])
