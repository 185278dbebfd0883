// Lays out an answer of `live_page.py`: the texts, tables and diagrams in it are those of verydeep.

import { at, element, say, setFile } from "./elements.js";
import { tableOf } from "./table.js";

const FIELDS = ["network", "batch", "memory"]; // which `answer.field` names

export function show(answer) {
  const errors = { error: answer.error ?? "", "second-error": answer.second_error ?? "" };
  for (const [id, text] of Object.entries(errors)) say(id, text && `Error: ${text}`);
  for (const id of FIELDS) markInvalid(id, id === answer.field ? "error" : "");
  markInvalid("second", answer.second_error ? "second-error" : "");
  at("stale").hidden = !answer.error;
  at("said").textContent = [at("error").textContent || answer.summary, at("second-error").textContent].join(" ").trim();
  if (!answer.error) showNetwork(answer);
}

/** Marks a field with the id of the error that it has; none where `error` is empty. */
function markInvalid(id, error) {
  at(id).setAttribute("aria-invalid", Boolean(error));
  if (error) at(id).setAttribute("aria-describedby", error);
  else at(id).removeAttribute("aria-describedby");
}

function showNetwork(answer) {
  at("name").textContent = answer.name;
  at("notes").replaceChildren(...answer.notes.map((note) => element("li", {}, `Note: ${note}`)));
  at("command").textContent = answer.command;
  at("tiles").replaceChildren(
    ...answer.tiles.map(([name, value, exact]) =>
      element("div", {}, element("dt", {}, name), element("dd", {}, value), element("dd", { className: "exact" }, exact)),
    ),
  );
  at("layers").replaceChildren(...tableOf(answer.layers));
  at("memory-table").replaceChildren(...tableOf(answer.memory));
  showDiagram("diagram", answer, "the table of layers has the same numbers");
  for (const [id, content, type, name] of [
    ["save-diagram", answer.diagram, "image/svg+xml", "network.svg"],
    ["save-json", answer.json, "application/json", "network.json"],
  ]) {
    setFile(at(id), "href", content, type);
    at(id).download = name;
  }
  showComparison(answer.comparison);
  at("result").hidden = false;
}

function showComparison(comparison) {
  at("comparison").hidden = at("second-diagram").hidden = !comparison;
  if (!comparison) return;
  at("comparison-table").replaceChildren(...tableOf(comparison.table));
  at("compare-command").replaceChildren();
  if (comparison.command) {
    at("compare-command").append("The same in a terminal: ", element("code", {}, comparison.command));
  }
  showDiagram("second-diagram", comparison, "the table of the difference has its totals");
}

/** As an image, in which the styles of the SVG stay for themselves. */
function showDiagram(id, { diagram, name }, instead) {
  setFile(at(id), "src", diagram, "image/svg+xml");
  at(id).alt = `Diagram of ${name}; ${instead}.`;
}
