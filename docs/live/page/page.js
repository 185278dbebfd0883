// The page: fields of the form go to Python and into the address, and the answer is shown.

import { fill, fragmentOf, valuesOf } from "./address.js";
import { at, element, say } from "./elements.js";
import { startPython } from "./python.js";
import { show } from "./view.js";

const PAUSE = 200; // ms without a key before the network is computed
const WIDE = "(min-width: 1000px)"; // as in page.css: zoo and options are beside the result
const form = at("form");
const began = performance.now();
let timer = null;
let ask = () => {};

start().catch((error) => failed(error.message));

async function start() {
  const response = await fetch(new URL("start.json", import.meta.url));
  if (!response.ok) throw new Error(`start.json: ${response.status} ${response.statusText}`);
  const started = await response.json();
  prepare(started);
  progress(0, started);
  // Without a network in the address, what was typed since the page came stays.
  if (location.hash) fill(form, location.hash);
  if (fragmentOf(form) === `#${new URLSearchParams({ network: at("network").defaultValue })}`) show(started.first);
  listen();
  ask = startPython({
    progress: (bytes) => progress(bytes, started),
    ready: () => ready(started),
    failure: failed,
    answer: show,
  });
  ask(valuesOf(form));
}

/** The choices and buttons that verydeep has. */
function prepare({ zoo, optimizers, dtypes, memory, tokens }) {
  for (const [id, names] of [["optimizer", optimizers], ["dtype", dtypes]]) {
    at(id).append(...names.map((name) => element("option", { value: name }, name)));
  }
  for (const part of document.querySelectorAll("aside details")) part.open = matchMedia(WIDE).matches;
  at("memory").defaultValue = memory;
  at("tokens").textContent = tokens;
  const button = ({ name, title }) => element("button", { type: "button", className: "chip", value: name, title }, name);
  at("names").append(...zoo.flatMap(({ networks }) => networks.map(({ name }) => element("option", { value: name }))));
  at("papers").append(
    ...zoo.map(({ paper, networks }) =>
      element("div", {}, element("dt", {}, paper), element("dd", {}, ...networks.map(button))),
    ),
  );
}

function listen() {
  document.addEventListener("input", () => {
    clearTimeout(timer);
    timer = setTimeout(() => changed("replaceState"), PAUSE);
  });
  form.addEventListener("submit", (event) => {
    event.preventDefault();
    changed("replaceState");
  });
  at("papers").addEventListener("click", ({ target }) => {
    if (!target.value) return;
    at("network").value = target.value;
    changed("pushState");
  });
  addEventListener("popstate", () => {
    fill(form, location.hash);
    ask(valuesOf(form));
  });
  at("copy").addEventListener("click", copyLink);
}

function changed(method) {
  clearTimeout(timer);
  history[method](null, "", fragmentOf(form));
  ask(valuesOf(form));
}

async function copyLink() {
  const text = await navigator.clipboard?.writeText(location.href).then(
    () => "Copied",
    () => null,
  );
  at("copy").textContent = text ?? "Copy it from the address bar";
  setTimeout(() => (at("copy").textContent = "Copy the link"), 2000);
}

function progress(bytes, { fetched, python }) {
  at("progress").hidden = false;
  at("progress").value = bytes / fetched;
  const [have, all] = [bytes, fetched].map((count) => (count / 1e6).toFixed(1));
  at("status").textContent = bytes < fetched ? `Loading Python ${python}: ${have} of ${all} MB` : `Starting Python ${python}`;
}

function ready({ python, version, bytes, compressed }) {
  const seconds = ((performance.now() - began) / 1000).toFixed(1);
  const [all, sent] = [bytes, compressed].map((count) => (count / 1e6).toFixed(1));
  at("progress").hidden = true;
  at("status").textContent = `Python ${python} with verydeep ${version}: ${all} MB (${sent} MB compressed), loaded in ${seconds} s.`;
}

function failed(reason) {
  at("progress").hidden = true;
  say("status", `Python cannot be loaded: ${reason}`);
  at("said").textContent = at("status").textContent;
}
