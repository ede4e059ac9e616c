// Tables that sort by a click on a column header.
for (const table of document.querySelectorAll("[data-sortable]")) {
  const heads = [...table.tHead.rows[0].cells];
  heads.forEach((head, column) => {
    const button = head.querySelector("button");
    if (!button) return;
    button.addEventListener("click", () => {
      const numbers = button.dataset.sort === "number";
      const was = head.getAttribute("aria-sort");
      const down = was === "none" ? numbers : was === "ascending";
      const body = table.tBodies[0];
      const rows = [...body.rows].sort((one, other) => {
        const [a, b] = [one, other].map((row) => row.cells[column].dataset.value);
        return numbers ? a - b : a.localeCompare(b);
      });
      if (down) rows.reverse();
      body.append(...rows);
      for (const other of heads) {
        if (other.hasAttribute("aria-sort")) other.setAttribute("aria-sort", "none");
      }
      head.setAttribute("aria-sort", down ? "descending" : "ascending");
      byId("sorted").textContent =
        "Sorted by " + button.textContent + ", " + (down ? "largest" : "smallest") + " first";
    });
  });
}
