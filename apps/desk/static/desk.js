// The desk: takes a snapshot and then changes from the websocket, and shows them.

import { Chart } from "./chart.js";
import { showFigures, showLatency, showLight, showNotices, showServices, showTape } from "./figures.js";
import * as write from "./format.js";
import { follow } from "./link.js";
import { Table, span } from "./tables.js";

const $ = (id) => document.getElementById(id);

const side = (name) => span(name, name);

const weight = (ratio) => {
  const made = document.createDocumentFragment();
  const bar = document.createElement("i");
  bar.style.width = `${Math.min(100, Math.abs(ratio) * 250)}%`;
  made.append(write.percent(ratio, { digits: 1 }), bar);
  return made;
};

const tables = {
  positions: new Table($("positions"), {
    key: (p) => p.symbol,
    write: (p) => [
      [p.symbol, "symbol"],
      [write.quantity(p.qty), "n"],
      [write.price(p.price), "n"],
      [write.round(p.value), "n strong"],
      [weight(p.weight), "n weight"],
      [write.round(p.today, { always: true }), `n ${write.tone(p.today)}`],
      [write.round(p.pnl, { always: true }), `n ${write.tone(p.pnl)}`],
    ],
  }),
  orders: new Table($("orders"), {
    key: (o) => o.id,
    newestFirst: true,
    write: (o) => [
      [write.time(o.at_ms)],
      [o.symbol, "symbol"],
      [side(o.side)],
      [write.quantity(o.qty), "n"],
      [write.quantity(o.filled), "n"],
      [o.avg_px ? write.price(o.avg_px) : "", "n"],
      [span(write.words(o.state), `state-${o.state}`, o.reason)],
      [write.duration(o.latency_us), "n"],
    ],
  }),
  fills: new Table($("fills"), {
    key: (f) => f.key,
    newestFirst: true,
    write: (f) => [
      [f.day],
      [f.symbol, "symbol"],
      [side(f.side)],
      [write.quantity(f.qty), "n"],
      [write.price(f.price), "n"],
      [write.round(f.notional), "n"],
    ],
  }),
  decisions: new Table($("decisions"), {
    key: (d) => d.id,
    newestFirst: true,
    write: (d) => {
      const held = d.verdict === "done" && d.orders === 0;
      const verdict = held ? "held" : d.verdict;
      return [
        [d.day || `#${d.seq}`],
        [d.strategy, "clip"],
        [d.orders ? write.quantity(d.orders) : "", "n"],
        [span(verdict, `verdict-${verdict}`, d.reason)],
      ];
    },
  }),
};

const shown = { environment: "", keep: 60, link: "starting", status: null, epoch: 0, handover: null, services: [] };

const notices = () => {
  const status = shown.status ?? { books: "starting", bus: "starting", halted: false, difference: "", detail: "" };
  const recent = shown.handover && Date.now() - shown.handover.at < HANDOVER_SHOWN_MS;
  const handover = recent ? shown.handover : null;
  showNotices({ status, link: shown.link, environment: shown.environment, handover, services: shown.services });
};

const HANDOVER_SHOWN_MS = 60_000;

const showLeader = ({ leader, epoch }) => {
  $("leader").textContent = leader ? `${leader} leads, epoch ${epoch}` : "";
  if (shown.epoch && epoch > shown.epoch) {
    shown.handover = { leader, epoch, at: new Date() };
    setTimeout(notices, HANDOVER_SHOWN_MS);
  }
  shown.epoch = epoch;
};

const begin = (chart, { environment, site, tier, keep }) => {
  Object.assign(shown, { environment, keep });
  document.title = `${environment} · desk`;
  $("environment").textContent = environment;
  $("site").textContent = `site ${site}`;
  $("tier").textContent = `${tier} tier`;
  $("tier").hidden = !tier;
  chart.clear();
  for (const table of Object.values(tables)) table.clear();
};

const apply = (chart, changes, { fresh }) => {
  if (changes.points) chart.put(changes.points);
  if (changes.figures) showFigures(changes.figures);
  if (changes.latency) showLatency(changes.latency);
  if (changes.tape) showTape(changes.tape);
  if (changes.services) {
    shown.services = changes.services;
    showServices(changes.services);
    notices();
  }
  if (changes.gone) tables.positions.drop(changes.gone);
  for (const name of ["positions", "orders", "fills", "decisions"]) {
    if (changes[name]) tables[name].put(changes[name], { keep: shown.keep, fresh });
  }
  if (changes.positions || changes.gone) {
    const count = tables.positions.rows.size;
    $("positions-count").textContent = count ? `${count}` : "";
  }
  if (changes.status) {
    shown.status = changes.status;
    showLeader(changes.status);
    showLight("books", changes.status.books, changes.status.detail);
    showLight("bus", changes.status.bus, changes.status.detail);
    notices();
  }
};

const ranges = (chart) => {
  const buttons = [...document.querySelectorAll(".ranges button")];
  for (const button of buttons) {
    button.addEventListener("click", () => {
      for (const other of buttons) other.setAttribute("aria-pressed", String(other === button));
      chart.show(Number(button.dataset.days));
    });
  }
};

const start = async () => {
  await document.fonts.load("500 11px Inter").catch(() => {});
  const chart = new Chart({
    plot: $("plot"),
    underwater: $("underwater"),
    legend: { equity: $("legend-equity"), index: $("legend-index"), day: $("legend-day") },
  });
  ranges(chart);
  follow({
    onState: (state) => {
      shown.link = state;
      showLight("link", state);
      notices();
    },
    onMessage: (message) => {
      if (message.t === "snapshot") {
        begin(chart, message);
        apply(chart, message.state, { fresh: false });
      } else {
        apply(chart, message, { fresh: true });
      }
    },
  });
};

start();
