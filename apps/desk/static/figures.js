// The bar, the notices, the figures and the services.

import * as write from "./format.js";

const $ = (id) => document.getElementById(id);

const set = (id, text, tone = "") => {
  const found = $(id);
  if (found.textContent !== text) found.textContent = text;
  if (found.className !== tone) found.className = tone;
};

export const showFigures = (f) => {
  set("equity", write.dollars(f.equity));
  set("equity-sub", `began with ${write.round(Number(f.equity) - Number(f.pnl))}`);
  set("pnl", write.dollars(f.pnl, { always: true }), write.tone(f.pnl));
  set("pnl-sub", write.percent(f.pnl_ratio, { always: true }));
  set("today", write.dollars(f.today, { always: true }), write.tone(f.today));
  set("today-sub", write.percent(f.today_ratio, { always: true }));
  const excess = f.pnl_ratio - f.index_ratio;
  set("excess", write.percent(excess, { always: true }), write.tone(excess));
  set("excess-sub", `index ${write.percent(f.index_ratio, { always: true })}`);
  set("cash", write.round(f.cash));
  const equity = Number(f.equity);
  set("cash-sub", equity ? `${write.percent(Number(f.cash) / equity, { digits: 1 })} of equity` : "");
  set("gross", write.round(f.gross));
  set("gross-sub", `${write.percent(f.gross_ratio, { digits: 1 })} of equity`);
  set("drawdown", write.percent(-f.drawdown), f.drawdown ? "loss" : "");
  set("drawdown-sub", `deepest ${write.percent(-f.deepest)}`);
};

export const showLatency = ({ samples, p50_us, p99_us, budget_us }) => {
  const missed = budget_us !== null && p99_us !== null && p99_us > budget_us;
  set("p99", write.duration(p99_us), missed ? "loss" : "");
  const parts = samples ? [`p50 ${write.duration(p50_us)}`] : ["no order yet"];
  if (budget_us !== null) parts.push(`budget ${write.budget(budget_us)}`);
  set("p99-sub", parts.join(" · "));
  $("p99-sub").title = `${samples} orders, probes included`;
};

export const showTape = ({ day, day_s }) => {
  set("day", write.day(day));
  $("day").dateTime = day;
  set("pace", day_s === null ? "" : `${day_s < 1 ? day_s.toFixed(2) : day_s.toFixed(1)} s a day`, "quiet");
};

export const showLight = (name, state, title = "") => {
  const light = $(`light-${name}`);
  light.dataset.state = state;
  light.title = title || `${name}: ${state}`;
};

const notice = (tone, head, text) => {
  const made = document.createElement("p");
  made.className = tone;
  const strong = document.createElement("b");
  strong.textContent = head;
  made.append(strong, text);
  return made;
};

export const showNotices = ({ status, link, environment, handover, services }) => {
  const found = [];
  if (handover) {
    const at = handover.at.toISOString().slice(0, 19);
    found.push(notice("warn", "Handover", `Site ${handover.leader} leads epoch ${handover.epoch} since ${at}Z.`));
  }
  if (status.halted) {
    found.push(notice("bad", "Halted", `No order leaves. To go on: opsctl resume ${environment}`));
  }
  const path = services.find(({ name }) => name === "execution");
  if (path && !path.ready) found.push(notice("bad", "No new orders", path.detail || "Execution does not answer."));
  if (link === "down") found.push(notice("warn", "Not live", "The desk does not answer; connecting again."));
  for (const [name, meaning] of [
    ["books", "Figures go on from the bus alone."],
    ["bus", "Nothing new arrives; what is shown is the last known."],
  ]) {
    if (status[name] === "down") {
      const title = name === "books" ? "Books lost" : "Bus lost";
      found.push(notice("warn", title, `${meaning} ${status.detail}`));
    }
  }
  if (status.difference) {
    const amount = write.dollars(status.difference, { always: true });
    found.push(notice("bad", "Books differ", `Cash by the journal is ${amount} apart from the ledger shown here.`));
  }
  const said = found.map((made) => made.textContent).join("\n");
  const area = $("notices");
  if (area.dataset.said === said) return;
  area.dataset.said = said;
  area.replaceChildren(...found);
};

export const showServices = (services) => {
  $("services").replaceChildren(
    ...services.map(({ name, ready, detail, took_ms }) => {
      const made = document.createElement("li");
      made.dataset.ready = ready;
      const part = (cls, text) => {
        const span = document.createElement("span");
        span.className = cls;
        span.textContent = text;
        made.append(span);
      };
      part("mark", "");
      part("name", name);
      part("took", took_ms === null ? "down" : ready ? `${took_ms.toFixed(0)} ms` : "not ready");
      if (!ready && detail) part("detail", detail);
      return made;
    }),
  );
};
