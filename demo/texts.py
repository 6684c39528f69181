"""Every sentence of the app, in plain English, in one place."""

TITLE = "Who is speaking?"
SUBTITLE = "Two small networks listen side by side: one looks at the sound, one measures it."
PRIVACY = "Voices stay on this computer: nothing is sent anywhere, and recordings are kept only if you say so."
NO_LOCK = "A replayed or imitated voice can pass: this is no lock."

LIVE = "Live"
LINK_OR_FILE = "Link or file"
SPEAKERS = "Speakers"

BOTH = "The answer"
CNN = "CNN"
ANN = "ANN"
ANSWER_TITLES = {"both": BOTH, "cnn": CNN, "ann": ANN}
ANSWER_NOTES = {
    "both": "each network as far as it proved to help",
    "cnn": "sees the spectrogram",
    "ann": "reads spectral features",
}
UNKNOWN_NOTE = "Not one of the people enrolled"
UNSURE_NOTE = "Probably {name}, but less sure than you asked for (Speakers tab)"
NOT_ENOUGH = "Not enough speech"

EMPTY_TITLE = "Nobody is enrolled yet"
EMPTY_TEXT = (
    "The app knows only the people you introduce. Half a minute of speech is enough for each: open the Speakers tab, "
    "or start with five example voices that come with the app."
)
EXAMPLES_BUTTON = "Try it with example voices"
EXAMPLES_LEARNING = "Learning {name} ({number} of {count})"
EXAMPLES_DONE = "The example voices {names} are enrolled. Play an example recording in the Link or file tab."
EXAMPLES_THERE = "The example voices are enrolled already."
SYNTHETIC = "The example voices are synthetic: no person's recording is among them."

LIVE_SOURCE = "Listen through"
BROWSER_MICROPHONE = "Browser microphone"
COMPUTER_MICROPHONE = "This computer's microphone"
LIVE_HINT = "Press Record and speak. The last five seconds are judged once a second."
LISTENING_LABEL = "Microphone"
DEVICE = "Device"
SYSTEM_DEFAULT = "System default"
FIND_DEVICES = "Look for devices again"
START = "Start listening"
STOP = "Stop"
WAITING_NAME = "Waiting for a voice"
WAITING_TEXT = "The answer appears here after about two seconds of speech."
LISTENING = "Listening"
STOPPED = "Not listening"
OPENING = "Waiting for the microphone (allow it, if you are asked)"
NOTHING_LOST = "no sound lost"
DISK_FULL = "the disk took no more sound: what is kept of it ends at {clock}"
SESSION_FULL = "This session is full after {hours:.0f} hours and has ended: begin another one."
SAVE_FAILED = "The session cannot be written to files ({reason}): make room on the disk, then stop a session once more."
KEEP_FAILED = "The sound of this session is not kept ({reason}): make room on the disk here, then begin anew."
LOST = "{seconds:.1f} s of sound lost in {count}"
GAP = "Sound lost"
LEVEL = "Level"
SPEECH = "Speech"
SPEECH_METER = "{speech:.1f} s of {seconds:.0f} s"
NOTHING_HEARD = "No speech is heard: is this the right microphone, and is it switched on?"
OTHER_MICROPHONE = "another microphone than when {name} was enrolled? {difference}"
KEEP_SOUND = "Keep the sound, to save it too"
KEEP_SOUND_NOTE = "In a private file on this computer, from the next start on; it is gone when this page is closed."
SESSION_SAVE = "Save this session"
SESSION_NAME = "live session {date}"
SOUND = "Sound (WAV)"
DEVICES_NONE = "no microphone was found on this computer: plug one in and look again, or use the browser microphone"
DENIED = (
    "The browser does not give this page the microphone. Click the sign at the left of the address, allow the "
    "microphone, and press Record again; or listen through this computer's microphone."
)
DENIED_PLAIN = (
    "Browsers give their microphone only to https pages and to localhost. Open the app as http://localhost on the "
    "computer it runs on, or listen through this computer's microphone."
)
NO_BROWSER_MICROPHONE = "The browser finds no microphone: plug one in, or listen through this computer's microphone."
SILENT_MICROPHONE = (
    "The browser opened its microphone, but no sound has come from it. Press Record again, or load this page anew."
)
TIMELINE = "Timeline"
TIMELINE_EMPTY = "Each five seconds become a block in the colour of who spoke."
PICTURE = "What the CNN sees"
PICTURE_NOTE = "80 mel bands, low to high, over the speech of the last five seconds"
PICTURE_EMPTY = "No speech, no picture."

FILE = "Audio or video file"
LINK = "or a YouTube link"
LINK_HOLDER = "https://youtu.be/..."
FROM = "From"
TO = "To"
TIME_HOLDER = "0:00"
TO_HOLDER = "end"
RUN = "Find out who speaks"
CANCEL = "Cancel"
EXAMPLES_TITLE = "Or try an example"
EXAMPLE_CLIPS = {
    "conversation": "A conversation of three",
    "amina_test": "Amina",
    "kofi_test": "Kofi",
    "sven_test": "Sven",
    "jo_test": "Jo",
    "mei_test": "Mei",
    "stranger_test": "A stranger",
}
NOTHING_GIVEN = "nothing to listen to yet: choose a file or paste a YouTube link"
BOTH_GIVEN = "there is a file and a link: clear one of them, so that it is plain which one is meant"
BAD_TIME = "{text!r} is no time: write seconds, or minutes and seconds like 1:30"
BEGINNING = "Beginning"
WAITING_TURN = "Waiting for its turn: {count} must be finished first"
LOOKING_UP = "Asking about the link"
ASKING = "Asking for title and length ..."
STARTS_AT = "from {clock}"
NO_SOUND_IN = "{name} has no sound track: choose another file"
STAGE_FETCH, STAGE_JUDGE = "Download", "Recognise"
REMAINING = "about {clock} left"
PLAY_HINT = "Press on a turn to hear it, to say whether it was right, or to enrol from it."
NOT_PLAYABLE = "The browser cannot play this kind of file; the timeline is right all the same."
MORE_ROWS = "The latest {shown} of {count} segments; the exports have all."
ENROL_HERE = "Enrol from here"
CHOSEN_MORE = (
    "{total} of {name} chosen; {least} s of speech are needed, {wanted} s are better. Press on more turns of the same "
    "voice."
)
CHOSEN_ENOUGH = "{total} of {name} chosen. Listen once more: is it one voice only? Then give it its name."
AND_MORE = "and {count} more"
CLEAR = "Clear"
NOTHING_CHOSEN = (
    "nothing is chosen, or the recording is gone: press Find out who speaks, then press on turns of one voice"
)
ENROLLED_HERE = "{name} is enrolled with {count} of 5 s. Press Find out who speaks again to see where {name} talks."
FETCHING = "Fetching the sound of {title}"
LISTENING_TO = "Listening to {title}"
DONE = "Done: {count} of {title} judged."
DONE_SILENT = (
    "Done, but no part of {title} has enough speech to judge: {least:.0f} s of five are needed. Try another part, "
    "or a louder recording."
)
DONE_NOBODY = (
    "Nobody is enrolled, so every voice is Unknown. Enrol people in the Speakers tab, or use the example voices."
)
ENROL_STOPPED = "Stopped; nothing was stored."
CANCELLED = "Stopped. What was found until then is below."
RESULTS_EMPTY = (
    "Give a recording, or try an example. The timeline grows here while it is being judged: one colour for "
    "each person, grey for strangers, hatched where nobody speaks."
)
PLAYER = "Recording"
TALK_TIME = "Talk time"
DETAILS = "Every segment"
DOWNLOADS = "Take it with you"

WHO_IS_ENROLLED = "Who is enrolled"
ENROL_TITLE = "Introduce somebody"
ENROL_TEXT = "Half a minute of speech, in a quiet place, as the person usually speaks."
NAME = "Name"
NAME_HOLDER = "for example Amina"
CONSENT = "This person agrees that their voice is learned and kept on this computer"
AGAIN = "Already enrolled: add this as another session"
SURE = "I am sure: it is the right person, whatever it sounds like"
KEEP_AUDIO = "Keep the speech too, so that the profile can be renewed when the networks change"
ENROL_FROM = "Voice from"
FROM_BROWSER = "Browser microphone"
FROM_FILE = "File"
FROM_LINK = "YouTube link"
RECORD = "Record"
RECORDING = "Recording: keep speaking"
ENROL = "Enrol"
ENROL_RANGE = "Of a recording with several voices, give the part in which this person talks alone."
ENROLLING = "Learning the voice of {name}"
ENROLLED = "{name} is enrolled with {segments} segments of 5 s. Open Live and speak."
SESSION_ADDED = "{name} has another session now, with {segments} segments of 5 s."
NO_SOUND = "there is no recording yet: record, or choose a file, and press Enrol again"
NO_NAME = "the name is missing: type whose voice this is"
NO_CONSENT = "consent is missing: tick the box when the person agrees that their voice is kept on this computer"
SPEECH_SO_FAR = "{speech:.0f} s of 30 s of speech"
SPEECH_ENOUGH = "{speech:.0f} s of speech: enough"
SPEECH_JUST = "{speech:.0f} s of speech: it will do, 30 s are better"
SEGMENT = "Segment {number}"
QUALITY_GOOD = "good"
QUALITY_POOR = "too bad to learn from, it does not count"
TAKE = "Take {number}: {speech:.0f} s of speech"
TAKES_ADD_UP = "Not enough yet: record again, takes add up."
TAKES_MANY = "{count} takes are enough: start over, closer to the microphone and in a quieter place"
STILL_RECORDING = "the recording still goes on: press Stop, then Enrol"
DROP_TAKE = "Remove the latest take"
START_OVER = "Start over"
FILES = "Audio or video files of one person"
NOT_YET = "not yet"

NEW_NAME = "New name"
RENAME = "Rename"
RENAMED = "{old} is now called {new}."
DELETE = "Delete"
DELETE_SURE = "Delete {name} and everything learned from this voice? This cannot be undone."
DELETE_YES = "Yes, delete"
KEEP = "Keep"
DELETED = "{name} is gone: no part of this voice is left in the database."
SET_ASIDE = "Damaged databases that were set aside may still hold it: {files} in {home}; delete them too"
DELETE_ALL = "Delete everyone"
DELETE_ALL_SURE = "Delete all {count} people and everything learned from their voices? This cannot be undone."
DELETED_ALL = "Everyone is gone: no voice is left in the database."
NOBODY_CHOSEN = "nobody is chosen: choose a person first"
OUTDATED = "made by other networks, not used: open it to renew"
COLUMNS = ("Name", "Segments", "Sessions", "Enrolled")

API_NO_FILE = "no sound was sent: upload a file first, and give its path"
FILE_GONE = "the file is no longer here, as this page was away for long: choose it once more, or reload the page"
API_NOT_SENT = (
    "this file was not sent to the app, or is gone again: upload it, and give the path that came back; addresses and "
    "files of this computer are not opened"
)
API_FILE_TOLD_WRONG = "the file is not described as docs/api.md has it: give the path that came back, and nothing else"
API_NO_UPLOAD = "no file was sent: send it as a form with its name, as curl does with -F files=@FILE"
API_NO_EVENT = "no answer waits under this id: nothing was asked, or it was fetched, which can be done once; ask again"
PAGE_OLD = "this app has no such event: it was started anew since the page was loaded, load the page again"
API_COUNT = "{name} takes {wanted} values, {given} came: see docs/api.md"
API_NO_NAME = "the name is missing: say whose voice this is"
API_NO_BOOL = "{what} must be true or false"
API_NO_SECONDS = "{what} must be a number of seconds"
API_NO_CONSENT = 'consent is missing: ask the person, and send this sentence as consent: "{sentence}"'

TROUBLE = "That did not work"
INTERNAL = "something went wrong inside the program; the terminal it was started from shows what. Try again"
PASSWORD_ASK = "Password for other computers, at least {count} characters: "
PASSWORD_NEEDED = (
    "on {host} other computers can reach the app: everybody there could listen in, enrol and delete. Set a password of "
    "at least {count} characters in {variable}, or leave out --host"
)
PASSWORD_PAGE = "Any name will do; the password is the one that was chosen where this app was started."
OPEN_TO_OTHERS = (
    "note: everybody who reaches {host} and knows the password can use this app, enrol, rename and delete people. The "
    "connection is not encrypted, and browsers give their microphone to localhost and https pages only; see SECURITY.md"
)
WRONG_HOST = "This app answers on this computer only, as http://127.0.0.1 or http://localhost."
TOO_LARGE = "Too much: a request has {count:,} bytes at most, and says how many; files go to /gradio_api/upload."
TOO_MANY_FILES = "more than {count} files at once: send them a few at a time"
OTHER_SITE = "This app takes no requests from other sites."
NO_DOOR = "There is nothing here."
PORT_TAKEN = "port {port} on {host} cannot be used: another program may have it; choose another with --port"
NOT_SERVED = (
    "the app cannot be reached as {host} ({reason}): give another --host, a name or address of this computer, or none"
)
STARTING = "Starting; the first time takes longer"
READY = "Who is speaking? is ready at {url}  (stop with Ctrl+C)"


def counted(number: int, thing: str) -> str:
    """ "1 gap", "2 gaps"."""
    return f"{number} {thing}" if number == 1 else f"{number} {thing}s"


def in_segments(numbers: list[int]) -> str:
    """ "segment 2", "segments 2, 4"."""
    return f"segment{'s' if len(numbers) > 1 else ''} {', '.join(map(str, numbers))}"
