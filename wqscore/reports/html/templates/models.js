// Models of one family beside each other: a metric of every matrix by layer and role, and of the models against size.
(function (report) {
  "use strict";

  const { state, data, draw } = report;
  const menu = document.getElementById("metric");
  if (!menu) return;
  const familyMenu = document.getElementById("compared-family");
  const most = 6;
  const panels = new Map();
  let models = [];
  let families = [];
  let compared = [];

  const metric = () => data.metrics[menu.value][0];
  const label = () => data.metrics[menu.value][1];

  // A titled chart among the small ones of a figure, made when it is first needed.
  function panelOf(figure, title, words) {
    const key = `${figure} ${title}`;
    if (panels.has(key)) return panels.get(key);
    const panel = document.createElement("div");
    const head = document.createElement("h3");
    const chart = document.createElement("div");
    head.append(...report.breakable(title));
    chart.className = "chart";
    chart.setAttribute("role", "img");
    chart.setAttribute("aria-label", words);
    panel.append(head, chart);
    document.getElementById(figure).append(panel);
    panels.set(key, chart);
    return chart;
  }

  function drawSizes() {
    const known = metric() in models[0].values;
    document.getElementById("no-model-metric").hidden = known;
    document.getElementById("chart-size").hidden = !known;
    if (!known) return;
    for (const family of families) {
      const rows = models
        .filter((model) => model.family === family && model.values[metric()] !== null)
        .map(({ shown, parameters, values, intervals, colour, outline, index }) => {
          const ends = intervals[metric()];
          const line = ends ? { lo: ends[0], hi: ends[1] } : {};
          const told = { interval: report.endsText(ends), chosen: index === report.chosen.model };
          return { name: shown, parameters, value: values[metric()], ...line, ...told, colour, outline, filled: true, index };
        });
      const words = `Models of the family ${family} by size; the table of every metric of every model has the numbers`;
      const choose = ({ index }) => report.choose(index, report.firstOf(index));
      draw(panelOf("chart-size", family, words), "size", { models: rows }, choose, label());
    }
  }

  // What is drawn of the models: their values where there is one, else the others' differences from the first.
  function rowsOf(column) {
    const [first, ...others] = compared.map((at) => models[at]);
    const known = (model) => model.layers.filter((layer) => layer.values[column] !== null);
    if (!first) return [];
    if (!others.length) {
      return known(first).map((layer) => {
        const ends = report.intervalOf(layer, metric());
        return rowOf(first, layer, layer.values[column], layer.verdict, ends);
      });
    }
    const base = new Map(known(first).reverse().map((layer) => [layer.key, layer]));
    return others.flatMap((model) =>
      known(model)
        .filter((layer) => base.has(layer.key))
        .map((layer) => {
          const other = base.get(layer.key);
          const verdict = layer.verdict === "ok" ? other.verdict : layer.verdict;
          return rowOf(model, layer, layer.values[column] - other.values[column], verdict, null);
        }),
    );
  }

  function rowOf(model, layer, value, verdict, ends) {
    const { name, role, place, order, depth, index } = layer;
    const { colour, outline } = model;
    const chosen = report.chosen.model === model.index && report.chosen.layer === index;
    const interval = { interval: report.endsText(ends), ends };
    const told = { name, model: model.shown, at: model.index, role, place, order, depth, index, value, verdict };
    return { ...told, colour, outline, filled: verdict === "ok", chosen, ...interval };
  }

  // Intervals end at the edge of the chart, as one wide interval would flatten it.
  function cut(row, top) {
    return row.ends && row.ends[0] < top ? { ...row, lo: row.ends[0], hi: Math.min(row.ends[1], top) } : row;
  }

  function drawRoles() {
    const column = data.matrixMetrics.indexOf(metric());
    document.getElementById("no-matrix-metric").hidden = column >= 0;
    document.getElementById("chart-roles").parentElement.hidden = column < 0;
    if (column < 0) return;
    const differ = compared.length > 1;
    const rows = rowsOf(column);
    const values = rows.filter((row) => row.depth !== null).map((row) => row.value);
    const span = values.length ? [Math.min(...values), Math.max(...values)].map((value) => ({ value })) : [];
    const title = differ ? `${label()} − first’s` : label();
    const head = differ
      ? `How ${label()} of each matrix differs from that of ${models[compared[0]].shown}, by layer and role`
      : `${label()} of every matrix, by layer and role`;
    const hollow = "hollow where a verdict is not ok; click a mark to bring the matrix up in the explorer";
    document.getElementById("roles-caption").textContent = `${head}; ${hollow}`;
    for (const role of data.roles) {
      const layers = rows.filter((row) => row.role === role);
      if (!layers.length && !panels.has(`chart-roles ${role}`)) continue;
      const top = 1.25 * Math.max(...layers.map((row) => row.value));
      // Embeddings and heads live on a scale of their own.
      const extent = layers.some((row) => row.depth !== null) ? span : [];
      const words = `${role} matrices by layer; each model’s table of matrices has the numbers`;
      const chart = panelOf("chart-roles", role, words);
      chart.parentElement.hidden = !layers.length;
      const datasets = { layers: layers.map((row) => cut(row, top)), extent, none: differ ? [{ value: 0 }] : [] };
      draw(chart, "role", datasets, (row) => report.choose(row.at, row.index), title);
    }
  }

  function membersOf(family) {
    return models.filter((model) => model.family === family);
  }

  function markOf({ colour, outline }) {
    const svg = document.createElementNS("http://www.w3.org/2000/svg", "svg");
    const path = document.createElementNS("http://www.w3.org/2000/svg", "path");
    svg.setAttribute("viewBox", "-1.2 -1.2 2.4 2.4");
    svg.setAttribute("class", "mark");
    svg.setAttribute("aria-hidden", "true");
    path.setAttribute("d", outline);
    path.setAttribute("fill", colour);
    svg.append(path);
    return svg;
  }

  function showBoxes() {
    document.getElementById("compared").replaceChildren(...membersOf(families[familyMenu.value]).map(makeBox));
  }

  function makeBox(model) {
    const element = document.createElement("label");
    const box = document.createElement("input");
    const name = document.createElement("bdi");
    box.type = "checkbox";
    box.value = model.index;
    box.checked = compared.includes(model.index);
    box.disabled = !box.checked && compared.length >= most;
    name.className = "name";
    name.append(...report.breakable(model.shown));
    box.addEventListener("change", () => {
      compared = box.checked ? [...compared, model.index] : compared.filter((index) => index !== model.index);
      state.step({ compare: compared.map((index) => models[index].name) });
      showState();
      drawRoles();
    });
    element.append(box, " ", markOf(model), " ", name);
    return element;
  }

  function showState() {
    for (const box of document.querySelectorAll("#compared input")) {
      box.checked = compared.includes(Number(box.value));
      box.disabled = !box.checked && compared.length >= most;
    }
  }

  function usual(family) {
    return membersOf(family).slice(0, most).map((model) => model.index);
  }

  function follow() {
    const named = state.all("compare").map((name) => models.findIndex((model) => model.name === name));
    const known = [...new Set(named.filter((index) => index >= 0))];
    const several = families.find((family) => membersOf(family).length > 1) ?? families[0];
    const family = known.length ? models[known[0]].family : several;
    compared = known.filter((index) => models[index].family === family).slice(0, most);
    if (!compared.length) compared = usual(family);
    familyMenu.value = families.indexOf(family);
    const asked = data.metrics.findIndex(([name]) => name === (state.get("metric") ?? data.by));
    menu.value = Math.max(0, asked);
    showBoxes();
    drawSizes();
    drawRoles();
  }

  report.ready.then((unpacked) => {
    models = unpacked;
    families = [...new Set(models.map((model) => model.family))];
    report.fill(menu, data.metrics.map(([, each]) => each));
    report.fill(familyMenu, families);
    familyMenu.closest("label").hidden = families.length < 2;
    menu.addEventListener("change", () => {
      state.step({ metric: metric() });
      drawSizes();
      drawRoles();
    });
    familyMenu.addEventListener("change", () => {
      compared = usual(families[familyMenu.value]);
      state.step({ compare: compared.map((index) => models[index].name) });
      showBoxes();
      drawRoles();
    });
    state.follow(follow);
    report.onChoice(() => {
      drawSizes();
      drawRoles();
    });
  });
})(report);
