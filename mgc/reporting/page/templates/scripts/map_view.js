// The map on the page: drawing, legend, zoom, keyboard.
(() => {
  const MANY = 2000; // with more points, all are drawn in one pass on a canvas
  const ROOM = 1.06; // length of the axes relative to the outermost points
  const CLOSEST = 2; // percent of the map still visible at the closest zoom
  const holder = byId("map-chart");
  let chart = null, points = null, groups = [], mode = "genre", fold = null, cursor = -1;
  let renderer = "";
  const hiddenGroups = new Set();
  const window_ = { x: [0, 100], y: [0, 100] };

  function groupLook(number) {
    if (mode === "right") return { colour: themed(number ? "--second" : "--accent"), shape: number ? report.palette.shapes[6] : "circle" };
    const [colour, shape] = report.looks[number];
    return { colour: palette()[colour], shape: report.palette.shapes[shape] };
  }
  function groupName(number) { return mode === "right" ? ["named right", "named wrong"][number] : report.genres[number]; }

  function size() {
    const count = points.x.length;
    return count > 10000 ? 4 : count > MANY ? 5 : count > 500 ? 8 : 11;
  }

  function series() {
    const large = points.x.length > MANY;
    const made = groups.map((members, number) => {
      const look = groupLook(number);
      const data = new Float32Array(2 * (hiddenGroups.has(number) ? 0 : members.length));
      for (let i = 0; i < data.length / 2; i++) {
        data[2 * i] = points.x[members[i]];
        data[2 * i + 1] = points.y[members[i]];
      }
      return {
        id: "group-" + number, type: "scatter", dimensions: ["x", "y"], data, symbol: look.shape,
        symbolSize: size() * (mode === "right" && number ? 1.15 : 1), large, largeThreshold: MANY,
        progressive: 0,
        itemStyle: { color: look.colour, opacity: large ? 0.7 : 0.85 }, z: 2 + (mode === "right" ? number : 0),
      };
    });
    made.push({
      id: "cursor", type: "scatter", silent: true, z: 9, data: cursorData(), symbol: "circle", symbolSize: size() + 12,
      itemStyle: { color: "transparent", borderColor: themed("--ink"), borderWidth: 2 },
    });
    return made;
  }

  function cursorData() { return cursor < 0 ? [] : [[points.x[cursor], points.y[cursor]]]; }

  // As high as the points need at full width, within reason.
  function frame() {
    const height = holder.clientWidth * (points.reach[1] / points.reach[0]);
    holder.style.height = Math.min(Math.max(height, 260), 700) + "px";
  }

  // Both axes have the same scale: the plane is not stretched to fit the window.
  function axes() {
    const width = holder.clientWidth || 1, height = holder.clientHeight || 1;
    const unit = Math.max(points.reach[0] / width, points.reach[1] / height);
    const x = ROOM * unit * width, y = ROOM * unit * height;
    return { xAxis: { type: "value", show: false, min: -x, max: x }, yAxis: { type: "value", show: false, min: -y, max: y } };
  }

  function zoomed() { return window_.x[1] - window_.x[0] < 99.5; }

  // Unzoomed, a finger or a wheel on the map scrolls the page; zoomed in, dragging moves the map.
  function dataZoom() {
    const one = (axis, [start, end]) => ({
      type: "inside", [axis + "AxisIndex"]: 0, filterMode: "none", start, end, minSpan: CLOSEST,
      zoomOnMouseWheel: "ctrl", moveOnMouseWheel: false, moveOnMouseMove: zoomed(), preventDefaultMouseMove: zoomed(),
    });
    return [one("x", window_.x), one("y", window_.y)];
  }

  function options() {
    return {
      animation: false, grid: { left: 6, right: 6, top: 6, bottom: 6 }, ...axes(), dataZoom: dataZoom(),
      tooltip: {
        trigger: "item", confine: true, transitionDuration: 0, backgroundColor: themed("--card"), borderColor: themed("--line"),
        textStyle: { color: themed("--ink"), fontFamily: "inherit" }, formatter: tip,
      },
      series: series(),
    };
  }

  function numberOf(event) {
    const match = /^group-(\d+)$/.exec(event.seriesId || "");
    return match ? groups[Number(match[1])][event.dataIndex] : -1;
  }

  function tip(event) {
    const number = numberOf(event);
    const made = document.createElement("div");
    made.className = "tip";
    if (number >= 0) made.append(...pointWords(points, number));
    return made;
  }

  function draw() {
    const wanted = points.x.length > MANY ? "canvas" : "svg";
    if (chart && renderer !== wanted) { chart.dispose(); chart = null; }
    if (!chart) {
      renderer = wanted;
      chart = echarts.init(holder, null, { renderer });
      chart.on("datazoom", remember);
      chart.on("click", (event) => { if (numberOf(event) >= 0) point(numberOf(event)); });
    }
    chart.setOption(options(), { notMerge: true });
    holder.dataset.points = String(groups.reduce((sum, members) => sum + members.length, 0));
  }

  function remember() {
    const was = zoomed();
    const [x, y] = chart.getOption().dataZoom;
    window_.x = [x.start, x.end];
    window_.y = [y.start, y.end];
    holder.dataset.zoom = (100 / (x.end - x.start)).toFixed(2);
    if (zoomed() !== was) {
      holder.style.touchAction = zoomed() ? "none" : "";
      chart.setOption({ dataZoom: dataZoom() });
    }
  }

  function zoom(factor) {
    const at = cursor >= 0 ? centreOn(cursor) : null;
    const batch = ["x", "y"].map((axis, index) => {
      const [start, end] = window_[axis];
      const span = Math.min(100, Math.max(CLOSEST, (end - start) / factor));
      const middle = at ? at[index] : (start + end) / 2;
      const from = Math.min(Math.max(0, middle - span / 2), 100 - span);
      return { dataZoomIndex: index, start: from, end: from + span };
    });
    chart.dispatchAction({ type: "dataZoom", batch });
  }

  function centreOn(number) {
    const limits = axes();
    const share = (value, axis) => (100 * (value - axis.min)) / (axis.max - axis.min);
    return [share(points.x[number], limits.xAxis), share(points.y[number], limits.yAxis)];
  }

  function point(number) {
    cursor = number;
    chart.setOption({ series: [{ id: "cursor", data: cursorData() }] });
    byId("map-detail").replaceChildren(...pointWords(points, number));
    bringIntoView();
  }

  function bringIntoView() {
    if (!zoomed()) return;
    const [x, y] = centreOn(cursor);
    const outside = x < window_.x[0] || x > window_.x[1] || y < window_.y[0] || y > window_.y[1];
    if (outside) zoom(1);
  }

  holder.addEventListener("keydown", (event) => {
    const step = { ArrowUp: [0, 1], ArrowDown: [0, -1], ArrowLeft: [-1, 0], ArrowRight: [1, 0] }[event.key];
    const factor = { "+": 1.6, "=": 1.6, "-": 1 / 1.6, 0: 0.001 }[event.key];
    if (!chart || (!step && !factor)) return;
    event.preventDefault();
    if (factor) { zoom(factor); return; }
    const shown = groups.filter((_, number) => !hiddenGroups.has(number)).flat();
    if (!shown.length) return;
    point(cursor < 0 ? shown[0] : nextPoint(points, shown, cursor, step));
  });
  // The library captures the wheel even if it only acts with Ctrl, so it does not get the event.
  for (const kind of ["wheel", "mousewheel"]) {
    holder.addEventListener(kind, (event) => { if (!event.ctrlKey) event.stopPropagation(); }, { capture: true, passive: true });
  }
  byId("map-in").addEventListener("click", () => zoom(1.6));
  byId("map-out").addEventListener("click", () => zoom(1 / 1.6));
  byId("map-reset").addEventListener("click", () => { zoom(0.001); });

  function legend() {
    const items = groups.map((members, number) => {
      const item = document.createElement("li"), button = document.createElement("button");
      button.type = "button";
      button.setAttribute("aria-pressed", String(!hiddenGroups.has(number)));
      const name = nameElement(groupName(number));
      name.className = "name";
      const count = document.createElement("small");
      count.textContent = members.length.toLocaleString("en");
      button.append(swatch(groupLook(number)), name, count);
      button.addEventListener("click", () => {
        if (!hiddenGroups.delete(number)) hiddenGroups.add(number);
        button.setAttribute("aria-pressed", String(!hiddenGroups.has(number)));
        draw();
      });
      item.append(button);
      return item;
    });
    byId("map-legend").replaceChildren(...items);
  }

  function swatch(look) {
    const space = "http://www.w3.org/2000/svg";
    const made = document.createElementNS(space, "svg"), path = document.createElementNS(space, "path");
    const simple = { circle: "M5,0A5,5 0 1 1 4.99,0Z", rect: "M.5,.5H9.5V9.5H.5Z", triangle: "M5,0L10,10H0Z", diamond: "M5,-.5L10.5,5L5,10.5L-.5,5Z" };
    made.setAttribute("viewBox", "-1 -1 12 12");
    made.setAttribute("width", "13");
    made.setAttribute("height", "13");
    made.setAttribute("aria-hidden", "true");
    path.setAttribute("d", simple[look.shape] || look.shape.replace("path://", ""));
    path.setAttribute("fill", look.colour);
    made.append(path);
    return made;
  }

  function regroup() {
    groups = mapGroups(points, mode, fold);
    legend();
    draw();
  }

  // Folds that share no space are shown one by one; for others this is optional.
  function folds() {
    const picker = byId("map-fold"), several = points.folds.length > 1;
    byId("map-fold-label").hidden = !several;
    const names = (points.joined ? [["all", ""]] : []).concat(points.folds.map((name, number) => [name, number]));
    picker.replaceChildren(...names.map(([name, value]) => new Option(name, value)));
    fold = points.joined || !several ? null : 0;
    picker.value = fold === null ? "" : String(fold);
  }

  function show() {
    points = openMap(chosen.run);
    cursor = -1;
    window_.x = [0, 100];
    window_.y = [0, 100];
    frame();
    byId("map-note").textContent = points.note;
    byId("map-detail").textContent = "";
    folds();
    regroup();
  }

  byId("map-fold").addEventListener("change", (event) => {
    fold = event.target.value === "" ? null : Number(event.target.value);
    cursor = -1;
    regroup();
  });
  for (const input of document.querySelectorAll("#map-mode input")) {
    input.addEventListener("change", () => { mode = input.value; hiddenGroups.clear(); regroup(); });
  }
  whenNear(byId("map"), () => {
    if (chart) return;
    show();
    followSize(holder, { resize: () => { frame(); chart.resize(); } }, () => chart.setOption(axes()));
    document.addEventListener("run", show);
    document.addEventListener("theme", regroup);
  });
})();
