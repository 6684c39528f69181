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
ADD_SESSION_HINT = "Another microphone or another day: {name} is recognised better there."
ADDING_TO = "Another session for {name}: record in the form, agree, and press Enrol."
RENEW = "Renew with the networks in use"
RENEWED = "{name} was learned anew from the speech that was kept ({count})."
REMOVE_SESSION = "Delete a session"
REMOVE = "Delete it"
REMOVE_SURE = "Delete this session of {name} and everything learned in it? This cannot be undone."
REMOVED = "The session of {name} is gone."
REMOVE_NONE = "no session is chosen: choose one first"
CLOSE = "Close"
SESSION_CHOICE = "Session {number}, {date}, {source}"
