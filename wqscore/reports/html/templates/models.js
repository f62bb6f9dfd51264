// Models beside each other: a metric against size, and the same metric of every matrix by layer and role.
(function (report) {
  "use strict";

  const { state, data, draw } = report;
  const menu = document.getElementById("metric");
  if (!menu) return;
  const most = 6;
  const marks = Object.keys(data.marks);
  const panels = new Map();
  let models = [];
  let compared = [];

  function drawSizes() {
    const metric = data.metrics[menu.value][0];
    const rows = models
      .map(({ name, family, mark, parameters, values, index }) => {
        return { name, family, mark, parameters, value: values[metric], index, chosen: index === report.chosen.model };
      })
      .filter((row) => row.value !== null && row.value !== undefined);
    document.getElementById("no-model-metric").hidden = metric in models[0].values;
    document.getElementById("chart-size").hidden = !(metric in models[0].values);
    draw(document.getElementById("chart-size"), "size", { models: rows }, ({ index }) => {
      report.choose(index, report.firstOf(index));
    });
  }

  function panelOf(role) {
    if (panels.has(role)) return panels.get(role);
    const panel = document.createElement("div");
    const title = document.createElement("h3");
    title.textContent = role;
    const chart = document.createElement("div");
    chart.className = "chart";
    chart.setAttribute("role", "img");
    chart.setAttribute("aria-label", `${role} matrices by layer; each model’s table of matrices has the numbers`);
    panel.append(title, chart);
    document.getElementById("chart-roles").append(panel);
    panels.set(role, chart);
    return chart;
  }

  function drawRoles() {
    const column = data.matrixMetrics.indexOf(data.metrics[menu.value][0]);
    document.getElementById("no-matrix-metric").hidden = column >= 0;
    document.getElementById("chart-roles").hidden = column < 0;
    if (column < 0) return;
    const rows = compared.flatMap((at, place) =>
      models[at].layers
        .filter((layer) => layer.values[column] !== null)
        .map((layer) => ({
          ...{ name: layer.name, model: models[at].name, at, mark: marks[place], role: layer.role },
          ...{ place: layer.place, order: layer.order, depth: layer.depth, value: layer.values[column], index: layer.index },
          chosen: report.chosen.model === at && report.chosen.layer === layer.index,
        })),
    );
    const values = rows.filter((row) => row.depth !== null).map((row) => row.value);
    const span = values.length ? [Math.min(...values), Math.max(...values)].map((value) => ({ value })) : [];
    for (const role of data.roles) {
      const layers = rows.filter((row) => row.role === role);
      if (!layers.length && !panels.has(role)) continue;
      // Embeddings and heads live on a scale of their own.
      const extent = layers.some((row) => row.depth !== null) ? span : [];
      draw(panelOf(role), "role", { layers, extent }, (row) => report.choose(row.at, row.index));
    }
  }

  // The first family of which there are several, or else the first models.
  function usual() {
    const members = (model) => models.filter((other) => other.family === model.family);
    const family = models.map(members).find((found) => found.length > 1) ?? models;
    return family.slice(0, most).map((model) => model.index);
  }

  function markOf(place) {
    const svg = document.createElementNS("http://www.w3.org/2000/svg", "svg");
    const path = document.createElementNS("http://www.w3.org/2000/svg", "path");
    const [colour, outline] = data.marks[marks[place]];
    svg.setAttribute("viewBox", "-1.2 -1.2 2.4 2.4");
    svg.setAttribute("class", "mark");
    svg.setAttribute("aria-hidden", "true");
    path.setAttribute("d", outline);
    path.setAttribute("fill", colour);
    svg.append(path);
    return svg;
  }

  function showBoxes() {
    for (const label of document.getElementById("compared").children) {
      const box = label.querySelector("input");
      const place = compared.indexOf(Number(box.value));
      label.querySelector("svg")?.remove();
      box.checked = place >= 0;
      box.disabled = place < 0 && compared.length >= most;
      if (place >= 0) box.after(markOf(place));
    }
  }

  function makeBox(model) {
    const label = document.createElement("label");
    const box = document.createElement("input");
    const name = document.createElement("bdi");
    box.type = "checkbox";
    box.value = model.index;
    name.className = "name";
    name.textContent = model.name;
    box.addEventListener("change", () => {
      compared = box.checked ? [...compared, model.index] : compared.filter((index) => index !== model.index);
      state.step({ compare: compared.map((index) => models[index].name) });
      showBoxes();
      drawRoles();
    });
    label.append(box, " ", name);
    return label;
  }

  function follow() {
    const named = state.all("compare").map((name) => models.findIndex((model) => model.name === name));
    const known = [...new Set(named.filter((index) => index >= 0))].slice(0, most);
    compared = known.length ? known : usual();
    const metric = data.metrics.findIndex(([name]) => name === (state.get("metric") ?? data.by));
    menu.value = Math.max(0, metric);
    showBoxes();
    drawSizes();
    drawRoles();
  }

  report.ready.then((unpacked) => {
    models = unpacked;
    report.fill(menu, data.metrics.map(([, label]) => label));
    document.getElementById("compared").append(...models.map(makeBox));
    menu.addEventListener("change", () => {
      state.step({ metric: data.metrics[menu.value][0] });
      drawSizes();
      drawRoles();
    });
    state.follow(follow);
    report.onChoice(() => {
      drawSizes();
      drawRoles();
    });
  });
})(report);
