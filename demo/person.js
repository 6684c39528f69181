// Runs once, with `element` (a person's page) and `watch`. The page lies behind the whole list: opened by the keyboard
// its heading gets the keyboard's place, and closed by the keyboard it gives it back.
const heading = () => element.querySelector("h3");
const rowOf = (name) => [...document.querySelectorAll("#people tr[data-name]")].find((one) => one.dataset.name === name);
let opened = null, button = null; // who was opened by the keyboard, and with which button
document.addEventListener("click", (event) => {
  const row = event.target.closest("#people tr[data-name]"), byKey = event.detail === 0;
  if (row || !byKey) [opened, button] = row && byKey ? [row.dataset.name, row.querySelector("button")] : [null, null];
  if (byKey && event.target.closest("#person-close")) {
    const one = element.querySelector(".person");
    if (one) rowOf(one.dataset.person)?.querySelector("button").focus();
  }
}, true);
watch("value", () => {
  const one = element.querySelector(".person"), at = document.activeElement;
  // drawn once more when the check is done: the heading that had the place is gone then
  if (one && one.dataset.person === opened && (at === button || at === document.body)) heading().focus();
});
