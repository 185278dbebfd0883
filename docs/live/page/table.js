// A table of verydeep as an HTML table that scrolls inside of the page.

import { element } from "./elements.js";

/** `{title, columns, rows, shares, total, dimmed, definitions}` as elements. */
export function tableOf(table) {
  const dimmed = new Set(table.dimmed);
  const rows = table.rows.map((cells, index) => {
    const row = rowOf(table, cells, table.shares[index]);
    row.classList.toggle("dimmed", dimmed.has(index));
    return row;
  });
  const [title] = table.title.split("\n");
  const shown = element(
    "table",
    {},
    element("caption", {}, title),
    element("thead", {}, element("tr", {}, ...table.columns.map(headerOf))),
    element("tbody", {}, ...rows),
  );
  if (table.total) shown.append(element("tfoot", {}, rowOf(table, table.total)));
  const scroll = element("div", { className: "scroll", tabIndex: 0, role: "region", ariaLabel: title }, shown);
  return [scroll, element("p", { className: "dim" }, table.definitions)];
}

function headerOf({ title, is_text: isText }) {
  const tag = title ? "th" : "td"; // a header without text says nothing to a screen reader
  return element(tag, { className: isText ? "" : "number", ...(title && { scope: "col" }) }, title);
}

function rowOf({ columns }, cells, shares = []) {
  const shown = cells.map((text, index) => {
    if (index === 0) return element("th", { scope: "row" }, text);
    const cell = element("td", { className: columns[index].is_text ? "" : "number" }, text);
    if (shares[index] > 0) {
      cell.classList.add("share");
      cell.style.setProperty("--share", shares[index]);
    }
    return cell;
  });
  return element("tr", {}, ...shown);
}
