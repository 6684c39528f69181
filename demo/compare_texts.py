"""Every sentence of the Compare tab."""

COMPARE = "Compare"

EMPTY_TITLE = "Two models, one question"
EMPTY_TEXT = (
    "Here the two models take an exam. Each segment of everybody enrolled is hidden in turn, the models learn from the "
    "rest, and must say who spoke in the hidden one. You see how often each is right, whom they confuse, where they "
    "disagree, and what they listened to. It takes two people at least: introduce them in the Speakers tab, or use the "
    "example voices."
)
EMPTY_LEARN = (
    ("CNN", "sees the spectrogram as a picture"),
    ("ANN", "reads a row of measured features"),
    ("Both", "counts each as far as it proved to help with voices neither had heard"),
    ("Mean cosine", "learns nothing: the nearest average voice wins"),
)

METHOD_TITLES = {"cnn": "CNN-SVM", "ann": "ANN-SVM", "both": "Both, fused", "cosine": "Mean cosine"}
PROTOCOL = "Hide from the models"
PROTOCOLS = {
    "segment": "one segment at a time",
    "session": "one recording at a time",
}
PROTOCOL_HINT = (
    "A hidden segment of the same recording is the easy exam: room and microphone give it away. A hidden recording is "
    "the honest one; it takes people with two sessions."
)
CHANNEL = "Let them hear it"
CHANNELS = {
    "asis": "as it was enrolled",
    "mic": "through another microphone",
    "phone": "through a telephone",
    "noise10": "in noise, at 10 dB",
    "babble10": "while others talk",
    "far": "in a room with echo, from 3 m away",
    "short": "for 1.5 s only",
    "phone+babble10+short": "by telephone from a crowd, for 1.5 s only",
}
CHANNEL_HINT = "Needs the sound: the example voices have it, other people when their audio was kept."
RUN = "Run the exam"
RESULTS_EMPTY = (
    "Accuracy with its interval, who was taken for whom, precision-recall and DET curves, whether the probabilities "
    "can be believed, and where the two models disagree: all of it appears here."
)
MENU_EMPTY = "Run the exam, and its segments can be chosen here."
RUNNING = "Hiding, learning, asking: {protocol}"
HEARING = "Hearing {number} of {count} segments {channel}"
DONE = "{trials} segments of {people} people judged {how}."
HOW = {True: "as enrolled, {protocol}", False: "{channel}, {protocol}"}
STALE = "People have changed since this exam: run it again."
CHANGED = "people have changed meanwhile: do it again"
NO_TRIALS_SESSION = (
    "nobody has two sessions: add another one in the Speakers tab, best on another day or through another microphone"
)
NO_TRIALS_SOUND = "nobody's sound is here: only example voices and people whose audio was kept can be heard {channel}"
NO_TRIALS = "nobody has two segments: enrol people with more speech"
TOO_FEW = "two people are needed, {count} can be compared: introduce another in the Speakers tab"

SCORES = "Who was right more often"
SCORES_NOTE = "right names out of all hidden segments; the line is the 95 % interval if each were a new voice"
VERDICT = "{better} is better than {worse} for these {people} people (sign-flip test over people, p = {chance})."
VERDICT_FEW = (
    "Is one better? {people} people are too few to say, whatever the difference: segments of one person go wrong "
    "together, so people count, and {enough} are the least."
)
VERDICT_TIE = "With {people} people nobody can say that one is better (sign-flip test over people, p = {chance})."
COLUMNS = (
    ("Right", "segments that were given the right name; Unknown counts as wrong"),
    ("Said Unknown", "segments of people enrolled that were answered Unknown"),
    ("Wrong name", "segments that were given somebody else's name"),
    ("Strangers refused", "segments of a person left out whole that were answered Unknown"),
    ("Average precision", "how well true pairs rank above untrue ones, 1 is perfect"),
    ("EER", "equal error rate: where false alarms and misses are equally frequent"),
    ("Calibration error", "the mean gap between the stated probability and being right"),
)
CONFUSION = "Who was taken for whom"
CONFUSION_NOTE = "rows: who spoke; columns: who was named"
CONFUSION_SOME = "; the {count} people with the most errors"
CURVES = "How the errors trade"
PR_TITLE = "Precision and recall"
DET_TITLE = "Detection error trade-off"
CAL_TITLE = "Do the probabilities mean what they say?"
CURVES_NOTE = (
    "Every pair of a hidden segment and a person is a question: is it this person? Lower the threshold and more true "
    "pairs are found (recall), at the price of false ones (precision). The DET plot shows the same as two error rates."
)
MAP = "Where the voices lie"
MAP_NOTES = {
    "pca": "Each dot is a segment of an enrolment; the plane keeps {share} of the differences between them",
    "tsne": "t-SNE shows who is next to whom; distances across the map mean nothing",
}
MAP_KIND = "Map by"
MAP_KINDS = {"pca": "PCA", "tsne": "t-SNE (slower)"}
MAP_DRAW = "Draw the map"
MAP_FOLLOW = "Drop my live voice in"
MAP_LIVE = "Start the microphone in the Live tab, come back, and your voice drops in here once a second."
MAP_LISTENING = "Listening: the red ring is the last five seconds, its tail the ones before."
MAP_FEW = "A map needs three pieces of voice."

APART = "Where the two disagree"
APART_NONE = "The two models gave the same answer to every hidden segment. Let them hear it while others talk."
APART_COLUMNS = ("Who spoke", "Speech", "CNN", "ANN", "Both")
LISTEN = "Listen to a segment"
NO_SOUND = "This recording was not kept, so there is nothing to hear."
WHY_TITLE = "What did they listen to?"
WHY_EMPTY = "Choose a segment of the exam, or give a recording: five seconds are explained for both models."
WHY_RUN = "Explain this decision"
WHY_FILE = "or a recording of your own"
WHY_AT = "from second"
WHY_OF = "Explained: {source}."
WHY_FILE_AT = "{name}, from second {second:g}"
WHY_NOTE = "Explained with all that the app has learned, the segments of the exam included."
WHY_WAIT = "Hiding parts of the picture and of the features, one after the other"
WHY_NOTHING = "there is no sound to explain: choose a segment whose sound is here, or give a recording"
WHY_SILENT = "there is not enough speech in these five seconds: choose another moment"
WHY_NOBODY = "nobody is enrolled by these weights"
WHY_CNN = "CNN: times and frequencies"
WHY_CNN_NOTE = (
    "Each patch was hidden in turn. Bright: without it the CNN was less sure of {person}. Blue: without it, surer."
)
WHY_CNN_SAYS = (
    "The CNN leaned most on {start:.1f} to {end:.1f} s between {low:.0f} and {high:.0f} Hz. {share} of the evidence "
    "lies between {from_hz:.0f} and {to_hz:.0f} Hz: {about}."
)
WHY_CNN_NOTHING = "No single patch carried the decision: hiding any of them left the CNN as sure as before."
WHY_ANN = "ANN: what spoke for and against {person}"
WHY_ANN_NOTE = (
    "Starting from the average of all training voices ({average}), each family of features moves the ANN toward "
    "{person} or away, to {total} in the end. (Log-odds: 0 is fifty-fifty against Unknown, +3 is 95 %.)"
)
TOOK = "{count} patches in {seconds:.1f} s."
REST = "{count} more families move it by {total} in all. Click a family to see its strongest measures."
STRONGEST = "Strongest:"
HIGHER, LOWER = "higher", "lower"
DEVIATION = "{what}: {amount:.1f} standard deviations {way} than most voices"
SAYS = "{model} answered {name} ({probability})."
