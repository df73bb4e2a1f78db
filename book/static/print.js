// On paper a page is light, whatever it is on the screen.
(() => {
  const root = document.documentElement;
  let onScreen;
  matchMedia("print").addEventListener("change", ({ matches }) => {
    if (matches) onScreen = root.dataset.theme;
    root.dataset.theme = matches ? "light" : onScreen;
  });
})();
