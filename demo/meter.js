// Runs once, with `element` (an empty place in the form) and `trigger`. While the form's recorder records, a copy of
// the sound goes to the server once a second, so that the lights follow the voice; the recording itself comes at the end.
const SECONDS = 300; // recordings are not followed any longer
const base64 = (bytes) => {
  let text = "";
  for (let at = 0; at < bytes.length; at += 0x8000) text += String.fromCharCode(...bytes.subarray(at, at + 0x8000));
  return btoa(text);
};
// Runs beside the page, so that a busy page does not lose sound: 4096 samples at a time.
const TAP = `registerProcessor("who-tap", class extends AudioWorkletProcessor {
  constructor() { super(); this.block = new Float32Array(4096); this.filled = 0; }
  process([[samples]]) {
    if (!samples) return true;
    this.block.set(samples, this.filled); // 128 at a time: 32 of them fill it exactly
    this.filled += samples.length;
    if (this.filled < this.block.length) return true;
    this.port.postMessage(this.block.slice());
    this.filled = 0;
    return true;
  }
});`;
// A node that gives blocks of mono samples to `hear`. Browsers without worklets (and pages that are not safe) have the
// older ScriptProcessor.
const tapped = async (context, hear) => {
  if (context.audioWorklet) {
    const address = URL.createObjectURL(new Blob([TAP], { type: "text/javascript" }));
    try {
      await context.audioWorklet.addModule(address);
      const node = new AudioWorkletNode(context, "who-tap", { channelCount: 1, channelCountMode: "explicit" });
      node.port.onmessage = (event) => hear(event.data);
      return node;
    } catch (error) { // the older one then
    } finally {
      URL.revokeObjectURL(address);
    }
  }
  const node = context.createScriptProcessor(4096, 1, 1);
  node.onaudioprocess = (event) => hear(event.inputBuffer.getChannelData(0).slice());
  return node;
};
let waiting = false, paused = false, end = () => {};
const follow = async (stream) => {
  end();
  const context = new AudioContext(), source = context.createMediaStreamSource(stream);
  let held = [], count = 0, begin = true, sent = 0, over = false, node = null;
  const send = () => {
    const samples = new Int16Array(count);
    let at = 0;
    for (const part of held) for (const value of part) samples[at++] = Math.max(-1, Math.min(1, value)) * 32767;
    trigger("select", { rate: context.sampleRate, begin, sound: base64(new Uint8Array(samples.buffer)) });
    sent += count / context.sampleRate;
    [held, count, begin] = [[], 0, false];
  };
  const mine = () => {
    if (over) return;
    over = true;
    if (end === mine) end = () => {};
    if (node) node.disconnect();
    source.disconnect();
    context.close();
  };
  end = mine;
  node = await tapped(context, (block) => {
    if (over || paused) return;
    if (stream.getAudioTracks().every((track) => track.readyState === "ended") || sent > SECONDS) return mine();
    held.push(block);
    count += block.length;
    if (count >= context.sampleRate) send();
  });
  if (over) return; // stopped while the worklet came
  source.connect(node);
  node.connect(context.destination); // silence goes out; without a way out nothing runs
};
window.whoMeter = (stream) => {
  if (waiting) follow(stream);
  waiting = false;
};
document.addEventListener("click", (event) => {
  const pressed = (name) => event.target.closest(`#enrol-microphone .${name}-button`);
  if (pressed("record")) [waiting, paused] = [true, false];
  else if (event.target.closest(".record-button")) waiting = false; // of another recorder
  if (pressed("pause")) paused = true;
  if (pressed("resume")) paused = false;
  if (event.target.closest("#enrol-microphone :is(.stop-button, .stop-button-paused)")) end();
}, true);
const devices = navigator.mediaDevices;
if (devices && devices.getUserMedia && !devices.metered) {
  devices.metered = true;
  const ask = devices.getUserMedia.bind(devices);
  devices.getUserMedia = async (wanted) => {
    try {
      const stream = await ask(wanted);
      window.whoMeter(stream);
      return stream;
    } catch (error) {
      waiting = false; // else another microphone would be followed
      throw error;
    }
  };
}
