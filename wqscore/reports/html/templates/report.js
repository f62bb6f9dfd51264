// Sorting, filtering, and the state that the address keeps. Everything the page says is there without this script.
const report = {};

// What is chosen, sorted and filtered stands in the address after the #, so that a link or the back button brings it up.
report.state = (function () {
  "use strict";

  const listeners = [];
  let current = new URLSearchParams();

  function read() {
    const fragment = location.hash.slice(1);
    // A link to a part of the page chooses nothing.
    if (fragment === "" || fragment.includes("=")) current = new URLSearchParams(fragment);
  }

  // A step that the back button takes back, or a change of the step that is there.
  function write(changes, step) {
    const before = current.toString();
    for (const [key, value] of Object.entries(changes)) {
      current.delete(key);
      for (const each of [value].flat()) if (each !== "" && each !== null) current.append(key, each);
    }
    const after = current.toString();
    if (after === before) return;
    const address = after ? `#${after}` : location.pathname + location.search;
    history[step ? "pushState" : "replaceState"](null, "", address);
  }

  window.addEventListener("popstate", () => {
    read();
    for (const listener of listeners) listener();
  });
  read();

  return {
    get: (key) => current.get(key),
    all: (key) => current.getAll(key),
    step: (changes) => write(changes, true),
    amend: (changes) => write(changes, false),
    // Calls at once, and again whenever the address changes.
    follow(listener) {
      listeners.push(listener);
      listener();
    },
  };
})();

(function (report) {
  "use strict";

  const { state } = report;

  // Sorting: a button in each header, numbers by value, missing values last either way.

  function keyOf(row, column) {
    const cell = row.cells[column];
    return cell.dataset.value ?? cell.textContent.trim();
  }

  function compareBy(numeric, sign) {
    return function (a, b) {
      if (!numeric) return sign * a.key.localeCompare(b.key, "en", { numeric: true });
      const [x, y] = [a, b].map((row) => parseFloat(row.key.replaceAll(",", "")));
      if (Number.isNaN(x) || Number.isNaN(y)) return Number.isNaN(x) - Number.isNaN(y);
      return sign * (x - y);
    };
  }

  // `order` is a column's number, with a minus for descending; empty is the order of the page. Families stay apart.
  function sortBy(table, order) {
    const headers = [...table.tHead.rows[0].cells];
    const header = order ? headers[Math.abs(order) - 1] : undefined;
    const compare = header ? compareBy(header.classList.contains("n"), Math.sign(order)) : compareBy(true, 1);
    for (const other of headers) other.setAttribute("aria-sort", "none");
    header?.setAttribute("aria-sort", order > 0 ? "ascending" : "descending");
    table.classList.toggle("sorted", Boolean(header));
    for (const body of table.tBodies) {
      const rows = members(body).map((row) => ({ row, key: header ? keyOf(row, header.cellIndex) : row.dataset.at }));
      body.append(...rows.sort(compare).map((entry) => entry.row));
    }
  }

  // The rows of a body but for the one that names its family.
  function members(body) {
    return [...body.rows].filter((row) => !row.classList.contains("family"));
  }

  function makeSortable(table) {
    [...table.tBodies].flatMap(members).forEach((row, at) => (row.dataset.at = at));
    for (const header of table.tHead.rows[0].cells) {
      const button = document.createElement("button");
      button.type = "button";
      button.append(...header.childNodes);
      button.addEventListener("click", () => {
        const column = header.cellIndex + 1;
        const order = header.getAttribute("aria-sort") === "ascending" ? -column : column;
        sortBy(table, order);
        state.step({ [`sort-${table.id}`]: String(order) });
      });
      header.append(button);
      header.setAttribute("aria-sort", "none");
    }
    let shown = 0;
    state.follow(() => {
      const asked = Number(state.get(`sort-${table.id}`)) || 0;
      const order = Math.abs(asked) <= table.tHead.rows[0].cells.length ? Math.trunc(asked) : 0;
      if (order !== shown || table.classList.contains("sorted")) sortBy(table, order);
      shown = order;
    });
  }

  // Filtering: a row stays when it holds every word.

  function filterRows(input) {
    const words = input.value.toLowerCase().split(/\s+/);
    const bodies = [...document.getElementById(input.dataset.filters).tBodies];
    const rows = bodies.flatMap(members);
    for (const row of rows) {
      const text = `${row.parentElement.querySelector(".family")?.textContent ?? ""} ${row.textContent}`.toLowerCase();
      row.hidden = !words.every((word) => text.includes(word));
    }
    for (const body of bodies) body.hidden = members(body).every((row) => row.hidden);
    const shown = rows.filter((row) => !row.hidden).length;
    input.closest(".filter").querySelector("output").textContent = `${shown} of ${rows.length}`;
  }

  function makeFilter(input) {
    const key = `filter-${input.dataset.filters}`;
    input.closest(".filter").hidden = false;
    input.addEventListener("input", () => {
      filterRows(input);
      state.amend({ [key]: input.value });
    });
    state.follow(() => {
      const asked = state.get(key) ?? "";
      if (asked === input.value) return;
      input.value = asked;
      filterRows(input);
      if (asked) input.closest("details")?.setAttribute("open", "");
    });
  }

  document.querySelectorAll("table.sortable").forEach(makeSortable);
  document.querySelectorAll("input[data-filters]").forEach(makeFilter);

  // What a link leads to is opened.

  function reveal() {
    const target = location.hash.length > 1 && !location.hash.includes("=") && document.getElementById(location.hash.slice(1));
    if (!target) return;
    for (let part = target.closest("details"); part; part = part.parentElement.closest("details")) part.open = true;
    target.scrollIntoView();
  }
  window.addEventListener("hashchange", reveal);
  reveal();
})(report);

// A column's meaning appears beside its head, for the pointer and for the keyboard; Escape takes it away.
(function () {
  "use strict";

  const tip = document.createElement("div");
  tip.id = "tip";
  tip.hidden = true;
  tip.setAttribute("aria-hidden", "true");
  document.body.append(tip);

  function show(head) {
    tip.textContent = head.dataset.meaning;
    tip.hidden = false;
    const [{ left, bottom }, { width }] = [head.getBoundingClientRect(), tip.getBoundingClientRect()];
    tip.style.left = `${Math.max(8, Math.min(left, innerWidth - width - 8))}px`;
    tip.style.top = `${bottom + 6}px`;
  }

  const hide = () => (tip.hidden = true);

  document.querySelectorAll("thead th[title]").forEach((head, number) => {
    const words = document.createElement("span");
    words.id = `meaning-${number}`;
    words.hidden = true;
    words.textContent = head.title;
    head.closest("table").after(words);
    const button = head.querySelector("button");
    (button ?? head).setAttribute("aria-describedby", words.id);
    head.dataset.meaning = head.title;
    head.removeAttribute("title");
    for (const event of ["mouseenter", "focusin"]) head.addEventListener(event, () => show(head));
    for (const event of ["mouseleave", "focusout"]) head.addEventListener(event, hide);
  });
  document.addEventListener("keydown", (event) => event.key === "Escape" && hide());
  document.addEventListener("scroll", hide, { passive: true, capture: true });
})();

// What is wider than the screen says so.
(function () {
  "use strict";

  const watcher = new ResizeObserver((entries) => {
    for (const { target } of entries) {
      const scroll = target.closest(".scroll");
      scroll.classList.toggle("wider", scroll.scrollWidth > scroll.clientWidth + 1);
    }
  });
  for (const scroll of document.querySelectorAll(".scroll")) {
    const cue = document.createElement("p");
    cue.className = "cue";
    cue.textContent = "Scroll sideways for the rest →";
    scroll.after(cue);
    watcher.observe(scroll);
    for (const part of scroll.children) watcher.observe(part);
  }
})();
