// Runs once, with `element` (the notice below the live microphone) and `trigger`. Says why a browser gives no microphone,
// below the button that was pressed, as Gradio's page would go on as if it listened; and stamps what is sent.
const LIVE = "#live-microphone", ENROL = "#enrol-microphone", TOAST = 12_000; // ms that Gradio's own message lasts
let pressed = LIVE, turn = 0; // `turn` rises with each session that begins: what was said of the one before is over
document.addEventListener("click", (event) => {
  for (const one of [LIVE, ENROL]) if (event.target.closest(`${one} .record-button`)) pressed = one;
  if (event.target.closest(`${LIVE} .record-button`)) turn += 1;
}, true);
const refused = (tries, mine = turn) => {
  // only after the page has begun, else the answer to the press on Record would come last
  if (mine !== turn) return;
  if (opening() || tries === 0) trigger("stop");
  else setTimeout(() => refused(tries - 1, mine), 200);
};
const tell = (which, where) => {
  const notice = document.querySelector(where === LIVE ? "#live-denied .notice" : "#enrol-denied .notice");
  notice.hidden = !which;
  notice.textContent = which ? notice.dataset[which] : "";
  if (!which) return;
  document.body.classList.add("is-denied"); // said once is enough
  setTimeout(() => document.body.classList.remove("is-denied"), TOAST);
};
const say = (which, where = pressed) => {
  tell(which, where);
  if (which && where === LIVE && which !== "silent") refused(50);
};
const button = (name) => document.querySelector(`${LIVE} .${name}-button`);
const opening = () => document.querySelector("#live-screen .is-opening");
const close = (stream) => stream.getTracks().forEach((track) => track.stop());
// Where `place`, a recorder, is taken away (another source was chosen, perhaps while the browser still asked) the
// microphone is closed too. A live session that is full, or of no use as everybody was deleted, is stopped.
const closeWithIt = (stream, place) => {
  const look = () => {
    if (stream.getTracks().every((track) => track.readyState === "ended")) return;
    if (!place.isConnected) return close(stream);
    if (place.matches(LIVE) && (place.closest(".is-away") || document.querySelector("#live-screen .is-full"))) {
      button("stop")?.click();
    }
    setTimeout(look, 1000);
  };
  look();
};
const silent = () => {
  button("stop")?.click();
  say("silent", LIVE);
};
// Gradio's page loads its recorder late, and teaches it WAV even later: a press on Record before that ends in an error
// that nobody handles, and the page would wait for sound for ever. So the press is done again, with the same stream,
// until the recorder is there.
const AGAIN = 300, PATIENCE = 20_000, LOADING = 60_000; // ms between looks; without sound; for the recorder to load
let given = null, givenAt = 0, spare = null, since = 0;
const when = (so, then) => (so() ? then() : setTimeout(() => when(so, then), AGAIN));
const pressAgain = () => {
  const [first, next] = [given, given.clone()];
  when(() => opening() || !button("stop"), () => { // the answer to the press has come
    if (given === first && button("stop") && performance.now() - since < LOADING) {
      spare = next;
      button("stop").click();
      when(() => !opening() && button("record"), () => button("record").click());
      return;
    }
    close(next);
    if (given === first && button("stop")) silent();
  });
};
window.addEventListener("unhandledrejection", ({ reason }) => {
  const unbuilt = reason instanceof TypeError || (reason instanceof DOMException && reason.name === "NotSupportedError");
  if (given && unbuilt && performance.now() - givenAt < AGAIN) pressAgain();
});
const took = (stream) => {
  turn += 1;
  if (stream !== spare) since = performance.now();
  [given, givenAt, spare] = [stream, performance.now(), null];
  setTimeout(() => { if (given === stream && opening() && button("stop")) silent(); }, PATIENCE);
};
// A slice of sound carries in its name when it was complete, in ms: late is not lost, and only the browser knows.
if (!window.whoStamps) {
  window.whoStamps = true;
  window.File = new Proxy(window.File, { // a proxy, not a class of our own: what a person chooses stays a File
    construct(target, [parts, name, options]) {
      const slice = name === "audio.wav" && document.querySelector("#live-microphone .stop-button");
      return new target(parts, slice ? `audio-${Math.round(performance.now())}.wav` : name, options);
    },
  });
}
const devices = navigator.mediaDevices;
if (!devices || !devices.getUserMedia) {
  document.addEventListener("click", (event) => {
    if (event.target.closest(`:is(${LIVE}, ${ENROL}) .record-button`)) say("plain");
  });
} else if (!devices.watched) {
  devices.watched = true;
  const ask = devices.getUserMedia.bind(devices);
  devices.getUserMedia = async (wanted) => {
    const where = pressed, place = document.querySelector(where);
    try {
      const stream = (where === LIVE && spare) || (await ask(wanted));
      if (place) closeWithIt(stream, place);
      say("", where);
      if (where === LIVE) took(stream);
      stream.getAudioTracks().forEach((track) => track.addEventListener("ended", () => { // it was unplugged
        if (where === LIVE && given !== stream) return;
        tell("none", where);
        if (where !== LIVE) return;
        const stop = button("stop"); // Gradio's page goes on as if it recorded
        if (stop) stop.click();
        else trigger("stop");
      }));
      return stream;
    } catch (error) {
      say(error && error.name === "NotAllowedError" ? "denied" : "none", where);
      throw error;
    }
  };
}
