// In a worker: Python with the modules of verydeep; a message is the fields of the form, and its answer goes back.

import { loadPyodide } from "./pyodide.mjs";

const folder = new URL(".", import.meta.url).href;
const fetchFile = self.fetch;
let fetched = 0;
self.fetch = async (...request) => {
  const response = await fetchFile(...request);
  count(response.clone());
  return response;
};

const answer = load();

addEventListener("message", async ({ data }) => {
  const answerJson = await answer.catch(() => null); // a failure to load has been reported
  if (!answerJson) return;
  try {
    postMessage({ answer: JSON.parse(answerJson(JSON.stringify(data))) });
  } catch (error) {
    postMessage({ answer: { error: error.message.trim().split("\n").at(-1) } }); // of a traceback, what went wrong
  }
});

async function load() {
  try {
    const [python, app] = await Promise.all([loadPyodide({ indexURL: folder }), read("app.zip")]);
    python.unpackArchive(app, "zip", { extractDir: "/app" });
    python.runPython("import sys; sys.path.insert(0, '/app')");
    const answerJson = python.pyimport("live_page").answer_json;
    postMessage({ isReady: true });
    return answerJson;
  } catch (error) {
    postMessage({ failure: error.message });
    throw error;
  }
}

async function read(name) {
  const response = await fetch(folder + name);
  if (!response.ok) throw new Error(`${name}: ${response.status} ${response.statusText}`);
  return response.arrayBuffer();
}

/** Reports the bytes of a response while they come. The browser keeps the compiled code of the original for next time. */
async function count(copy) {
  const reader = copy.body.getReader();
  for (let part = await reader.read(); !part.done; part = await reader.read()) {
    postMessage({ fetched: (fetched += part.value.byteLength) });
  }
}
