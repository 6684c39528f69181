// Runs once, with `element` (the list of people), `trigger` and `watch`. A press on a row opens that person's page; the
// row whose page is open is marked. The page itself tells which it is (`data-person`).
let press = 0; // ms: requests overtake each other, and a browser's clock may stand still between two presses
const mark = () => {
  const open = document.querySelector("#person-page .person");
  const name = open ? open.dataset.person : null;
  element.querySelectorAll("tr[data-name]").forEach((row) => {
    const on = row.dataset.name === name;
    row.classList.toggle("is-chosen", on);
    const button = row.querySelector(".person-open");
    if (button) button.setAttribute("aria-expanded", on);
  });
};
element.addEventListener("click", (event) => {
  const row = event.target.closest("tr[data-name]");
  if (row) trigger("select", { name: row.dataset.name, press: (press = Math.max(performance.now(), press + 0.001)) });
});
watch("value", mark);
window.whoIsOpen = { mark };
