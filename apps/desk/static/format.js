// How figures are written. Amounts come as strings of dollars and cents.

const MINUS = "\u2212";
const whole = new Intl.NumberFormat("en-US", { maximumFractionDigits: 0 });
const cents = new Intl.NumberFormat("en-US", { minimumFractionDigits: 2, maximumFractionDigits: 2 });
const days = new Intl.DateTimeFormat("en-GB", {
  weekday: "short", day: "numeric", month: "short", year: "numeric", timeZone: "UTC",
});
const clock = new Intl.DateTimeFormat("en-GB", {
  hour: "2-digit", minute: "2-digit", second: "2-digit", timeZone: "UTC",
});

const sign = (value, always) => (value < 0 ? MINUS : always && value > 0 ? "+" : "");

export const quantity = (value) => sign(value) + whole.format(Math.abs(value));

export const dollars = (amount, { always = false } = {}) => {
  const value = Number(amount);
  return `${sign(value, always)}$${cents.format(Math.abs(value))}`;
};

export const round = (amount, { always = false } = {}) => {
  const value = Math.round(Number(amount));
  return `${sign(value, always)}$${whole.format(Math.abs(value))}`;
};

export const price = (amount) => cents.format(Number(amount));

export const percent = (ratio, { always = false, digits = 2 } = {}) => {
  const value = Number((ratio * 100).toFixed(digits));
  return `${sign(value, always)}${Math.abs(value).toFixed(digits)}%`;
};

const figures = (value) => (value < 1_000 ? value.toPrecision(3) : whole.format(value));

export const duration = (us) => {
  if (us === null || us === undefined) return "—";
  if (us < 1_000) return `${us.toFixed(0)} µs`;
  return us < 999_500 ? `${figures(us / 1_000)} ms` : `${figures(us / 1_000_000)} s`;
};

export const budget = (us) =>
  us < 1_000 ? `${us} µs` : us < 1_000_000 ? `${us / 1_000} ms` : us < 60_000_000 ? `${us / 1_000_000} s` : `${us / 60_000_000} min`;

// "Sept" is the one abbreviation that breaks a column.
export const day = (iso) =>
  iso ? days.format(new Date(`${iso}T00:00:00Z`)).replace("Sept", "Sep") : "—";

export const time = (ms) => (ms ? clock.format(new Date(ms)) : "—");

export const words = (name) => name.replaceAll("_", " ");

export const tone = (amount) => {
  const value = Number(amount);
  return value > 0 ? "gain" : value < 0 ? "loss" : "";
};
