// Learning curves: thin lines are folds, thick ones their means.
(() => {
  if (!byId("curves-there")) return;
  const charts = {};
  const panels = {
    "curves-loss": ["train_loss", "validation_loss"],
    "curves-score": ["validation_accuracy", "validation_f1"],
  };

  function mean(curves, figure) {
    const longest = Math.max(...curves.map((curve) => curve.epochs.length));
    return Array.from({ length: longest }, (_, epoch) => {
      const values = curves.map((curve) => (curve.figures[figure] || [])[epoch])
        .filter((value) => value !== null && value !== undefined);
      const sum = values.reduce((total, value) => total + value, 0);
      return [epoch + 1, values.length ? sum / values.length : null];
    });
  }

  function line(name, data, number, thick) {
    const colour = themed(number ? "--second" : "--accent");
    const dash = number ? [6, 4] : "solid";
    return {
      name, data, type: "line", showSymbol: false, silent: !thick, animation: false,
      lineStyle: { color: colour, width: thick ? 2.4 : 1, opacity: thick ? 1 : 0.3, type: dash },
      itemStyle: { color: colour }, z: thick ? 3 : 2,
    };
  }

  // A point on each fold's line: the epoch whose weights the model has.
  function kept(curves, figure, number) {
    const data = curves.filter((curve) => curve.figures[figure])
      .map((curve) => [curve.kept, curve.figures[figure][curve.epochs.indexOf(curve.kept)]]);
    const itemStyle = { color: themed(number ? "--second" : "--accent"), opacity: 1 };
    return { name: "", data, type: "scatter", symbolSize: 8, silent: true, itemStyle, z: 4 };
  }

  function seriesOf(curves, figures) {
    const made = [];
    figures.forEach((figure, number) => {
      if (!curves.some((curve) => curve.figures[figure])) return;
      const name = report.figures[figure];
      if (curves.length > 1) {
        for (const curve of curves) {
          const values = curve.figures[figure] || [];
          made.push(line("", curve.epochs.map((epoch, i) => [epoch, values[i]]), number, false));
        }
      }
      made.push(line(name, mean(curves, figure), number, true), kept(curves, figure, number));
    });
    return made;
  }

  function tip(points) {
    const made = document.createElement("div");
    made.className = "tip";
    const seen = points.filter((point) => point.seriesName && point.value[1] !== null);
    if (seen.length) made.append("epoch " + seen[0].value[0]);
    for (const point of seen) {
      const row = document.createElement("div");
      row.textContent = point.seriesName + " " + point.value[1].toFixed(3);
      made.append(row);
    }
    return made;
  }

  function options(curves, figures, share) {
    const soft = themed("--soft"), grid = themed("--faint");
    const axis = {
      axisLabel: { color: soft, fontSize: 11 }, splitLine: { lineStyle: { color: grid } },
      axisLine: { lineStyle: { color: soft } }, nameTextStyle: { color: soft },
    };
    return {
      animation: false,
      grid: { left: 44, right: 14, top: 14, bottom: 38 },
      xAxis: { ...axis, type: "value", min: 1, max: Math.max(2, ...curves.map((c) => c.epochs.length)), minInterval: 1, name: "epoch", nameLocation: "middle", nameGap: 24, splitLine: { show: false } },
      yAxis: { ...axis, type: "value", scale: !share, min: share ? 0 : undefined, max: share ? 1 : undefined },
      tooltip: { trigger: "axis", formatter: tip, confine: true, backgroundColor: themed("--card"), borderColor: themed("--line"), textStyle: { color: themed("--ink") } },
      series: seriesOf(curves, figures),
    };
  }

  // Until a run is chosen: the first that has curves.
  let shown = report.runs.findIndex((run) => run.curves.length);

  function draw() {
    const curves = report.runs[shown].curves;
    byId("curves-there").hidden = !curves.length;
    byId("curves-none").hidden = Boolean(curves.length);
    if (!curves.length) return;
    for (const [id, figures] of Object.entries(panels)) {
      charts[id] = charts[id] || open(id);
      charts[id].setOption(options(curves, figures, id === "curves-score"), true);
    }
    byId("curves-reading").textContent = words(curves);
  }

  function open(id) {
    const chart = echarts.init(byId(id), null, { renderer: "svg" });
    followSize(byId(id), chart);
    return chart;
  }

  function words(curves) {
    const last = Math.max(...curves.map((curve) => curve.epochs.length));
    const epochs = curves.map((curve) => curve.kept).join(", ");
    return "Kept: the weights of epoch " + epochs + " of " + last + ", the best by " + report.runs[shown].monitor + ".";
  }

  whenNear(byId("curves"), () => {
    const picker = document.querySelector("#curves [data-run-picker]");
    if (picker) picker.value = String(shown);
    draw();
    document.addEventListener("run", () => { shown = chosen.run; draw(); });
    document.addEventListener("theme", draw);
  });
})();
