// Sorting, filtering and the layer explorer. Everything the page says is there without this script.
(function () {
  "use strict";

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

  function sortBy(table, header) {
    const ascending = header.getAttribute("aria-sort") !== "ascending";
    const compare = compareBy(header.classList.contains("n"), ascending ? 1 : -1);
    const body = table.tBodies[0];
    const rows = [...body.rows].map((row) => ({ row, key: keyOf(row, header.cellIndex) }));
    body.append(...rows.sort(compare).map((entry) => entry.row));
    for (const other of header.parentElement.cells) other.setAttribute("aria-sort", "none");
    header.setAttribute("aria-sort", ascending ? "ascending" : "descending");
  }

  function makeSortable(table) {
    for (const header of table.tHead.rows[0].cells) {
      const button = document.createElement("button");
      button.type = "button";
      button.append(...header.childNodes);
      button.addEventListener("click", () => sortBy(table, header));
      header.append(button);
      header.setAttribute("aria-sort", "none");
    }
  }

  // Filtering: a row stays when it holds every word.

  function filterRows(input) {
    const words = input.value.toLowerCase().split(/\s+/);
    const rows = [...document.getElementById(input.dataset.filters).tBodies[0].rows];
    for (const row of rows) {
      const text = row.textContent.toLowerCase();
      row.hidden = !words.every((word) => text.includes(word));
    }
    const shown = rows.filter((row) => !row.hidden).length;
    input.closest(".filter").querySelector("output").textContent = `${shown} of ${rows.length}`;
  }

  document.querySelectorAll("table.sortable").forEach(makeSortable);
  document.querySelectorAll("input[data-filters]").forEach((input) => {
    input.closest(".filter").hidden = false;
    input.addEventListener("input", () => filterRows(input));
  });

  // The explorer.

  const data = document.getElementById("explorer-data");
  if (!data) return;
  const { charts, models } = JSON.parse(data.textContent);
  const panel = document.getElementById("explorer-panel");
  const modelMenu = document.getElementById("explorer-model");
  const layerMenu = document.getElementById("explorer-layer");
  const views = {};
  // What the page's content security policy allows: no evaluation, no injected style.
  const options = {
    mode: "vega-lite",
    ast: true,
    renderer: "svg",
    actions: false,
    defaultStyle: false,
    tooltip: { disableDefaultStyle: true },
  };

  async function draw(chart, datasets) {
    if (!views[chart]) {
      const target = document.getElementById(`chart-${chart}`);
      views[chart] = vegaEmbed(target, { ...charts[chart], datasets }, options).then((result) => result.view);
      if (chart === "depth") (await views[chart]).addEventListener("click", chooseByMark);
      return;
    }
    const view = await views[chart];
    for (const [name, rows] of Object.entries(datasets)) view.data(name, rows);
    await view.runAsync();
  }

  function densityRows({ low, high, counts }) {
    const total = counts.reduce((sum, count) => sum + count, 0);
    const edge = (bin) => 10 ** (low + ((high - low) * bin) / counts.length);
    return counts
      .map((count, bin) => ({
        eigenvalue: edge(bin + 0.5),
        density: count / total / (edge(bin + 1) - edge(bin)),
        count,
      }))
      .filter((row) => row.count > 0);
  }

  // The fitted density over the tail, scaled to the tail's share: a straight line on log axes.
  function tailRows({ density, alpha, xmin, tail }) {
    const total = density.counts.reduce((sum, count) => sum + count, 0);
    const height = ((tail / total) * (alpha - 1)) / xmin;
    const end = 10 ** density.high;
    return [
      { eigenvalue: xmin, density: height },
      { eigenvalue: end, density: height * (end / xmin) ** -alpha },
    ];
  }

  function depthRows(layers, chosen) {
    const last = Number.MAX_SAFE_INTEGER;
    return layers
      .map(({ name, role, place, alpha, depth }, index) => {
        return { name, role, place, alpha, depth: depth ?? last, index, chosen: index === chosen };
      })
      .filter((row) => row.alpha !== null)
      .sort((a, b) => a.depth - b.depth);
  }

  function factsOf(layer) {
    const facts = [`${layer.role}; ${layer.verdict}`];
    if (layer.alpha !== null) {
      facts.push(`alpha ${layer.alpha} ± ${layer.sigma}`, `xmin ${layer.xmin}`, `D ${layer.D}`);
      facts.push(`${layer.tail} eigenvalues in the tail`);
    }
    if (layer.below > 0) facts.push(`${layer.below} at or below the floor, not drawn`);
    return facts.join(" · ");
  }

  function show() {
    const model = models[modelMenu.value];
    const layer = model.layers[layerMenu.value];
    document.getElementById("explorer-facts").textContent = layer ? factsOf(layer) : "This model has no matrices.";
    const fitted = layer && layer.alpha !== null;
    const xmin = fitted ? [{ eigenvalue: layer.xmin, D: layer.D }] : [];
    const scan = layer ? layer.scan.xmin.map((eigenvalue, i) => ({ eigenvalue, D: layer.scan.D[i] })) : [];
    const density = layer?.density ? densityRows(layer.density) : [];
    const layers = depthRows(model.layers, Number(layerMenu.value));
    draw("spectrum", { density, tail: fitted ? tailRows(layer) : [], xmin });
    draw("distance", { scan, xmin });
    draw("depth", { layers, average: model.average });
  }

  function fill(menu, names) {
    menu.replaceChildren(...names.map((name, index) => new Option(name, index)));
  }

  function choose(model, layer) {
    modelMenu.value = model;
    const { layers } = models[model];
    fill(layerMenu, layers.map((row) => row.name));
    layerMenu.value = layer ?? Math.max(0, layers.findIndex((row) => row.alpha !== null && row.depth !== null));
    show();
  }

  function chooseByMark(event, item) {
    if (item?.datum?.index === undefined) return;
    layerMenu.value = item.datum.index;
    show();
  }

  // In the tables of matrices each name becomes a button that brings its matrix up.
  function makeChoosable(table) {
    for (const row of table.tBodies[0].rows) {
      const button = document.createElement("button");
      button.type = "button";
      button.className = "pick";
      button.title = "Show in the layer explorer";
      button.append(...row.cells[0].childNodes);
      button.addEventListener("click", () => {
        choose(table.dataset.model, row.dataset.layer);
        document.getElementById("explorer").scrollIntoView();
        layerMenu.focus();
      });
      row.cells[0].append(button);
    }
  }

  document.querySelector(".needs-scripts").hidden = true;
  panel.hidden = false;
  fill(modelMenu, models.map((model) => model.name));
  modelMenu.addEventListener("change", () => choose(modelMenu.value));
  layerMenu.addEventListener("change", show);
  document.querySelectorAll("table.layers").forEach(makeChoosable);
  choose(Math.max(0, models.findIndex((model) => model.layers.length)));
})();
