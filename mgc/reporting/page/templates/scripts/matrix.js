// Confusion matrices: tracks or shares, and a sentence for the cell being pointed at.
for (const input of document.querySelectorAll("[data-matrix-mode] input")) {
  input.addEventListener("change", () => {
    for (const one of document.querySelectorAll(".matrix")) one.dataset.mode = input.value;
  });
}

function cellSentence(row, column, matrix) {
  const tracks = (cell) => Number(cell.querySelector(".t").textContent);
  const total = [...matrix.rows[row].cells].slice(1).reduce((sum, cell) => sum + tracks(cell), 0);
  const count = tracks(matrix.rows[row].cells[column]);
  const right = row === column;
  const parts = [
    count + " of " + total + " tracks of ", nameElement(matrix.rows[row].cells[0].title),
    right ? " were named right" : " were called ",
  ];
  if (!right) parts.push(nameElement(matrix.rows[0].cells[column].title));
  parts.push(total ? " (" + Math.round((100 * count) / total) + " %)." : ".");
  return parts;
}

for (const holder of document.querySelectorAll(".matrix")) {
  const matrix = holder.querySelector("table");
  const reading = holder.parentElement.querySelector(".reading");
  const show = (cell) => {
    if (!cell || cell.tagName !== "TD") return;
    reading.replaceChildren(...cellSentence(cell.parentElement.rowIndex, cell.cellIndex, matrix));
  };
  const rest = () => {
    if (!holder.contains(document.activeElement)) {
      reading.textContent = "\u00a0";
    }
  };
  holder.addEventListener("mouseover", (event) => show(event.target.closest("td")));
  holder.addEventListener("click", (event) => show(event.target.closest("td")));
  holder.addEventListener("focusin", (event) => show(event.target));
  holder.addEventListener("mouseleave", rest);
  holder.addEventListener("focusout", () => setTimeout(rest));

  // Only one cell is in the tab order; the arrows change which (a roving tabindex).
  const last = matrix.rows.length - 1;
  matrix.rows[1].cells[1].tabIndex = 0;
  holder.addEventListener("keydown", (event) => {
    const step = { ArrowUp: [-1, 0], ArrowDown: [1, 0], ArrowLeft: [0, -1], ArrowRight: [0, 1] }[event.key];
    const cell = event.target.closest("td");
    if (!step || !cell) return;
    event.preventDefault();
    const within = (value) => Math.min(Math.max(value, 1), last);
    const next = matrix.rows[within(cell.parentElement.rowIndex + step[0])].cells[within(cell.cellIndex + step[1])];
    cell.tabIndex = -1;
    next.tabIndex = 0;
    next.focus();
  });
}
