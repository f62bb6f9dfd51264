// Two models matrix by matrix: the differences of any metric, largest first, each one click from the explorer.
(function (report) {
  "use strict";

  const { state, data, draw } = report;
  const menu = document.getElementById("pair");
  if (!menu) return;
  const metricMenu = document.getElementById("pair-metric");
  const more = document.getElementById("more-changes");
  const panel = document.getElementById("matrix-by-matrix");
  const few = 10;
  let models = [];

  function changes() {
    const { first, second } = data.pairs[menu.value];
    const column = Number(metricMenu.value);
    const others = new Map([...models[second].layers].reverse().map((layer) => [layer.key, layer]));
    const seen = new Set();
    return models[first].layers
      .filter((layer) => others.has(layer.key) && !seen.has(layer.key) && seen.add(layer.key))
      .map((layer) => ({ layer, other: others.get(layer.key) }))
      .map(({ layer, other }) => ({ layer, other, values: [layer.values[column], other.values[column]] }))
      .filter(({ values }) => !values.includes(null))
      .map((change) => ({ ...change, difference: change.values[0] - change.values[1] }));
  }

  function isChosen({ layer, other }) {
    const { first, second } = data.pairs[menu.value];
    const { model, layer: index } = report.chosen;
    return (model === first && layer.index === index) || (model === second && other.index === index);
  }

  function rowOf(change) {
    const { layer, other, values, difference } = change;
    const name = report.cell(layer.name, "th");
    report.makePick(name, "Show in the layer explorer", () => report.choose(data.pairs[menu.value].first, layer.index, true));
    const [depth, ...numbers] = [layer.depth, ...values, difference].map(report.numberCell);
    const verdicts = layer.verdict === other.verdict ? layer.verdict : `${layer.verdict}, ${other.verdict}`;
    const row = report.row(name, report.cell(layer.role), depth, ...numbers, report.cell(verdicts));
    if (isChosen(change)) row.setAttribute("aria-current", "true");
    return row;
  }

  function median(values) {
    const sorted = [...values].sort((a, b) => a - b);
    const middle = sorted.length >> 1;
    return sorted.length % 2 ? sorted[middle] : (sorted[middle - 1] + sorted[middle]) / 2;
  }

  function finding(found) {
    const { first, second, finding: resampled } = data.pairs[menu.value];
    const label = metricMenu.selectedOptions[0].textContent;
    if (!found.length) return `No matrix has a ${label} in both.`;
    const [most] = found;
    const typical = report.figure(median(found.map(({ difference }) => Math.abs(difference))));
    const words = [
      `${models[first].shown} − ${models[second].shown}: over ${found.length} matrices the typical change of ${label}`,
      `is ${typical}; the largest, ${report.figure(most.difference)}, is in ${most.layer.name}.`,
    ];
    return `${words.join(" ")}${data.matrixMetrics[metricMenu.value] === data.by ? ` ${resampled}.` : ""}`;
  }

  function show() {
    const found = changes();
    const drawn = found.map((change) => {
      const { name, role, place, order, index } = change.layer;
      const verdict = change.layer.verdict === "ok" ? change.other.verdict : change.layer.verdict;
      return { name, role, place, order, index, verdict, value: change.difference, chosen: isChosen(change) };
    });
    const datasets = { changes: drawn, none: [{ value: 0 }] };
    const choose = ({ index }) => report.choose(data.pairs[menu.value].first, index);
    const title = `difference of ${metricMenu.selectedOptions[0].textContent}`;
    draw(document.getElementById("chart-pair"), "pair", datasets, choose, title);
    found.sort((a, b) => Math.abs(b.difference) - Math.abs(a.difference));
    document.getElementById("pair-finding").textContent = finding(found);
    const listed = more.dataset.all ? found : found.slice(0, few);
    const table = document.getElementById("changes-table");
    table.tBodies[0].replaceChildren(...listed.map(rowOf));
    const { first, second } = data.pairs[menu.value];
    [first, second].forEach((model, i) => {
      table.tHead.rows[0].cells[3 + i].replaceChildren(report.cell(models[model].shown).firstChild);
    });
    more.hidden = listed.length === found.length;
    more.textContent = `Show all ${found.length}`;
    for (const row of document.getElementById("pairs-table").tBodies[0].rows) {
      if (row.dataset.pair === menu.value) row.setAttribute("aria-current", "true");
      else row.removeAttribute("aria-current");
    }
  }

  function step() {
    const { first, second } = data.pairs[menu.value];
    const metric = data.matrixMetrics[metricMenu.value];
    state.step({ first: models[first].name, second: models[second].name, change: metric });
    show();
  }

  function follow() {
    const pair = data.pairs.findIndex(({ first, second }) => {
      return models[first].name === state.get("first") && models[second].name === state.get("second");
    });
    menu.value = Math.max(0, pair);
    metricMenu.value = Math.max(0, data.matrixMetrics.indexOf(state.get("change") ?? data.by));
    if (pair >= 0) panel.open = true;
    show();
  }

  report.ready.then((unpacked) => {
    models = unpacked;
    report.fill(menu, data.pairs.map(({ first, second }) => `${models[first].shown} − ${models[second].shown}`));
    const labels = new Map(data.metrics);
    report.fill(metricMenu, data.matrixMetrics.map((name) => labels.get(name)));
    for (const each of [menu, metricMenu]) each.addEventListener("change", step);
    more.addEventListener("click", () => {
      more.dataset.all = "yes";
      show();
    });
    for (const row of document.getElementById("pairs-table").tBodies[0].rows) {
      report.makeRowPick(row, "Show matrix by matrix", () => {
        menu.value = row.dataset.pair;
        panel.open = true;
        step();
        panel.scrollIntoView({ block: "nearest" });
        menu.focus({ preventScroll: true });
      });
    }
    state.follow(follow);
    report.onChoice(show);
  });
})(report);
