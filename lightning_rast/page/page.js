// The views: their order, and each of them large.
(() => {
  "use strict";
  const grid = document.getElementById("views");
  const dialog = document.getElementById("view-dialog");
  if (!grid || !dialog) return;
  const tiles = [...grid.children];

  for (const button of document.querySelectorAll("[data-order]")) {
    button.addEventListener("click", () => {
      for (const other of document.querySelectorAll("[data-order]")) {
        other.setAttribute("aria-pressed", String(other === button));
      }
      const worst = button.dataset.order === "worst";
      const sorted = worst ? [...tiles].sort((a, b) => a.dataset.iou - b.dataset.iou) : tiles;
      grid.append(...sorted);
    });
  }

  const overPhotographs = document.getElementById("show-photographs");
  const legend = document.querySelector(".of-photographs");
  overPhotographs?.addEventListener("click", () => {
    const on = grid.classList.toggle("over-photographs");
    overPhotographs.setAttribute("aria-pressed", String(on));
    legend.hidden = !on;
  });
  // Of a tile's pictures, the one that is seen.
  function picture(tile) {
    const photograph = grid.classList.contains("over-photographs") && tile.querySelector(".photograph");
    return photograph || tile.querySelector("img");
  }

  let shown = 0;
  function show(place) {
    const inOrder = [...grid.children];
    shown = (place + inOrder.length) % inOrder.length;
    const tile = inOrder[shown];
    dialog.querySelector("img").src = picture(tile).src;
    dialog.querySelector("img").alt = picture(tile).alt;
    dialog.querySelector("h3").textContent = tile.querySelector(".name").textContent;
    dialog.querySelector("p").textContent = tile.querySelector(".facts").textContent;
    dialog.querySelector("#from-here").hidden = tile.dataset.camera === undefined;
    if (!dialog.open) dialog.showModal();
  }
  grid.addEventListener("click", (event) => {
    const tile = event.target.closest("li");
    if (tile) show([...grid.children].indexOf(tile));
  });
  dialog.querySelector("#view-before").addEventListener("click", () => show(shown - 1));
  dialog.querySelector("#view-after").addEventListener("click", () => show(shown + 1));
  dialog.querySelector("#view-close").addEventListener("click", () => dialog.close());
  dialog.addEventListener("click", (event) => { if (event.target === dialog) dialog.close(); });
  dialog.addEventListener("keydown", (event) => {
    if (event.key === "ArrowLeft") show(shown - 1);
    if (event.key === "ArrowRight") show(shown + 1);
  });
  dialog.querySelector("#from-here").addEventListener("click", () => {
    const camera = Number(grid.children[shown].dataset.camera);
    dialog.close();
    document.dispatchEvent(new CustomEvent("look-from", { detail: camera }));
  });
})();
