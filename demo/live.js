// Runs once, with `element` (the notice below the microphone) and `trigger`. Says why a browser gives no microphone,
// as Gradio's page would go on as if it listened; and stamps what is sent.
const notice = element.querySelector(".notice");
const stop = (tries) => {
  // only after the page has begun, else the answer to the press on Record would come last
  if (document.querySelector("#live-screen .is-opening") || tries === 0) trigger("stop");
  else setTimeout(() => stop(tries - 1), 200);
};
const say = (which) => {
  notice.hidden = !which;
  notice.textContent = which ? notice.dataset[which] : "";
  if (which) stop(50);
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
    if (event.target.closest("#live-microphone .record-button")) say("plain");
  });
} else if (!devices.watched) {
  devices.watched = true;
  const ask = devices.getUserMedia.bind(devices);
  devices.getUserMedia = async (wanted) => {
    try {
      const stream = await ask(wanted);
      say("");
      stream.getAudioTracks().forEach((track) => track.addEventListener("ended", () => say("none")));
      return stream;
    } catch (error) {
      say(error && error.name === "NotAllowedError" ? "denied" : "none");
      throw error;
    }
  };
}
