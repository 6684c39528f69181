// Runs once, with `element` (an empty place in the form) and `trigger`. While the form's recorder records, a copy of
// the sound goes to the server once a second, so that the lights follow the voice; the recording itself comes at the end.
const SECONDS = 300; // recordings are not followed any longer
const base64 = (bytes) => {
  let text = "";
  for (let at = 0; at < bytes.length; at += 0x8000) text += String.fromCharCode(...bytes.subarray(at, at + 0x8000));
  return btoa(text);
};
let waiting = false, end = () => {};
const follow = (stream) => {
  end();
  const context = new AudioContext(), source = context.createMediaStreamSource(stream);
  const node = context.createScriptProcessor(4096, 1, 1);
  let held = [], count = 0, begin = true, sent = 0;
  const send = () => {
    const samples = new Int16Array(count);
    let at = 0;
    for (const part of held) for (const value of part) samples[at++] = Math.max(-1, Math.min(1, value)) * 32767;
    trigger("select", { rate: context.sampleRate, begin, sound: base64(new Uint8Array(samples.buffer)) });
    sent += count / context.sampleRate;
    [held, count, begin] = [[], 0, false];
  };
  node.onaudioprocess = (event) => {
    if (stream.getAudioTracks().every((track) => track.readyState === "ended") || sent > SECONDS) return end();
    held.push(event.inputBuffer.getChannelData(0).slice());
    count += 4096;
    if (count >= context.sampleRate) send();
  };
  end = () => {
    end = () => {};
    node.disconnect();
    source.disconnect();
    context.close();
  };
  source.connect(node);
  node.connect(context.destination); // silence goes out; without a way out nothing runs
};
window.whoMeter = (stream) => {
  if (waiting) follow(stream);
  waiting = false;
};
document.addEventListener("click", (event) => {
  if (event.target.closest("#enrol-microphone .record-button")) waiting = true;
  if (event.target.closest("#enrol-microphone :is(.stop-button, .stop-button-paused)")) end();
}, true);
const devices = navigator.mediaDevices;
if (devices && devices.getUserMedia && !devices.metered) {
  devices.metered = true;
  const ask = devices.getUserMedia.bind(devices);
  devices.getUserMedia = async (wanted) => {
    const stream = await ask(wanted);
    window.whoMeter(stream);
    return stream;
  };
}
