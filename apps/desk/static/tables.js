// Tables with keyed rows: a row is written anew only where it changed.

const cell = (content, name) => {
  const made = document.createElement("td");
  if (name) made.className = name;
  if (content instanceof Node) made.append(content);
  else made.textContent = content;
  return made;
};

export class Table {
  // `write` returns the cells of a row as [content, class] pairs. `newestFirst` tables put new
  // rows on top and keep a number of them; the others are sorted by key.
  constructor(table, { key, write, newestFirst = false }) {
    this.body = table.tBodies[0];
    this.rows = new Map();
    Object.assign(this, { key, write, newestFirst });
  }

  clear() {
    this.rows.clear();
    this.body.replaceChildren();
  }

  put(items, { keep = Infinity, fresh = true } = {}) {
    for (const item of items) {
      const key = this.key(item);
      const cells = this.write(item).map(([content, name]) => cell(content, name));
      const known = this.rows.get(key);
      if (known) {
        known.replaceChildren(...cells);
        continue;
      }
      const row = document.createElement("tr");
      row.dataset.key = key;
      if (fresh && this.newestFirst) row.className = "fresh";
      row.append(...cells);
      this.rows.set(key, row);
      if (this.newestFirst) this.body.prepend(row);
      else this.body.insertBefore(row, this.after(key));
    }
    while (this.newestFirst && this.rows.size > keep) {
      const oldest = this.rows.keys().next().value;
      this.drop([oldest]);
    }
  }

  after(key) {
    for (const row of this.body.rows) if (row.dataset.key > key) return row;
    return null;
  }

  drop(keys) {
    for (const key of keys) {
      this.rows.get(key)?.remove();
      this.rows.delete(key);
    }
  }
}

export const span = (text, name, title = "") => {
  const made = document.createElement("span");
  made.className = name;
  made.textContent = text;
  if (title) made.title = title;
  return made;
};
