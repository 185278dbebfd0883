// The table of all images, and the same as CSV, with the columns of `verydeep predict --out predictions.csv`.

import { at, percent } from "./elements.js";
import { classesOf, labelOf, threshold } from "./result.js";

export function showRows(entries, isShown, show) {
  at("list").hidden = entries.length < 2;
  const done = entries.filter((entry) => entry.answer || entry.error);
  at("rows").replaceChildren(...done.map((entry) => row(entry, isShown(entry), show)));
}

function row(entry, isCurrent, show) {
  const line = document.createElement("tr");
  const [name, ...cells] = Array.from({ length: 4 }, () => document.createElement("td"));
  if (isCurrent) line.setAttribute("aria-current", "true");
  if (entry.answer) {
    const button = document.createElement("button");
    button.type = "button";
    button.textContent = entry.answer.file;
    button.addEventListener("click", () => {
      show(entry);
      at("rows").querySelector("[aria-current] button").focus(); // the rows are new
    });
    name.append(button);
    [cells[0].textContent, cells[1].textContent] = [labelOf(entry), percent(entry.answer.confidence)];
    cells[2].textContent = `${Math.round(entry.ms)} ms`;
  } else {
    [name.textContent, cells[0].textContent] = [entry.file.name, entry.error];
    cells[0].colSpan = 1 + cells.splice(1).length;
  }
  line.append(name, ...cells);
  return line;
}

/** Download `entries` with `top` classes of each image. */
export function downloadCsv(entries, top) {
  const done = entries.filter((entry) => entry.answer || entry.error);
  const lines = [columns(top), ...done.map((entry) => values(entry, top))].map((cells) => cells.map(cell).join(","));
  const link = document.createElement("a");
  link.href = URL.createObjectURL(new Blob([`${lines.join("\n")}\n`], { type: "text/csv" }));
  link.download = "predictions.csv";
  link.click();
  URL.revokeObjectURL(link.href);
}

const rejects = () => threshold() > 0;

function columns(top) {
  const ranks = Array.from({ length: top - 1 }, (_, index) => [`label_${index + 2}`, `confidence_${index + 2}`]);
  return ["file", "label", "confidence", ...ranks.flat(), ...(rejects() ? ["rejected"] : []), "error"];
}

function values(entry, top) {
  const { file, answer, error } = entry;
  const classes = answer ? classesOf(answer) : [];
  const pairs = Array.from({ length: top }, (_, rank) => classes[rank] ?? ["", ""]).flat();
  const rejected = answer && labelOf(entry) !== answer.label ? answer.label : "";
  if (rejected) pairs[0] = labelOf(entry);
  return [answer?.file ?? file.name, ...pairs, ...(rejects() ? [rejected] : []), error ?? ""];
}

// Numbers have six digits. Text that a spreadsheet would take for a formula begins with an apostrophe.
function cell(value) {
  if (typeof value === "number") return String(Number(value.toPrecision(6)));
  const isNumber = /^[-+]?(\d+\.?\d*|\.\d+)(e[-+]?\d+)?%?$/i.test(value);
  const isFormula = /^[=+\-@\t\r]/.test(value) && !isNumber;
  const text = isFormula || /^'+[=+\-@\t\r]/.test(value) ? `'${value}` : value;
  return /[",\r\n]/.test(text) ? `"${text.replaceAll('"', '""')}"` : text;
}
