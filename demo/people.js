// Runs once, with `element` (the list of people), `trigger` and `watch`. A press on a row opens that person's page; the
// row whose page is open is marked. The page itself tells which it is (`data-person`).
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
  if (row) trigger("select", { name: row.dataset.name, press: performance.now() }); // requests overtake each other
});
watch("value", mark);
window.whoIsOpen = { mark };
