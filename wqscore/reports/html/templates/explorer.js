// The layer explorer: one matrix's spectrum, scan, bulk and singular values, chosen here, in a table or in any chart.
(function (report) {
  "use strict";

  const { state, data, draw } = report;
  const element = (id) => document.getElementById(id);
  const [modelMenu, layerMenu] = [element("explorer-model"), element("explorer-layer")];
  const listeners = [];
  let models = [];
  // Of which model the menu has the matrices.
  let listed;

  // What is chosen: { model, layer }, by number. Others draw it too.
  report.chosen = { model: 0, layer: 0 };
  report.onChoice = (listener) => listeners.push(listener);

  report.choose = function (model, layer, jump = false) {
    show(model, layer);
    state.step({ model: models[model].name, matrix: models[model].layers[layer]?.name ?? "" });
    if (!jump) return;
    element("explorer").scrollIntoView();
    layerMenu.focus({ preventScroll: true });
  };

  function densityRows([low, high, ...counts]) {
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
  function tailRows({ density: [, high, ...counts], fit: [alpha, xmin, , , tail] }) {
    const total = counts.reduce((sum, count) => sum + count, 0);
    const height = ((tail / total) * (alpha - 1)) / xmin;
    const end = 10 ** high;
    return [
      { eigenvalue: xmin, density: height },
      { eigenvalue: end, density: height * (end / xmin) ** -alpha },
    ];
  }

  // The Marchenko–Pastur density √((λ₊ − λ)(λ − λ₋)) / (2π σ² N λ), scaled to the bulk's share.
  function lawRows({ density, bulk: [variance, lower, upper, spikes, side] }) {
    const [low, , ...counts] = density;
    const total = counts.reduce((sum, count) => sum + count, 0);
    const share = Math.max(0, total - spikes) / total;
    const [from, to] = [Math.max(Math.log10(lower || 1e-300), low), Math.log10(upper)];
    if (!(to > from) || share === 0) return [];
    const least = Math.min(...densityRows(density).map((row) => row.density)) / 10;
    return Array.from({ length: 80 }, (_, i) => 10 ** (from + ((to - from) * (i + 0.5)) / 80))
      .map((eigenvalue) => {
        const inside = (upper - eigenvalue) * (eigenvalue - lower);
        const density = (share * Math.sqrt(Math.max(0, inside))) / (2 * Math.PI * variance * side * eigenvalue);
        return { eigenvalue, density };
      })
      .filter((row) => row.density > least);
  }

  function scanRows({ density: [low, high], scan: [moves, distances, exponents] }) {
    const [xminSteps, distanceSteps, alphaSteps] = data.steps;
    let at = 0;
    return moves.map((move, i) => ({
      eigenvalue: 10 ** (low + ((at += move) / xminSteps) * (high - low)),
      D: distances[i] / distanceSteps,
      alpha: exponents[i] / alphaSteps,
    }));
  }

  function factsOf(layer) {
    const facts = [[layer.role, layer.verdict, layer.remarks].filter(Boolean).join("; ")];
    if (layer.fit) {
      const [alpha, xmin, distance, , tail] = layer.fit;
      const ends = report.intervalOf(layer, "alpha");
      const interval = ends ? ` (${report.endsText(ends)})` : "";
      const exact = layer.values[report.data.matrixMetrics.indexOf("alpha")] ?? null;
      const shown = exact === null ? alpha : report.rounded(exact, ends);
      facts.push(`alpha ${shown}${interval}`, `xmin ${xmin}`, `D ${distance}`, `${tail} eigenvalues in the tail`);
    }
    if (layer.bulk) facts.push(`${layer.bulk[3]} beyond the bulk’s edge ${layer.bulk[2]}`);
    if (layer.below > 0) facts.push(`${layer.below} at or below the floor, not drawn`);
    return facts.join(" · ");
  }

  // sigma takes xmin as known, which makes it many times narrower than the interval.
  function detailsOf({ fit }) {
    return `sigma ${fit[3]}: the standard error that alpha would have if xmin were known`;
  }

  function listSingularValues({ singular, bulk }) {
    const beyond = (order) => (!bulk ? "–" : order < bulk[3] ? "yes" : "no");
    const rows = singular.map((value, i) => {
      const order = report.numberCell(i + 1);
      return report.row(order, ...[value, value / singular[0]].map(report.numberCell), report.cell(beyond(i)));
    });
    element("singular-table").tBodies[0].replaceChildren(...rows);
  }

  function show(model, layer) {
    const { layers, average } = models[model];
    if (listed !== model) report.fill(layerMenu, layers.map((row) => row.name));
    listed = model;
    modelMenu.value = model;
    layerMenu.value = layer;
    report.chosen = { model, layer };
    const found = layers[layer];
    element("explorer-facts").textContent = found ? factsOf(found) : "This model has no matrices.";
    element("explorer-sigma").textContent = found?.fit ? detailsOf(found) : "";
    const fitted = found?.density && found.fit;
    const xmin = fitted ? [{ eigenvalue: found.fit[1], D: found.fit[2], alpha: found.fit[0] }] : [];
    const scan = found?.density ? scanRows(found) : [];
    const bulk = found?.density && found.bulk;
    draw(element("chart-spectrum"), "spectrum", {
      density: found?.density ? densityRows(found.density) : [],
      tail: fitted ? tailRows(found) : [],
      xmin,
      law: bulk ? lawRows(found) : [],
      edge: bulk ? [{ eigenvalue: bulk[2] }] : [],
    });
    draw(element("chart-distance"), "distance", { scan, xmin });
    draw(element("chart-exponent"), "exponent", { scan, xmin });
    const fits = layers.filter((row) => row.fit);
    // Intervals are drawn up to this: one wide interval would flatten the chart.
    const top = 1.25 * Math.max(...fits.map((row) => row.fit[0]));
    const alphas = fits.map((row) => {
      const { name, role, place, order, fit, index, verdict } = row;
      const ends = report.intervalOf(row, "alpha");
      const line = ends && ends[0] < top ? { lo: ends[0], hi: Math.min(ends[1], top) } : {};
      const told = { interval: report.endsText(ends), chosen: index === layer };
      return { name, role, place, order, index, verdict, alpha: fit[0], ...line, ...told };
    });
    draw(element("chart-depth"), "depth", { layers: alphas, average, band: data.band }, chooseByMark);
    listSingularValues(found ?? { singular: [] });
    markRows(model, layer);
    for (const listener of listeners) listener();
  }

  function chooseByMark({ index }) {
    report.choose(Number(modelMenu.value), index);
  }

  function markRows(model, layer) {
    document.querySelectorAll("tr[data-layer][aria-current]").forEach((row) => row.removeAttribute("aria-current"));
    const rows = document.querySelectorAll(`table[data-model="${model}"] tr[data-layer="${layer}"]`);
    for (const row of rows) row.setAttribute("aria-current", "true");
  }

  // The matrix that a model is shown with: the first of those worth checking, or its first with a fit in a layer.
  function firstOf(model) {
    const fitted = models[model].layers.findIndex((row) => row.fit && row.depth !== null);
    return models[model].worst[0] ?? Math.max(0, fitted);
  }
  report.firstOf = firstOf;

  function makeChoosable(table) {
    for (const row of table.tBodies[0].rows) {
      const pick = () => report.choose(Number(table.dataset.model), Number(row.dataset.layer), true);
      report.makeRowPick(row, "Show in the layer explorer", pick);
    }
  }

  function follow() {
    const named = models.findIndex((model) => model.name === state.get("model"));
    const model = named >= 0 ? named : Math.max(0, models.findIndex((each) => each.layers.length));
    const layer = models[model].layers.findIndex((row) => row.name === state.get("matrix"));
    show(model, layer >= 0 ? layer : firstOf(model));
  }

  report.ready.then((unpacked) => {
    models = unpacked;
    report.fill(modelMenu, models.map((model) => model.shown));
    modelMenu.addEventListener("change", () => report.choose(Number(modelMenu.value), firstOf(modelMenu.value)));
    layerMenu.addEventListener("change", () => report.choose(Number(modelMenu.value), Number(layerMenu.value)));
    document.querySelectorAll("table[data-model]").forEach(makeChoosable);
    state.follow(follow);
    if (state.get("matrix")) element("explorer").scrollIntoView();
  });
})(report);
