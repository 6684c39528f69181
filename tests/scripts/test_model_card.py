"""What the model card says of teachers and networks."""

import json
from pathlib import Path

import pytest

from core.embedder import PRETRAINED, Embedder, calibration_id
from core.errors import DatasetError
from scripts.card_recipes import begun, recipe, taught, teachers
from scripts.card_tables import beside_table, silenced, speakers_table
from scripts.card_words import TEACHERS, of_images
from scripts.model_card import measured_with


def test_teachers_are_those_of_every_part_and_of_what_it_began_with():
    alone = {"architecture": "cnn", "teacher": 0.0}
    first = {"teacher": 20.0, "first": alone}  # made when there was one teacher, who was not named
    later = {"teacher": 20.0, "taught_by": "campplus", "first": first}
    assert teachers(alone) == set() and teachers(first) == {"resemblyzer"}
    assert teachers({"architecture": "joined", "parts": [later, alone]}) == {"resemblyzer", "campplus"}
    assert taught({"cnn": alone, "ann": alone}) == ""
    said = taught({"cnn": later, "ann": alone})
    assert all(said.count(who) == 1 for who in TEACHERS.values())


def test_whose_weights_the_cnn_began_with_is_said():
    theirs = {"cnn": {"architecture": "campplus", "start": "campplus", "teacher": 20.0, "taught_by": "campplus"}}
    assert "began with the" in begun(theirs) and "3D-Speaker" in begun(theirs) and "Apache-2.0" in begun(theirs)
    assert begun({"cnn": {"architecture": "campplus", "start": "runs/a", "first": theirs["cnn"]}}) == begun(theirs)
    assert begun({"cnn": {"architecture": "cnn", "start": ""}}) == begun({"cnn": {"parts": []}}) == ""
    assert of_images(theirs["cnn"]).startswith("CAM++") and "3D-Speaker" in of_images(theirs["cnn"])
    assert "start campplus" in recipe(theirs["cnn"])


def test_networks_in_one_file_are_counted():
    plain, long_term = {"architecture": "cnn"}, {"architecture": "cnn_long_term"}
    assert of_images(plain).startswith("small residual network")
    assert "two small residual networks with attentive statistics pooling, the second of which sees" in of_images(
        {"parts": [plain, long_term]}
    )
    three = of_images({"parts": [plain, long_term, long_term]})
    assert three.startswith("three small") and "the second and the third of which see the long-term" in three
    assert "long-term" not in of_images({"parts": [plain, plain]})


def test_a_mean_of_runs_tells_both_ways_once():
    begun = {"architecture": "cnn", "steps": 1}
    other = {"steps": 2, "first": begun}
    told = recipe({"steps": 3, "first": begun, "mean_with": [other]})
    assert told == (
        "architecture cnn, steps 1; and then: steps 3 (the mean of this and of a run that went another way: steps 2)"
    )
    assert recipe(other) == "architecture cnn, steps 1; and then: steps 2"
    assert teachers({"mean_with": [{"teacher": 20.0, "taught_by": "campplus"}]}) == {"campplus"}


def cell(accuracy: float, eer: float, **more) -> dict:
    return {"accuracy": accuracy, "eer": eer, "open_set_eer": eer, **more}


def test_differences_to_a_rival_and_readers_are_told_where_they_were_measured():
    sure = {"accuracy": [0.01, 0.05], "eer": [-0.02, 0.004], "open_set_eer": [None, None]}
    readers = {"1272": [10, 9, 1], "84": [20, 20, 0]}
    ours = cell(0.97, 0.06, beside={"resemblyzer": sure}, by_speaker=readers, not_enough_speech=0)
    quiet = cell(0.96, 0.06, not_enough_speech=8)
    results = {
        "cnn": {"clean": cell(0.97, 0.06), "quiet": quiet},
        "both": {"clean": ours, "quiet": quiet},
        "resemblyzer": {"clean": cell(0.94, 0.07, by_speaker={"1272": [10, 5, 0], "84": [20, 19, 0]})},
    }
    (row,) = beside_table(results, ["resemblyzer", "campplus"]).splitlines()[2:]
    assert row.startswith("| clean | Resemblyzer") and row.count("|") == 6
    assert "| +3.0 (+1.0 to +5.0) | -1.0 (-2.0 to +0.4) | -1.0 (- to -) |" in row
    said = speakers_table(results, ["cnn", "both", "resemblyzer"], "clean").splitlines()
    assert said[2:] == ["| 1272 | 90.0 % | 50.0 % | 10.0 % |", "| 84 | 100.0 % | 95.0 % | 0.0 % |"]
    assert silenced(results) == "quiet 8"
    assert (
        beside_table({"cnn": {}, "both": {}}, ["resemblyzer"]) == speakers_table({"both": {}}, ["both"], "clean") == ""
    )


def test_figures_of_another_calibration_or_cohort_are_not_told():
    model = json.loads((PRETRAINED / "model.json").read_text())
    here = {"model": model["id"], "calibration": calibration_id(model)}
    assert here["calibration"] == Embedder().calibration_id
    measured_with(model, {"cnn": {"clean": here}, "resemblyzer": {"clean": {"model": "resemblyzer"}}}, Path("a.json"))
    other = model | {"calibration": model["calibration"] | {"ann_weight": 0.25}}
    fewer = model | {"files": model["files"] | {"cohort": {"name": "cohort.npz", "sha256": "0" * 64}}}
    for wrong in (calibration_id(other), calibration_id(fewer), None):
        with pytest.raises(DatasetError, match=r"a\.json: both clean was measured with .* measure again"):
            measured_with(model, {"both": {"clean": here | {"calibration": wrong}}}, Path("a.json"))


def test_the_figures_that_ship_were_measured_with_what_ships():
    model = json.loads((PRETRAINED / "model.json").read_text())
    files = sorted(PRETRAINED.glob("evaluation*.json"))
    assert len(files) == 4
    for path in files:
        measured_with(model, json.loads(path.read_text()), path)
