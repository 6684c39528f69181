"""Sentences of the Speakers tab beside the form: a person's page, corrections, how sure to be, export and import."""

# the list
PEOPLE_HINT = "Press on a name to see what is known of that voice."
MORE_PEOPLE = "The first {shown} of {count}; look for the others by name below."
FIND = "Find a person"

# a person's page
FACTS = "Enrolled {date}, {sessions}, {segments} of 5 s"
CONSENT_LINE = "Agreed on {date} that this voice is learned and kept on this computer."
CHECKING = "Checking how well {name} is recognised"
CHECK_NONE = "Nothing here was made by the networks in use, so there is nothing to check: renew it, or add a session."
RECOGNISED = "Recognised"
RECOGNISED_OF = "{count} of {segments}"
RECOGNISED_NOTE = "segments named rightly, each while it was left out"
OWN = "One voice?"
OWN_ANSWERS = {"high": "Yes", "fair": "Mostly", "low": "In doubt"}
OWN_NOTES = {
    "high": "all parts sound alike",
    "fair": "its parts vary, as on another day or microphone",
    "low": "its parts differ: is somebody else in it?",
}
OWN_TITLE = "Likeness between the two parts that are least alike: {value:.1f}; one voice is above {least:.0f}"
NEAREST = "Most alike"
NEAREST_NOTES = {
    "apart": "clearly somebody else",
    "near": "a similar voice: the two may be mixed up now and then",
    "same": "they may be one person under two names",
}
NEAREST_TITLE = "Likeness to {name}: {value:.1f}; from {most:.0f} on two names may be one person"
NEAREST_NONE = "Nobody else"
NEAREST_NONE_NOTE = "is enrolled with these networks"
SESSIONS_TITLE = "Sessions"
SESSION = "Session {number}"
SESSION_QUALITY = "level {level:.0f} dBFS, {snr:.0f} dB above the background{band}"
SESSION_EMPTY = "nothing was learned in it"
SESSION_BAND = ", up to {band:.1f} kHz"
SESSION_CONSENT = "agreed {date}"
SESSION_MODEL = "networks {model}"
AUDIO_KEPT = "speech kept"
AUDIO_NOT_KEPT = "speech not kept"
OLD_RENEW = "made by other networks and not used: renew it"
OLD_ENROL = "made by other networks and not used; the speech was not kept: add a session"
GAIN = "What this session brings: so much of it is recognised"
GAIN_WITHOUT = "without it"
GAIN_WITHIN = "with it"
GAINED = "Before, {without} of what was just said was recognised as {name}; now {within} is."
GAINED_LITTLE = "What was just said was recognised before ({without}): this session brings little that is new."
ADD_SESSION = "Add a session"
ADDING_TO = "Another session for {name}: record in the form, agree, and press Enrol."
RENEW = "Renew with the networks in use"
RENEWED = "{name} was learned anew from the speech that was kept ({count})."
REMOVE_SESSION = "Delete a session"
REMOVE = "Delete it"
REMOVE_SURE = "Delete this session of {name} and everything learned in it? This cannot be undone."
REMOVED = "The session of {name} is gone."
MEASURE_AGAIN = "nothing was changed: the app no longer knows what it recommended, measure once more"
ASK_AGAIN = "nothing was deleted: the app no longer knows what was asked, press Delete once more"
REMOVE_NONE = "no session is chosen: choose one first"
CLOSE = "Close"
SESSION_CHOICE = "Session {number}, {date}, {source}"

# export and import
PARCEL = "Take people along, or bring them in"
EXPORT_TITLE = "Into a file"
EXPORT_TEXT = "One file, to keep safe or to take to another computer. It holds what was learned of the voices."
EXPORT_WHO = "Who"
EXPORT_ALL = "Leave this empty for everybody."
PASSPHRASE = "Passphrase (optional)"
PASSPHRASE_AGAIN = "The same once more"
PASSPHRASE_HINT = "With it the file is encrypted; without it whoever has the file can recognise these voices."
PASSPHRASES_DIFFER = "the two passphrases differ: nothing was written. Type them again"
EXPORT = "Make the file"
EXPORTING = "Making the file"
EXPORT_NOBODY = "nobody is enrolled yet: there is nothing to export"
EXPORTED_SEALED = (
    "The file with {people} is ready, encrypted. Keep the passphrase well: without it nobody can open the file."
)
EXPORTED_OPEN = "The file with {people} is ready. It is not encrypted: whoever has it can recognise these voices."
EXPORT_STALE = "People have changed since the file was made, and it is deleted here: make it once more."
EXPORTED_WHO = "In it: {names}."
SAVE = "Save {name}"
IMPORT_TITLE = "From a file"
IMPORT_TEXT = "A file that was made here or on another computer. You see what is in it before anything is taken up."
IMPORT_FILE = "File of people (.json)"
IMPORT_PASSPHRASE = "Passphrase of the file"
IMPORT_SEALED = "This file is encrypted: type its passphrase and press Open."
OPEN = "Open"
OPENING = "Opening the file"
IN_FILE = "In this file: {people}. Nothing is taken up yet."
IMPORT_COLUMNS = ("Name", "Sessions", "Agreed")
TAKEN = "enrolled here already"
SOUNDS_LIKE = "sounds like {name}, who is enrolled here"
WITH_SPEECH = "speech included"
FROM_OLD_RENEW = "made by other networks: can be renewed"
FROM_OLD = "made by other networks: needs a new session"
CLASH = "Who is enrolled here already"
CLASH_SKIP = "Keep as it is here, leave out of the import"
CLASH_REPLACE = "Replace by what is in the file"
REPLACE_SURE = (
    "Replace {names}? Everything that was learned here of that voice is deleted, and what is in the file comes in its "
    "place. This cannot be undone."
)
REPLACE_YES = "Yes, replace"
IMPORT = "Take up {people}"
IMPORT_NOBODY = "Nobody is new"
IMPORT_NONE = "everybody in this file is enrolled here already, so nobody is left to take up: choose to replace them"
IMPORTED = "{people} taken up."
IMPORTED_SKIPPED = "{people} taken up, {skipped} left as they were."
IMPORT_NOTHING = "there is no file yet: choose one first"
MORE_IN_FILE = "and {count} more"


def people_counted(number: int) -> str:
    """ "1 person", "2 people"."""
    return f"{number} {'person' if number == 1 else 'people'}"


# right or wrong
VERDICT = "Was that right?"
VERDICT_LIVE = "About the latest answer; it helps to find out how sure the app should be."
RIGHT = "That was right"
WRONG = "That was wrong"
WHO_WAS_IT = "Who was it?"
STRANGER = "Somebody who is not enrolled"
ANSWER_AT = "At {clock} the answer was {name} ({chance})."
ANSWERS_AT = "The answer was {name} in {count}."
KEEP_VERDICT = "Keep"
NEVER_MIND = "Never mind"
NOTHING_YET = "there is no answer yet that could be right or wrong: wait until somebody has spoken"
NOT_CHOSEN = "who was it? Choose a name, or somebody who is not enrolled"
SAID_ALREADY = "you have said that already"
KEPT_RIGHT = "Kept: {name} was right at {clock}."
KEPT_WRONG = "Kept: at {clock} it was {truth}, not {name}."
KEPT_MANY = "Kept for {count}."
KEPT_COUNT = "{count} of {enough} until they count for how sure the app should be (Speakers tab); no sound is kept."
KEPT_ENOUGH = "{count} so far: see in the Speakers tab how sure the app should be; no sound is kept."

# how sure
SURE = "How sure before a name is said"
SURE_TEXT = (
    "A name is said when it is the likeliest answer. You can ask for more: then a person who is less probable than "
    "that is shown as Unknown, with the name as the next likely one. Nothing changes here by itself."
)
SURE_NONE = "Now: the likeliest answer is said."
SURE_AT = "Now: a name is said from {chance} on."
SURE_SLIDER = "Say a name from (per cent)"
SURE_USE = "Use this"
SURE_RESET = "As it came"
SURE_USED = "From now on a name is said from {chance} on."
SURE_RESET_DONE = "From now on the likeliest answer is said."
MEASURE = "Measure on the people enrolled"
MEASURING = "Judging everybody's segments, each while it is left out, and voices of strangers"
MEASURED_NOBODY = "nobody is enrolled with these networks: there is nothing to measure"
RECOMMENDED = "Recommended for these people: {chance}."
MEASURED_FROM = "From {trials} judged segments of people enrolled and of strangers{more}."
MEASURED_MORE = ", and {count} of yours"
MEASURED_FEW = "Your own verdicts count from {enough} on; there are {count}."
MEASURED_NOTE = (
    "People are recognised more easily here than tomorrow, since what is left out comes from the same recordings."
)
RATE_COLUMNS = ("From", "People missed", "Strangers named")
USE_RECOMMENDED = "Use {chance}"
VERDICTS = "What you said was right or wrong"
VERDICTS_NONE = (
    "Nothing yet. In Live, and on a turn in Link or file, press That was right or That was wrong: it is kept here, "
    "without any sound."
)
VERDICT_COLUMNS = ("When", "The answer", "It was")
VERDICT_ANSWER = "{name} {chance}"
VERDICT_UNKNOWN = "Unknown, next {name} {chance}"
VERDICTS_MORE = "The latest {shown} of {count}."
TAKE_BACK = "Take back the latest"
TAKEN_BACK = "The latest is taken back."
FORGET = "Forget all"
FORGOTTEN = "All are forgotten ({count})."


def verdicts_counted(number: int) -> str:
    """ "1 verdict", "2 verdicts"."""
    return f"{number} {'verdict' if number == 1 else 'verdicts'}"
