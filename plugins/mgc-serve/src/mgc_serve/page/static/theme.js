/* Before the first paint, so that a chosen theme never flashes: not a module. */
(function () {
  const root = document.documentElement;
  const chosen = localStorage.getItem("mgc-theme");
  if (chosen) root.dataset.theme = chosen;
  addEventListener("DOMContentLoaded", () => {
    const button = document.getElementById("theme");
    const dark = () => getComputedStyle(root).colorScheme === "dark" ||
      (!root.dataset.theme && matchMedia("(prefers-color-scheme: dark)").matches);
    const tell = () => button.setAttribute("aria-pressed", String(dark()));
    button.addEventListener("click", () => {
      root.dataset.theme = dark() ? "light" : "dark";
      localStorage.setItem("mgc-theme", root.dataset.theme);
      tell();
    });
    tell();
  });
})();
