// The page's data unpacked, and Vega's charts under a policy that allows no evaluation and no injected style.
(function (report) {
  "use strict";

  report.data = JSON.parse(document.getElementById("page-data").textContent);

  report.unpack = async function (packed) {
    const bytes = Uint8Array.from(atob(packed), (letter) => letter.charCodeAt(0));
    const stream = new Blob([bytes]).stream().pipeThrough(new DecompressionStream("gzip"));
    return new Uint8Array(await new Response(stream).arrayBuffer());
  };

  report.text = async (packed) => new TextDecoder().decode(await report.unpack(packed));

  const options = {
    mode: "vega-lite",
    ast: true,
    renderer: "svg",
    actions: false,
    defaultStyle: false,
    tooltip: { disableDefaultStyle: true },
    // Errors only: that a dataset is empty, as where nothing is fitted, is no reason to warn.
    logLevel: 1,
  };
  const views = new Map();
  const waiting = new Map();

  // Draws a chart in an element, the next time with other rows; `choose` is told the row of a mark that is clicked.
  // A chart that can't be seen yet, in a part that is folded, is drawn when it is unfolded.
  report.draw = function (target, chart, datasets, choose, title = "") {
    waiting.set(target, () => draw(target, chart, datasets, choose, title));
    return drawVisible();
  };

  async function drawVisible() {
    for (const [target, start] of waiting) {
      if (target.offsetWidth === 0) continue;
      waiting.delete(target);
      await start();
    }
  }
  document.addEventListener("toggle", drawVisible, true);

  async function draw(target, chart, datasets, choose, title) {
    if (views.get(target)?.title !== title) {
      views.get(target)?.view.then((view) => view.finalize());
      const embedded = vegaEmbed(target, specOf(target, chart, datasets, title), options).then(({ view }) => view);
      views.set(target, { view: embedded, title });
      const view = await embedded;
      // The element is one picture to a screen reader, with a name of its own.
      for (const part of target.children) part.setAttribute("aria-hidden", "true");
      if (choose) view.addEventListener("click", (_, item) => item?.datum?.index !== undefined && choose(item.datum));
      return;
    }
    const view = await views.get(target).view;
    for (const [name, rows] of Object.entries(datasets)) view.data(name, rows);
    await view.runAsync();
  }

  // On a narrow screen the legend is below the chart.
  function specOf(target, chart, datasets, title) {
    const named = (_, value) => (value === "(title)" ? title : value);
    const spec = { ...JSON.parse(JSON.stringify(report.data.charts[chart]), named), datasets };
    if (target.clientWidth < 560) Object.assign(spec.config.legend, { orient: "bottom", columns: 4 });
    return spec;
  }

  report.fill = function (menu, names) {
    menu.replaceChildren(...names.map((name, index) => new Option(name, index)));
  };

  report.figure = function (value) {
    if (value === null || value === undefined || Number.isNaN(value)) return "–";
    const size = Math.abs(value);
    if (size >= 10000 && size < 1e9) return Math.round(value).toLocaleString("en");
    return String(Number(value.toPrecision(4)));
  };

  // A name breaks after a hyphen, a line or a slash between words, and after a full stop before a letter.
  report.breakable = function (text) {
    const parts = text.split(/(?<=[\p{L}\p{N}_][-_/])(?=[\p{L}\p{N}_])|(?<=\.)(?=\p{L})/u);
    return parts.flatMap((part, at) => (at ? [document.createElement("wbr"), part] : [part]));
  };

  // The interval of a matrix's number as [lo, hi], where one was computed: of alpha.
  report.intervalOf = function (layer, metric) {
    if (metric !== "alpha") return null;
    const ends = ["alpha_lo", "alpha_hi"].map((name) => layer.values[report.data.matrixMetrics.indexOf(name)]);
    return ends.every((end) => end != null) ? ends : null;
  };

  // As many decimals as the interval deserves, as in the tables.
  report.rounded = (value, ends) => {
    if (!ends || ends[1] - ends[0] < 0.005 || Math.abs(value) >= 100) return report.figure(value);
    return value.toFixed(ends[1] - ends[0] > 0.1 ? 2 : 3);
  };
  report.endsText = (ends) => (ends ? ends.map((end) => report.rounded(end, ends)).join(" to ") : "–");

  // Makes a whole row do what a click on its first cell's button does.
  report.makeRowPick = function (row, title, pick) {
    report.makePick(row.cells[0], title, pick);
    row.classList.add("pickable");
    row.addEventListener("click", (event) => {
      if (!event.target.closest("button, a")) pick();
    });
  };

  // A name becomes a button that brings its matrix up.
  report.makePick = function (cell, title, pick) {
    const button = document.createElement("button");
    button.type = "button";
    button.className = "pick";
    button.title = title;
    button.append(...cell.childNodes);
    button.addEventListener("click", pick);
    cell.append(button);
  };

  // Text as text, with what its letters' direction could do kept to itself.
  report.cell = function (text, kind = "td") {
    const cell = document.createElement(kind);
    const inner = document.createElement("bdi");
    inner.className = "name";
    inner.append(...report.breakable(text));
    cell.append(inner);
    if (kind === "th") cell.scope = "row";
    return cell;
  };

  report.numberCell = function (value) {
    const cell = document.createElement("td");
    cell.className = "n";
    cell.textContent = report.figure(value);
    return cell;
  };

  report.row = function (...cells) {
    const row = document.createElement("tr");
    row.append(...cells);
    return row;
  };

  // What draws or lists waits for this: the page's models with their matrices, and every value of layers.csv.
  report.ready = (async function () {
    const [explorer, layers] = await Promise.all([
      report.text(report.data.explorer),
      report.text(report.data.files["layers.csv"]),
    ]);
    const models = JSON.parse(explorer).map((model, index) => ({ ...model, ...report.data.models[index], index }));
    addValues(models, csvRows(layers));
    document.querySelectorAll(".needs-scripts").forEach((note) => (note.hidden = true));
    document.querySelectorAll(".with-scripts").forEach((part) => (part.hidden = false));
    return models;
  })();

  report.ready.catch(() => {
    const why = "This browser can’t unpack the page’s data: the charts need one with DecompressionStream.";
    document.querySelectorAll(".needs-scripts").forEach((note) => (note.textContent = why));
  });

  function csvRows(text) {
    const cell = /(?:"((?:[^"]|"")*)"|([^",\n]*))(,|\n|$)/gy;
    const rows = [[]];
    while (cell.lastIndex < text.length) {
      const [, quoted, plain, end] = cell.exec(text);
      rows.at(-1).push(quoted === undefined ? plain : quoted.replaceAll('""', '"'));
      if (end === "\n") rows.push([]);
    }
    return rows.filter((row) => row.length > 1);
  }

  // The rows of layers.csv are in the order of the models and their matrices, skipped tensors between them.
  function addValues(models, [header, ...rows]) {
    const verdict = header.length - 3;
    const scored = rows.filter((row) => row[verdict] !== "skipped");
    const layers = models.flatMap((model) => model.layers);
    layers.forEach((layer, at) => {
      const row = scored[at];
      layer.values = row.slice(5, verdict).map((value) => (value === "" ? null : Number(value)));
      layer.verdict = row[verdict];
      layer.remarks = [row[verdict + 2], ...row[verdict + 1].split(";")].filter(Boolean).join("; ");
      layer.place = layer.depth === null ? "–" : String(layer.depth);
      layer.order = layer.depth ?? Number.MAX_SAFE_INTEGER;
    });
    for (const model of models) model.layers.forEach((layer, index) => (layer.index = index));
  }
})(report);
