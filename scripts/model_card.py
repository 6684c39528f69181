"""Write pretrained/MODEL_CARD.md, and the table in README.md, from model.json and what other scripts measured.

    make card      # evaluates everything again (DIR=... the test voices), then this

Reads pretrained/evaluation.json (all channels), and where they exist evaluation_lengths.json, evaluation_10.json and
evaluation_20.json (shorter tests, more people), heads.json (compare_heads.py), transfer.json (transfer_learning.py),
data.json (`--data train.csv`).
"""

from __future__ import annotations

import argparse
import csv
import json
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from core.embedder import PRETRAINED, calibration_id
from core.errors import DatasetError, SpeakerError
from core.held_out import TEST_ROOMS
from scripts.card_recipes import begun, recipe, taught
from scripts.card_tables import (
    beside_table,
    channels,
    data_table,
    heads_table,
    percent,
    short_table,
    silenced,
    speakers_table,
    table,
    transfer_table,
)
from scripts.card_words import (
    BESIDE,
    HEADS,
    HEADS_OVER,
    LIMITS,
    NAMES,
    NOISES,
    NOT_BLIND,
    ROOMS,
    SPEAKERS,
    TESTED_ON,
    TRANSFER,
    of_images,
)

ROOT = PRETRAINED.parent
BEGIN, END = "<!-- numbers: scripts/model_card.py -->", "<!-- end of numbers -->"


def more(extra: dict[str, dict]) -> str:
    """Sections for what was measured beside the channels."""
    ours = ["cnn", "ann", "both"]
    parts = []
    if "lengths" in extra:
        keys = [key for key in extra["lengths"]["cnn"] if "/" not in key]  # within one gender: in the JSON only
        keys.sort(key=lambda key: float(key.partition("@")[2].rstrip("s") or 5))
        parts += ["### Shorter tests", table(extra["lengths"], ours, keys)]
    for count in ("10", "20"):
        if count in extra:
            parts += [f"### {count} people enrolled", table(extra[count], ours, channels(extra[count]), people=count)]
    if "heads" in extra:
        measured = HEADS_OVER[extra["heads"].get("interval", "draws")]
        parts += ["### Which head", f"{HEADS} {measured}", *heads_table(extra["heads"])]
    if "transfer" in extra:
        parts += ["### The original's networks on the same data", TRANSFER, transfer_table(extra["transfer"])]
    return "\n\n".join(parts)


def beside(results: dict) -> str:
    """How sure the differences to the rivals are, and who is mistaken; nothing where that was not measured."""
    differences = beside_table(results, ["resemblyzer", "campplus"])
    readers = speakers_table(results, ["cnn", "ann", "both", "resemblyzer", "campplus"], "clean")
    parts = ["### Beside the rivals", BESIDE, differences] if differences else []
    parts += ["### Reader by reader", SPEAKERS, readers] if readers else []
    return "".join(f"\n{part}\n" for part in parts)


def trained_on(recipes: dict, data: dict) -> str:
    """How many of the voices there are were trained on."""
    there = sum(one["voices"] for one in data.values())
    voices = " and ".join(sorted({f"{one['voices']:,}" for one in recipes.values() if "voices" in one}))
    return f"Of these {there:,} voices {voices} were trained on; the others are held out, or have one segment.\n"


def count_data(path: Path) -> dict:
    """The facts of `data_table` from a table with the columns corpus, speaker, gender, language, seconds."""
    facts: dict[str, dict] = {}
    with path.open(newline="", encoding="utf-8") as file:
        for row in csv.DictReader(file):
            corpus = facts.setdefault(row["corpus"], {"genders": {}, "seconds": 0.0, "languages": set()})
            corpus["genders"][row["speaker"]] = row["gender"] or "unknown"
            corpus["seconds"] += float(row["seconds"])
            corpus["languages"].add(row["language"])
    return {
        name: {
            "voices": len(one["genders"]),
            "hours": round(one["seconds"] / 3600, 1),
            **{key: list(one["genders"].values()).count(key) for key in ("F", "M", "unknown")},
            "languages": len(one["languages"] - {""}),
        }
        for name, one in facts.items()
    }


def card(model: dict, results: dict, extra: dict[str, dict]) -> str:
    """The model card as Markdown."""
    first = next(iter(results["cnn"].values()))
    report = model["calibration_report"]
    rates = "\n".join(
        f"| {NAMES[name]} | {percent(1 - report[name]['people_right'])} | "
        f"{percent(1 - report[name]['strangers_right'])} | {report[name]['expected_calibration_error']:.3f} |"
        for name in ("cnn", "ann", "both")
    )
    return f"""# Model card: {model["id"]}

*Written by `scripts/model_card.py` from `model.json` and `evaluation.json`; do not edit.*

Two networks that turn 5 s of speech into a 192-d embedding of the voice, made {model["made"]}. CNN: 80 x 500 mel
spectrogram image; {of_images(model["recipe"]["cnn"])}.
ANN: {model["columns"]} spectral features, a perceptron; trained with an additive angular margin softmax. Both were then
compensated for rooms (`core/compensation.py`). A linear SVM per person on top makes the decision.
{begun(model["recipe"])}{taught(model["recipe"])}
## Results on voices and recordings kept out of our training

By `scripts/evaluate.py`: LibriSpeech dev-clean excerpts, {first["tests"]} test segments of 5 s by {first["speakers"]}
readers. The first 30 s of speech of a reader's first recording enrol; *other recordings* are the tests. Readers with
one recording ({first["same_recording"]} further segments) are rivals and strangers, but not tested themselves: within
one recording everybody is recognised. {first["draws"]} draws of five readers; the other readers are the strangers;
intervals by bootstrap over readers. The last columns are what the app decides: how often it names a stranger, how often
it says Unknown of a person enrolled, and the expected calibration error of the probabilities it shows (10 bins).
Channels change the tests only, never the enrolment; see `core/channels.py`. A segment that a channel leaves too little
speech in is answered "not enough speech" and is in no column ({silenced(results)}).
Rivals are measured by cosine to the mean of the enrolment; ours with the heads, cohort and simulated rooms that the app
has, and by cosine too.

{NOT_BLIND}

{table(results, list(NAMES), channels(results))}
{beside(results)}
### Within one gender

Five of one gender enrolled, the others of it as strangers: pitch helps less.

{table(results, ["cnn", "ann", "both", "resemblyzer"], [key for key in results["cnn"] if "/" in key])}

{more(extra)}

## Calibration and Unknown

On {report["tests"]} trials of held-out training-corpus voices, half of them in the simulated room of the enrolment
and half in one of {TEST_ROOMS + 1} that is drawn (one time in {TEST_ROOMS + 1} the same), each voice at
0.88 and 1.14 times its speed being another person.
{TESTED_ON[report.get("tested_on", "the same")]}
What ships was fitted on all of them, two thirds of the weight on strangers:

| answer | a person enrolled is not named (or wrongly) | a stranger is named | expected calibration error |
| --- | --- | --- | --- |
{rates}

## Training data

{data_table(extra.get("data", {}))}

{trained_on(model["recipe"], extra.get("data", {}))}
{NOISES} {ROOMS}
No speaker of the test corpus is among them. The audio is not part of this repository.

## Recipe

- CNN: {recipe(model["recipe"]["cnn"])}
- ANN: {recipe(model["recipe"]["ann"])}

## Limits

{LIMITS}"""


def measured_with(model: dict, results: dict, path: Path) -> None:
    """`DatasetError` where a figure of ours was measured with other weights, calibration or cohort than those here."""
    here = {"model": model["id"], "calibration": calibration_id(model)}
    for name in ("cnn", "ann", "both", "cnn_cosine", "ann_cosine"):
        for key, cell in results.get(name, {}).items():
            there = {what: cell.get(what) for what in here}
            if there != here:
                raise DatasetError(
                    f"{path}: {name} {key} was measured with {there}, here lie {here}: measure again (make card)"
                )


def main(argv: list[str] | None = None) -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--evaluation", type=Path, default=PRETRAINED / "evaluation.json")
    parser.add_argument("--data", type=Path, metavar="CSV", help="count the training voices of this table again")
    args = parser.parse_args(argv)
    try:
        results = json.loads(args.evaluation.read_text())
        model = json.loads((PRETRAINED / "model.json").read_text())
        if args.data:
            (PRETRAINED / "data.json").write_text(json.dumps(count_data(args.data), indent=1) + "\n")
    except OSError as error:
        raise DatasetError(f"{error.filename} cannot be read: run scripts/evaluate.py --json first") from error
    names = {"lengths": "evaluation_lengths", "10": "evaluation_10", "20": "evaluation_20"} | dict(
        heads="heads", transfer="transfer", data="data"
    )
    found = {name: PRETRAINED / f"{file}.json" for name, file in names.items()}
    extra = {name: json.loads(path.read_text()) for name, path in found.items() if path.is_file()}
    measured_with(model, results, args.evaluation)
    for name in ("lengths", "10", "20"):
        measured_with(model, extra.get(name, {}), found[name])
    (PRETRAINED / "MODEL_CARD.md").write_text(card(model, results, extra), encoding="utf-8")
    readme = ROOT / "README.md"
    before, rest = readme.read_text(encoding="utf-8").split(BEGIN)
    after = rest.split(END)[1]
    readme.write_text(f"{before}{BEGIN}\n{short_table(results)}\n{END}{after}", encoding="utf-8")
    print(f"{PRETRAINED / 'MODEL_CARD.md'} and README.md are up to date with model {model['id']}")
    return 0


if __name__ == "__main__":
    try:
        sys.exit(main())
    except SpeakerError as error:
        print(f"model_card: {error}", file=sys.stderr)
        sys.exit(2)
