// Python in a worker, so that the page never waits for it. Of the requests that come while it computes, only the
// newest is kept: typing is faster than a very deep network.

const NEEDED = ["Worker", "WebAssembly"];

/** Starts Python; `on` has {progress, ready, failure, answer}. Gives the function that asks for an answer. */
export function startPython(on) {
  let state = "loading"; // then "idle", "busy" or "failed"
  let waiting = null;
  const fail = (reason) => {
    state = "failed";
    on.failure(reason);
  };
  const missing = NEEDED.filter((name) => !(name in globalThis));
  if (missing.length) {
    fail(`this browser has no ${missing.join(", no ")}. Use a current browser`);
    return () => {};
  }
  const worker = startWorker();
  const next = () => {
    state = waiting ? "busy" : "idle";
    if (waiting) worker.postMessage(waiting);
    waiting = null;
  };
  worker.addEventListener("message", ({ data }) => {
    if (state === "failed") return; // what was still on its way
    if (data.failure !== undefined) fail(data.failure);
    else if (data.fetched) {
      if (state === "loading") on.progress(data.fetched); // a file may be counted after Python is ready
    } else {
      if (data.isReady) on.ready();
      else if (!waiting) on.answer(data.answer);
      next();
    }
  });
  worker.addEventListener("error", (event) => {
    event.preventDefault();
    fail(event.message || "a file of the page is missing, or this browser has no module workers");
  });
  return (form) => {
    waiting = form;
    if (state === "idle") next();
  };
}

// A worker from a blob has the Content-Security-Policy of the page; one from an address would have none.
function startWorker() {
  const address = new URL("worker.js", import.meta.url).href;
  const code = new Blob([`import ${JSON.stringify(address)};`], { type: "text/javascript" });
  return new Worker(URL.createObjectURL(code), { type: "module" });
}
