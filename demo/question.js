// Runs once, with `element` (what is asked before something is lost) and `watch`. The keyboard follows the question: to
// Cancel when it opens, back to the button that asked when it closes. Escape is Cancel.
const box = element.closest(".sure");
const cancel = () => box.querySelector('[id$="-no"]');
let asker = null, open = false, answered = false;
document.addEventListener("click", (event) => {
  const button = event.target.closest("button");
  if (button && box.contains(button)) answered = button !== cancel();
  else if (button) asker = button;
}, true);
document.addEventListener("keydown", (event) => {
  if (event.key === "Escape" && box.checkVisibility()) cancel().click();
});
const follow = (anew) => {
  const before = open, at = document.activeElement;
  open = !box.classList.contains("is-away");
  if (open && (anew || !before)) cancel().focus();
  // what asked may be gone with what was deleted: then to the title of this part
  const home = answered ? box.parentElement.closest(".column").querySelector("h3[tabindex]") : asker;
  if (before && !open && home && (at === document.body || box.contains(at))) home.focus();
};
watch("value", () => follow(true));
new MutationObserver(() => follow(false)).observe(box, { attributeFilter: ["class"] });
