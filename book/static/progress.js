// Which chapters have been read: kept in this browser alone, marked in the sidebar and
// on the landing page. Runs before the page is drawn, so that no mark comes late.
(() => {
  const KEY = "vit_tutorial.read"; // {name of a page: whether it has been read}
  const LINKS = ".bd-links a, #the-chapters td a";
  const nameOf = ({ pathname }) => /\/notebooks\/(\w+)(\.html)?$/.exec(pathname)?.[1];
  const here = nameOf(location);
  const marks = new CSSStyleSheet();
  document.adoptedStyleSheets.push(marks);
  let read = load();

  /** What is kept; nothing where a browser refuses it or holds something else. */
  function load() {
    try {
      const pairs = Object.entries(JSON.parse(localStorage.getItem(KEY)));
      return Object.fromEntries(pairs.filter(([name]) => /^\w+$/.test(name)));
    } catch {
      return {};
    }
  }

  function keep(changed) {
    read = changed;
    try {
      localStorage.setItem(KEY, JSON.stringify(read));
    } catch {
      // then it holds until the page is left
    }
    draw();
  }

  const names = () => Object.keys(read).filter((name) => read[name] === true);

  function draw() {
    const chosen = names().map((name) => `a[href$="${name}.html"]`);
    if (read[here] === true) chosen.push('.bd-links a.current[href="#"]');
    marks.replaceSync(chosen.length ? `:is(${LINKS}):is(${chosen}) {
      &::after { content: " ✓"; content: " ✓" / ""; font-weight: bold; }
    }` : "");
    if (document.readyState === "loading") return;
    // for those who do not see the mark
    for (const link of document.querySelectorAll(LINKS)) {
      link.querySelector(".read")?.remove();
      if (!chosen.length || !link.matches(chosen)) continue;
      link.append(make("span", { className: "read visually-hidden", textContent: " (read)" }));
    }
    document.querySelectorAll(".reading").forEach((part) => part.refresh());
  }

  const make = (tag, properties) => Object.assign(document.createElement(tag), properties);

  /** At the foot of a chapter: whether it has been read, which reaching the foot says
   *  by itself until the reader says otherwise. */
  function addBox(foot) {
    const box = make("input", { type: "checkbox" });
    const label = make("label", { className: "reading" });
    label.append(box, " I have read this chapter (kept in this browser only)");
    label.refresh = () => (box.checked = read[here] === true);
    box.onchange = () => keep({ ...load(), [here]: box.checked });
    foot.before(label);
    const reached = new IntersectionObserver(([{ isIntersecting }]) => {
      if (isIntersecting && !(here in read)) keep({ ...load(), [here]: true });
    });
    reached.observe(foot);
  }

  /** Below the list of chapters: how many have been read, and a way to forget it. */
  function addCount(table) {
    const listed = new Set([...table.querySelectorAll("td a")].map(nameOf));
    const said = make("span", { role: "status" });
    const button = make("button", { type: "button", textContent: "Forget it" });
    const line = make("p", { className: "reading" });
    line.append(said, " ", button);
    line.refresh = () => {
      const count = names().filter((name) => listed.has(name)).length;
      said.textContent = count
        ? `You have read ${count} of ${listed.size} chapters; only this browser knows.`
        : "No chapter is marked as read yet.";
      button.hidden = !names().length; // other pages can be read, too
    };
    button.onclick = () => keep({});
    table.after(line);
  }

  document.addEventListener("DOMContentLoaded", () => {
    const foot = document.querySelector(".prev-next-area");
    const table = document.querySelector("#the-chapters .pst-scrollable-table-container, #the-chapters table");
    if (here && foot) addBox(foot);
    if (table) addCount(table);
    draw();
  });
  // a page that comes back from memory has not seen what others have kept
  addEventListener("pageshow", ({ persisted }) => {
    if (!persisted) return;
    read = load();
    draw();
  });
  draw();
})();
