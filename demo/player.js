// Runs once, with `element` (the timeline), `trigger` and `watch`. Player and timeline move together: a press on a turn
// plays it and chooses it, to be enrolled from; turns of one voice can be chosen together. --at is where the player is.
let chosen = [];
let press = 0; // ms: requests overtake each other, and a browser's clock may stand still between two presses
const tell = () => trigger("select", { spans: chosen, press: (press = Math.max(performance.now(), press + 0.001)) });
const player = () => document.querySelector("#file-player audio");
const play = (seconds) => {
  const audio = player();
  if (!audio) return;
  audio.currentTime = Number(seconds);
  audio.play().catch(() => {});
};
const spanOf = (turn) => ({
  start: Number(turn.dataset.start), end: Number(turn.dataset.end), name: turn.dataset.name, lane: turn.dataset.lane,
});
const same = (one, other) => one.start === other.start && one.lane === other.lane && one.name === other.name;
const mark = () => {
  const turns = element.querySelectorAll(".turn[data-lane]");
  if (!turns.length) chosen = []; // another recording begins
  let grown = false;
  turns.forEach((turn) => {
    const span = spanOf(turn), place = chosen.findIndex((one) => same(one, span)), on = place >= 0;
    turn.classList.toggle("is-chosen", on);
    turn.setAttribute("aria-pressed", on);
    if (on && chosen[place].end !== span.end) [chosen[place], grown] = [span, true];
  });
  if (grown) tell(); // what is shown as chosen is chosen
};
const choose = (span) => {
  const others = chosen.filter((one) => one.lane === span.lane && one.name === span.name);
  chosen = others.some((one) => same(one, span)) ? others.filter((one) => !same(one, span)) : [...others, span];
  mark();
  tell();
};
const follow = () => {
  const audio = player();
  if (!audio) return;
  element.style.setProperty("--at", audio.currentTime.toFixed(2));
  element.dataset.played = "yes";
  const scroll = element.querySelector(".lanes-scroll"), frame = element.querySelector(".lanes-frame");
  const track = element.querySelector(".lane-track");
  if (!scroll || !frame || !track || audio.paused) return;
  const start = Number(frame.style.getPropertyValue("--start")), length = Number(frame.style.getPropertyValue("--length"));
  const place = track.offsetLeft + ((audio.currentTime - start) / length) * track.offsetWidth;
  if (place < scroll.scrollLeft || place > scroll.scrollLeft + scroll.clientWidth * 0.9) {
    scroll.scrollLeft = place - scroll.clientWidth * 0.2;
  }
};
element.addEventListener("click", (event) => {
  const turn = event.target.closest(".turn[data-start]");
  if (!turn) return;
  play(turn.dataset.start);
  if (turn.dataset.lane && !turn.classList.contains("is-silent")) choose(spanOf(turn));
});
document.addEventListener("click", (event) => {
  const row = event.target.closest("#file-details [data-start]");
  if (row) play(row.dataset.start);
});
for (const name of ["timeupdate", "seeked", "play"]) {
  document.addEventListener(name, (event) => { if (event.target === player()) follow(); }, true);
}
document.addEventListener("error", (event) => {
  const box = document.querySelector("#file-player .player-trouble");
  if (box && event.target === player()) box.hidden = false;
}, true);
watch("value", mark);
window.whoIsChosen = { clear: () => { chosen = []; mark(); tell(); } };
