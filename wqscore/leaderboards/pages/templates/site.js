"use strict";
// The index: search, filters and sorting by any metric, stored in the address. Replaces the rows of the static page.
(() => {
  const models = leaderboard.models;
  const metrics = leaderboard.metrics.map((metric) => metric.name);
  const byId = (id) => document.getElementById(id);
  const [form, body, more] = [byId("controls"), document.querySelector("#models-table tbody"), byId("more")];
  const headers = [...document.querySelectorAll("#models-table th[data-sort]")];
  // On a phone a row is a card, whose cells say what they are: as their columns do.
  const columns = [...document.querySelectorAll("#models-table thead th")];
  const labels = columns.map((header) => (header.matches(".drawn") ? "" : header.textContent.trim()));
  const filters = ["search", "metric", "family", "size", "licence", "year", "changed"];
  const step = 150;
  let room = step;
  let order = { key: "", down: false };

  const element = (tag, text = "", attributes = {}) => {
    const made = document.createElement(tag);
    made.textContent = text;
    for (const [name, value] of Object.entries(attributes)) made.setAttribute(name, value);
    return made;
  };
  const drawn = (tag, attributes) => {
    const made = document.createElementNS("http://www.w3.org/2000/svg", tag);
    for (const [name, value] of Object.entries(attributes)) made.setAttribute(name, value);
    return made;
  };
  // Four digits, as in the tables.
  const figure = (value) => {
    if (value === null) return "–";
    const size = Math.abs(value);
    if (size >= 1e4 && size < 1e9) return Math.round(value).toLocaleString("en-US");
    if (size !== 0 && (size < 1e-4 || size >= 1e9)) return value.toExponential(3).replace(/\.?0*e/, "e");
    return String(Number(value.toPrecision(4)));
  };
  // As many decimals as an interval deserves, as in the tables.
  const rounded = (value, [, lo, hi]) => {
    if (value === null || lo === null || hi - lo < 0.005 || Math.abs(value) >= 100) return figure(value);
    return value.toFixed(hi - lo > 0.1 ? 2 : 3);
  };
  const count = (value) => {
    if (value === null) return "–";
    for (const [unit, scale] of [["B", 1e9], ["M", 1e6], ["k", 1e3]]) {
      if (value >= scale) return Number((value / scale).toPrecision(3)) + unit;
    }
    return String(value);
  };
  const chosen = () => Math.max(metrics.indexOf(byId("metric").value), 0);
  const days = (from, to) => (Date.parse(to) - Date.parse(from)) / 864e5;

  const key = (model, name) => {
    const [value, lo, hi] = model.figures[chosen()];
    if (name === "value") return value;
    if (name === "width") return lo === null ? null : hi - lo;
    return name === "changed" && model.changed === "–" ? null : model[name] === "" ? null : model[name];
  };
  const fits = (model) => {
    const words = byId("search").value.toLowerCase().split(/\s+/);
    const text = [model.name, model.family, model.licence, model.status].join(" ").toLowerCase();
    const [low, high] = byId("size").value.split("-").map(Number);
    const within = byId("changed").value;
    return words.every((word) => text.includes(word))
      && (!byId("family").value || model.family === byId("family").value)
      && (!byId("licence").value || model.licence === byId("licence").value)
      && (!byId("year").value || String(model.year) === byId("year").value)
      && (!byId("size").value || (model.size !== null && model.size >= low && model.size < high))
      && (!within || (model.changed !== "–" && days(model.changed, leaderboard.night) <= Number(within)));
  };
  const sorted = (found) => {
    if (!order.key) return found;
    const sign = order.down ? -1 : 1;
    const keyed = found.map((model, index) => [key(model, order.key), index, model]);
    keyed.sort(([a, i], [b, j]) => {
      // Models without a value come last in both directions.
      if (a === null || b === null) return (a === null) - (b === null) || i - j;
      const difference = typeof a === "string" ? a.localeCompare(b, "en") : a - b;
      return sign * difference || i - j;
    });
    return apart(keyed.map(([, , model]) => model));
  };
  // Models of one family stay together, the family of the first model first; one of no family stands alone.
  const apart = (found) => {
    const families = new Map();
    for (const model of found) {
      const family = model.family || `\u0000${model.name}`;
      families.set(family, [...(families.get(family) ?? []), model]);
    }
    return [...families.values()].flat();
  };

  const interval = ([value, lo, hi], low, high) => {
    const svg = drawn("svg", { class: "interval", width: 120, height: 12, "aria-hidden": "true" });
    if (value === null) return svg;
    const at = (x) => 5 + (high > low ? (x - low) / (high - low) : 0.5) * 110;
    if (lo !== null) svg.append(drawn("line", { x1: at(lo), x2: at(hi), y1: 6, y2: 6 }));
    svg.append(drawn("circle", { cx: at(value), cy: 6, r: 3.5 }));
    return svg;
  };
  // The axis under the intervals, as the static page has it.
  const axis = (low, high) => {
    const svg = drawn("svg", { class: "axis", width: 120, height: 18, "aria-hidden": "true" });
    if (!(high > low)) return svg;
    const line = (x, x2, y2) => svg.append(drawn("line", { x1: x, x2, y1: 1, y2 }));
    line(5, 115, 1);
    const power = 10 ** Math.floor(Math.log10((high - low) / 6));
    const size = [1, 2, 5, 10].map((digit) => digit * power).find((each) => (high - low) / each <= 6);
    for (let n = Math.ceil(low / size); n <= Math.floor(high / size); n += 1) {
      const x = 5 + ((n * size - low) / (high - low)) * 110;
      line(x, x, 5);
      svg.appendChild(drawn("text", { x, y: 15 })).textContent = figure(n * size);
    }
    return svg;
  };
  const row = (model, low, high, first) => {
    const found = model.figures[chosen()];
    const made = element("tr", "", first ? { class: "next-family" } : {});
    const cell = (text, kind = "n") => {
      const column = made.childElementCount;
      const label = columns[column].id === "metric-column" ? metrics[chosen()] : labels[column];
      const said = { ...(kind && { class: kind }), ...(label && { "data-label": label }) };
      return made.appendChild(element("td", text, said));
    };
    const placed = model.status === "scored" ? model.rank + (model.tied ? "=" : "") : `(${model.rank})`;
    const rank = cell(model.rank === null ? "–" : placed);
    if (model.best !== model.worst) rank.append(" ", element("small", `${model.best}–${model.worst}`));
    cell(model.ties || "–", "");
    const name = made.appendChild(element("th", "", { scope: "row" }));
    name.append(element("a", model.name, { href: model.page }), " ");
    if (model.status !== "scored") {
      const tag = { class: `tag ${model.status}`, title: model.reason };
      name.append(element("span", `${model.status} since ${model.since}`, tag));
    }
    if (model.warning) name.append(" ", element("span", "read with care", { class: "tag careful", title: model.warning }));
    cell(rounded(found[0], found));
    if (leaderboard.known) cell(figure(model.known));
    cell("", "drawn").append(interval(found, low, high));
    cell(found[1] === null ? (found[3] ? "too few matrices" : "–") : `${rounded(found[1], found)}–${rounded(found[2], found)}`, "n soft");
    const family = cell(model.family ? "" : "–", "");
    if (model.family) family.append(element("a", model.family, { href: model.families }));
    cell(count(model.size));
    cell(model.licence || "–", "");
    cell(model.year === null ? "–" : String(model.year));
    cell(model.coverage === null ? "–" : `${Math.floor(model.coverage * 100)} %`);
    cell(model.changed, "");
    return made;
  };
  const show = () => {
    const found = sorted(models.filter(fits));
    const ends = found.flatMap((model) => model.figures[chosen()].slice(0, 3)).filter((value) => value !== null);
    const [low, high] = ends.reduce(([a, b], end) => [Math.min(a, end), Math.max(b, end)], [Infinity, -Infinity]);
    const starts = (index) => index > 0 && found[index - 1].family !== found[index].family;
    body.replaceChildren(...found.slice(0, room).map((model, index) => row(model, low, high, starts(index))));
    for (const old of document.querySelectorAll("#models-table .axis")) old.replaceWith(axis(low, high));
    more.hidden = found.length <= room;
    byId("count").textContent = found.length === models.length
      ? `${models.length} models` : `${found.length} of ${models.length} models`;
    byId("metric-column").querySelector("button").textContent = metrics[chosen()];
    for (const header of headers) {
      if (header.dataset.sort === order.key) {
        header.setAttribute("aria-sort", order.down ? "descending" : "ascending");
      } else header.removeAttribute("aria-sort");
    }
  };

  const remember = () => {
    const state = new URLSearchParams();
    for (const name of filters) if (byId(name).value && byId(name).value !== byId(name).dataset.usual) state.set(name, byId(name).value);
    if (order.key) state.set("sort", (order.down ? "-" : "") + order.key);
    history.replaceState(null, "", `#${state}`);
  };
  const restore = () => {
    const state = new URLSearchParams(location.hash.slice(1));
    for (const name of filters) byId(name).value = state.get(name) ?? byId(name).dataset.usual ?? "";
    const sort = state.get("sort") ?? "";
    const named = sort.replace(/^-/, "");
    order = { key: headers.some((header) => header.dataset.sort === named) ? named : "", down: sort.startsWith("-") };
    room = step;
    show();
  };
  const changed = () => {
    room = step;
    remember();
    show();
  };

  const offer = (select, values) => select.append(...values.map((value) => element("option", value, { value })));
  const distinct = (name) => [...new Set(models.map((model) => model[name]))].filter((value) => value !== "" && value !== null);
  offer(byId("metric"), metrics);
  byId("metric").dataset.usual = leaderboard.by;
  offer(byId("family"), distinct("family").sort());
  offer(byId("licence"), distinct("licence").sort());
  offer(byId("year"), distinct("year").sort((a, b) => b - a));
  for (const header of headers) {
    const button = element("button", header.textContent, { type: "button" });
    button.addEventListener("click", () => {
      const name = header.dataset.sort;
      order = { key: name, down: order.key === name && !order.down };
      changed();
    });
    header.replaceChildren(button);
  }
  form.addEventListener("input", changed);
  form.addEventListener("change", changed);
  form.addEventListener("submit", (event) => event.preventDefault());
  form.addEventListener("reset", (event) => {
    event.preventDefault();
    history.replaceState(null, "", "#");
    restore();
  });
  more.querySelector("button").addEventListener("click", () => {
    room += step;
    show();
  });
  addEventListener("keydown", (event) => {
    if (event.key !== "/" || event.target.matches("input, select, textarea")) return;
    event.preventDefault();
    byId("search").focus();
  });
  addEventListener("hashchange", restore);
  form.hidden = false;
  byId("pages")?.remove();
  restore();
})();
