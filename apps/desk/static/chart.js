// Equity against the index, and below it the drawdown; both follow one cursor.
/* global uPlot */

import { day, percent, round } from "./format.js";

const style = getComputedStyle(document.documentElement);
const colour = (name) => style.getPropertyValue(`--${name}`).trim();
const FONT = "500 11px Inter, system-ui, sans-serif";
const DAY_S = 86_400;

const compact = (value, step) => {
  if (Math.abs(value) >= 1e6) return `$${(value / 1e6).toFixed(step < 10_000 ? 3 : step < 100_000 ? 2 : 1)}M`;
  return `$${(value / 1e3).toFixed(step < 1_000 ? 1 : 0)}k`;
};

const axis = (more) => ({
  stroke: colour("quiet"),
  font: FONT,
  grid: { stroke: "#18212c", width: 1 },
  ticks: { show: false },
  ...more,
});

const months = (u, splits, _axis, _space, step) => {
  const form = new Intl.DateTimeFormat("en-GB", {
    timeZone: "UTC",
    ...(step >= 300 * DAY_S ? { year: "numeric" } : step >= 25 * DAY_S ? { month: "short", year: "numeric" } : { day: "numeric", month: "short" }),
  });
  return splits.map((at) => form.format(new Date(at * 1_000)).replace("Sept", "Sep"));
};

export class Chart {
  constructor({ plot, underwater, legend }) {
    this.days = [];
    this.x = [];
    this.equity = [];
    this.index = [];
    this.depth = [];
    this.range = 0;
    this.legend = legend;
    this.plot = plot;
    this.underwater = underwater;
    this.top = new uPlot(this.above(), this.data(), plot);
    this.bottom = new uPlot(this.below(), [this.x, this.depth], underwater);
    const watch = new ResizeObserver(() => this.fit());
    watch.observe(plot);
    watch.observe(underwater);
    this.fit();
  }

  above() {
    return {
      ...this.common(),
      scales: { x: { time: true }, y: { range: (_u, low, high) => this.around(low, high) } },
      series: [
        {},
        { label: "index", stroke: colour("index"), width: 1.5, points: { show: false } },
        {
          label: "equity", stroke: colour("equity"), width: 2, points: { show: false },
          fill: (u) => {
            const { top, height } = u.bbox;
            const shade = u.ctx.createLinearGradient(0, top, 0, top + height);
            shade.addColorStop(0, "rgb(240 180 41 / .16)");
            shade.addColorStop(1, "rgb(240 180 41 / 0)");
            return shade;
          },
        },
      ],
      axes: [
        axis({ values: months, space: 80, size: 28, gap: 6 }),
        axis({ side: 1, size: 66, space: 44, values: (_u, splits, _a, _s, step) => splits.map((v) => compact(v, step)) }),
      ],
      hooks: { setCursor: [(u) => this.point(u.cursor.idx)] },
    };
  }

  below() {
    return {
      ...this.common(),
      scales: { x: { time: true }, y: { range: (_u, low) => [Math.min(low ?? 0, -0.01) * 1.15, 0] } },
      series: [
        {},
        { label: "drawdown", stroke: colour("loss"), width: 1, fill: "rgb(255 122 118 / .14)", fillTo: 0, points: { show: false } },
      ],
      axes: [
        axis({ show: false }),
        axis({ side: 1, size: 66, space: 26, values: (_u, splits) => splits.map((v) => percent(v, { digits: v && v > -0.02 ? 1 : 0 })) }),
      ],
    };
  }

  common() {
    return {
      width: 300,
      height: 100,
      padding: [8, 0, 6, 20],
      cursor: { sync: { key: "desk" }, y: false, drag: { x: false, y: false }, points: { size: 7 } },
      legend: { show: false },
      tzDate: (at) => uPlot.tzDate(new Date(at * 1_000), "Etc/UTC"),
    };
  }

  around(low, high) {
    if (low === null || high === null) return [0, 1];
    const room = Math.max((high - low) * 0.08, high * 0.002);
    return [low - room, high + room];
  }

  data() {
    return [this.x, this.index, this.equity];
  }

  clear() {
    for (const list of [this.days, this.x, this.equity, this.index, this.depth]) list.length = 0;
  }

  // Points replace those from `start` on.
  put({ start, days, equity, index }) {
    for (const list of [this.days, this.x, this.equity, this.index, this.depth]) list.length = start;
    let peak = this.equity.reduce((most, value) => Math.max(most, value), -Infinity);
    days.forEach((iso, at) => {
      peak = Math.max(peak, equity[at]);
      this.days.push(iso);
      this.x.push(Date.parse(`${iso}T00:00:00Z`) / 1_000);
      this.equity.push(equity[at]);
      this.index.push(index[at]);
      this.depth.push(equity[at] / peak - 1);
    });
    this.draw();
  }

  show(range) {
    this.range = range;
    this.draw();
  }

  draw() {
    const last = this.x.at(-1) ?? 0;
    const first = this.range ? Math.max(this.x[0] ?? 0, last - this.range * DAY_S) : this.x[0] ?? 0;
    const scale = { min: first, max: Math.max(last, first + 5 * DAY_S) };
    for (const [plot, data] of [[this.top, this.data()], [this.bottom, [this.x, this.depth]]]) {
      plot.batch(() => {
        plot.setData(data, false);
        plot.setScale("x", scale);
      });
    }
    if (this.top.cursor.idx === null || this.top.cursor.idx === undefined) this.point(null);
  }

  // The legend: the values under the cursor, else the last ones.
  point(idx) {
    const at = idx ?? this.x.length - 1;
    if (at < 0 || this.equity[at] === undefined) return;
    const gained = (list) => percent(list[at] / this.index[0] - 1, { always: true });
    this.legend.equity.textContent = `${round(this.equity[at])}  ${gained(this.equity)}`;
    this.legend.index.textContent = `${round(this.index[at])}  ${gained(this.index)}`;
    this.legend.day.textContent = idx === null || idx === undefined ? "" : day(this.days[at]);
  }

  fit() {
    this.top.setSize({ width: this.plot.clientWidth, height: this.plot.clientHeight });
    this.bottom.setSize({ width: this.underwater.clientWidth, height: this.underwater.clientHeight });
  }
}
