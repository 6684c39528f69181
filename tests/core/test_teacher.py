"""What a teacher hears, aligned with what its student sees; the teacher here is the shipped CNN."""

import numpy as np
import pytest

from core.dataset import teacher, variants
from core.dataset.build import build, find_speakers, plan
from core.embedder import Embedder
from core.errors import DatasetError
from core.examples import load_images, load_variant_rows
from core.spectrogram import spectrogram_image
from core.training import Recipe, drawn, fit, save_run, targets, teacher_kernel
from scripts.train_cnn import begin_with_run

pytestmark = pytest.mark.filterwarnings("ignore:__array__ implementation doesn't accept a copy:DeprecationWarning")

NAMES = ("amina", "kofi")


@pytest.fixture(scope="module")
def shipped() -> Embedder:
    return Embedder()


@pytest.fixture(scope="module")
def folder(samples, shipped, tmp_path_factory):
    root = tmp_path_factory.mktemp("teacher")
    for name in NAMES:
        (root / "in" / name).mkdir(parents=True)
        (root / "in" / name / "a.opus").write_bytes((samples / f"{name}_test.opus").read_bytes())
    tasks = plan(find_speakers([root / "in"]), validation=0.0)
    build(tasks, root / "out")
    for task in tasks:
        variants.make(task, root / "out", None)
        variants.make_rows(task, root / "out", None, 2)
        made = teacher.make(
            task, root / "out", lambda clips: shipped.embed_images(np.stack([spectrogram_image(one) for one in clips]))
        )
        assert made == teacher.make(task, root / "out", lambda clips: pytest.fail("made again"))
    return root / "out"


def test_each_image_has_what_the_teacher_hears_in_its_clean_clip(folder, shipped):
    plain = load_images(folder, "train", with_teacher=True)
    more = load_images(folder, "train", with_variants=True, with_teacher=True)
    cosines = (shipped.embed_images(plain.values) * plain.teacher).sum(axis=1)
    np.testing.assert_allclose(cosines, 1.0, atol=2e-3)  # 16 bits
    assert more.teacher.shape == (len(more.values), plain.teacher.shape[1])
    cosines = (shipped.embed_images(more.values) * more.teacher.astype(np.float32)).sum(axis=1)
    in_room = [variants.read(folder / "variants" / f"{name}.npz").room for name in NAMES]
    dry = ~np.concatenate([np.zeros(len(plain.values), bool), *in_room])
    np.testing.assert_allclose(cosines[dry], 1.0, atol=2e-3)
    assert 0.2 < cosines[~dry].mean() < 0.99 and dry.sum() > len(plain.values)  # a room changes what is heard


def test_voices_at_more_speeds_are_taught_beside_those_that_are_there(folder, shipped):
    with pytest.raises(DatasetError, match=r"amina\.more\.npz is missing: run scripts/teach\.py with --more-speeds"):
        load_images(folder, "train", with_variants=True, more_speeds=True)
    for task in plan(find_speakers([folder.parent / "in"]), validation=0.0):
        variants.make(task, folder, None, speeds=variants.MORE_SPEEDS)
        teacher.make(
            task,
            folder,
            lambda clips: shipped.embed_images(np.stack([spectrogram_image(one) for one in clips])),
            speeds=variants.MORE_SPEEDS,
        )
    before = load_images(folder, "train", with_variants=True, with_teacher=True)
    more = load_images(folder, "train", with_variants=True, more_speeds=True, with_teacher=True)
    voices = {f"{name}@{speed:.3g}" for name in NAMES for speed in variants.MORE_SPEEDS}
    assert set(more.names) - set(before.names) == voices and len(more.names) == 2 * (3 + 4)
    new = np.isin(more.speakers, [more.names.index(name) for name in voices])
    np.testing.assert_array_equal(more.values[~new].sum(axis=0), before.values.sum(axis=0))
    cosines = (shipped.embed_images(more.values) * more.teacher.astype(np.float32)).sum(axis=1)[new]
    assert 0.6 < (cosines > 0.998).mean() < 0.7  # the third in rooms sounds different
    assert load_images(folder, "train", with_teacher=True).names == NAMES  # neither is asked for


def test_a_teacher_may_hear_a_few_clips_of_a_voice(folder, tmp_path):
    """The rest have the mean of these, of length 1."""
    asked = []

    def embed(clips):
        asked.append(len(clips))
        return np.eye(8, dtype=np.float32)[: len(clips)]

    task = plan(find_speakers([folder.parent / "in"]), validation=0.0)[0]
    count = teacher.make(task, tmp_path, embed, at_most=2)
    embeddings, speed = teacher.read(tmp_path / "teacher" / f"{task.speaker}.npz")
    assert asked == [2] * len(variants.SPEEDS) and count == len(speed) > sum(asked)
    own = embeddings[speed == 1.0].astype(np.float32)
    np.testing.assert_array_equal(own[[0, -1]], np.eye(8)[:2])
    np.testing.assert_allclose(own[1:-1], (np.eye(8)[:1] + np.eye(8)[1:2]).repeat(len(own) - 2, 0) / 2**0.5, atol=1e-3)


def test_a_teacher_hears_as_many_clips_as_are_asked_for_now(folder, tmp_path):
    asked = []

    def embed(clips):
        asked.append(len(clips))
        return np.eye(32, dtype=np.float32)[: len(clips)]

    task = plan(find_speakers([folder.parent / "in"]), validation=0.0)[0]
    for at_most in (1, 1, 2, 2, None, None, 1):
        teacher.make(task, tmp_path, embed, at_most)
    one, two, whole, again = (
        asked[at : at + len(variants.SPEEDS)] for at in range(0, len(asked), len(variants.SPEEDS))
    )
    assert set(one) == set(again) == {1} and set(two) == {2} and sum(whole) > sum(two)
    target = tmp_path / "teacher" / f"{task.speaker}.npz"
    with np.load(target) as file:
        np.savez(target, embeddings=file["embeddings"], speed=file["speed"])  # as made before that was remembered
    teacher.make(task, tmp_path, embed, 3)
    assert len(asked) == 4 * len(variants.SPEEDS)


def test_a_folder_has_one_teacher(tmp_path):
    teacher.begin(tmp_path, "campplus")
    teacher.begin(tmp_path, "campplus")  # goes on
    assert teacher.taught_by(tmp_path) == "campplus"
    with pytest.raises(DatasetError, match="campplus has taught in"):
        teacher.begin(tmp_path, "resemblyzer")
    (tmp_path / "teacher" / "name.txt").unlink()
    assert teacher.taught_by(tmp_path) == "resemblyzer"  # made before there were two


def test_each_row_and_its_copies_have_one_clip(folder):
    rows = load_variant_rows(folder, with_teacher=True)
    assert rows.teacher.shape[0] == len(rows.values)
    clips = {name: teacher.read(folder / "teacher" / f"{name}.npz") for name in NAMES}
    for index, name in enumerate(NAMES):
        embeddings, speed = clips[name]
        own = rows.teacher[rows.speakers == index]  # speed 1: as recorded and two copies
        np.testing.assert_array_equal(own, np.repeat(embeddings[speed == 1.0], 3, axis=0))


def test_feature_rows_at_more_speeds_are_taught_too(folder, shipped):
    before = load_variant_rows(folder, with_teacher=True)
    with pytest.raises(DatasetError, match=r"amina\.more\.rows\.npz is missing: run scripts/teach\.py with"):
        load_variant_rows(folder, more_speeds=True)
    for task in plan(find_speakers([folder.parent / "in"]), validation=0.0):
        teacher.make(
            task,
            folder,
            lambda clips: shipped.embed_images(np.stack([spectrogram_image(one) for one in clips])),
            speeds=variants.MORE_SPEEDS,
        )
        made = variants.make_rows(task, folder, None, 4, speeds=variants.MORE_SPEEDS)
        never = lambda *_: pytest.fail("made again")  # noqa: E731
        assert made == variants.make_rows(task, folder, None, 4, never, speeds=variants.MORE_SPEEDS)
    more = load_variant_rows(folder, more_speeds=True, with_teacher=True)
    voices = [f"{name}@{speed:.3g}" for name in NAMES for speed in variants.MORE_SPEEDS]
    assert set(more.names) - set(before.names) == set(voices)
    assert load_variant_rows(folder, with_teacher=True).names == before.names  # not asked for
    for name in NAMES:
        embeddings, speed = teacher.read(folder / "teacher" / f"{name}.more.npz")
        for one in variants.MORE_SPEEDS:  # two copies of a clip
            own = more.teacher[more.speakers == more.names.index(f"{name}@{one:.3g}")]
            np.testing.assert_array_equal(own, np.repeat(embeddings[speed == np.float32(one)], 2, axis=0))


def test_a_centred_teacher_tells_voices_apart_and_its_own_voice_together():
    """Embeddings that are mostly the same for everybody, as after a ReLU."""
    chance = np.random.default_rng(0)
    speakers = np.repeat(np.arange(12), 20)
    rows = 3.0 + chance.standard_normal((12, 30))[speakers] + chance.standard_normal((240, 30))
    rows = rows / np.linalg.norm(rows, axis=1, keepdims=True)
    same = (speakers[:, None] == speakers) & ~np.eye(240, dtype=bool)
    other = speakers[:, None] != speakers

    def gap(seen: np.ndarray) -> float:
        alike = seen.astype(np.float64) @ seen.T.astype(np.float64)
        return alike[same].mean() - alike[other].mean()

    apart, whole = (teacher.centred(rows.astype(np.float16), speakers, own) for own in (0.0, 0.5))
    assert gap(rows) < 0.1 < 0.4 < gap(apart) < gap(whole) - 0.2
    np.testing.assert_allclose(np.linalg.norm(whole.astype(np.float32), axis=1), 1.0, atol=1e-3)


def test_a_student_learns_what_the_teacher_hears_and_goes_on_with_more_voices(folder, tmp_path):
    keras = pytest.importorskip("keras", reason="Keras is not installed: training needs it")
    pytest.importorskip("tensorflow", reason="TensorFlow is not installed: training needs it")
    from core.networks import ann, margin_compiled, with_margin_head

    rows = load_variant_rows(folder, with_teacher=True)
    keras.utils.set_random_seed(0)
    body = ann(hidden=(32,), dropout=0.0)
    body.get_layer("standardise").adapt(rows.values)
    model = margin_compiled(with_margin_head(body, len(rows.names), rows.teacher.shape[1]), keras.optimizers.AdamW(), 5)

    def closeness() -> float:
        told = model.predict_on_batch(rows.values)[1]
        told = told / np.linalg.norm(told, axis=1, keepdims=True)
        return float((told * rows.teacher).sum(axis=1).mean())

    def batches(step: int):
        for chosen, _ in drawn(rows.speakers, 32, seed=0, step=step):
            yield rows.values[chosen], targets(rows, chosen)

    before = closeness()
    assert fit(model, batches, Recipe(steps=40, batch=32, rate=5e-3, warm_up=2), tmp_path)
    assert before < 0.3 and closeness() > before + 0.4
    kernel = teacher_kernel(tmp_path / "checkpoint.npz", body)
    np.testing.assert_allclose(
        body.predict_on_batch(rows.values) @ kernel, model.predict_on_batch(rows.values)[1], atol=1e-4
    )

    save_run(tmp_path, body, Recipe(steps=40), rows, teacher=5)
    told = model.predict_on_batch(rows.values)
    strangers = tuple(f"another {index}" for index in range(len(rows.names)))
    for voices in (rows.names, (*rows.names, *strangers), strangers):
        other = ann(hidden=(32,), dropout=0.0)
        larger = with_margin_head(other, len(voices), rows.teacher.shape[1])
        begin_with_run(larger, other, tmp_path, voices)
        cosines, heard = larger.predict_on_batch(rows.values)
        np.testing.assert_allclose(heard, told[1], atol=1e-5)
        assert np.allclose(cosines[:, : len(rows.names)], told[0], atol=1e-5) == (voices == rows.names)


def test_what_does_not_fit_is_named(folder):
    path = folder / "teacher" / "kofi.npz"
    with pytest.raises(DatasetError, match=r"kofi\.npz has \d+ embeddings for 999 examples.*scripts/teach\.py"):
        teacher.of_images(path, 999)
    path.rename(path.with_suffix(".hidden"))
    with pytest.raises(DatasetError, match=r"kofi\.npz is missing: run scripts/teach\.py"):
        load_images(folder, "train", with_teacher=True)
    path.with_suffix(".hidden").rename(path)
