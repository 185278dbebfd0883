// Sends images to the server that gave this page, and to no other.

import { askForToken, token } from "./token.js";

export const EYEBROW = "verydeep serve";
export const PRIVACY = "Images are sent to this server only, and not kept.";
export const LINK = { text: "HTTP API", address: "docs" };
export const LATENCY = "from sending the image to the answer";
export const AT_ONCE = 4; // requests in flight, so that a hundred images do not fill the queue

const RETRIES = 5; // after status 503
const METHODS = { "grad-cam": "Grad-CAM" }; // whose name is written otherwise

/** What the page says about the network. */
export async function connect() {
  const facts = await ask("v1/model");
  const { name, classes, size, runtime, precision, formats, limits, explain, fit, crop } = facts;
  return {
    name,
    classes: classes.length,
    facts: `${classes.length.toLocaleString("en")} classes, ${size} px, ${runtime} ${precision}`,
    formats: `${formats.slice(0, -1).join(", ")} or ${formats.at(-1)}, up to ${Math.floor(limits.bytes / 1e6)} MB each`,
    maxBytes: limits.bytes,
    heatMethod: METHODS[explain[0]] ?? explain[0],
    fit,
    crop,
  };
}

/** `{file, label, confidence, probabilities}` of an image. */
export async function classify(file) {
  return predict("top=5", file);
}

/** `{label, url}`: a picture of the evidence for the predicted class. */
export async function heatMap(file) {
  const { heat_map: map } = await predict("explain=grad-cam", file);
  return { label: map.label, url: `data:image/png;base64,${map.png}` };
}

async function predict(query, file) {
  // A folder that was dropped, or a file that was changed since, would look like a server that does not answer.
  await file.slice(0, 1).arrayBuffer().catch(() => {
    throw new Error("cannot be read: it is a folder, or was changed after it was chosen");
  });
  const fields = new FormData();
  fields.append("file", file, file.name);
  const [answer] = await ask(`v1/predict?${query}`, { method: "POST", body: fields });
  return answer;
}

async function ask(path, options = {}, tries = RETRIES) {
  let response;
  const given = token();
  try {
    response = await fetch(path, { ...options, headers: given ? { Authorization: `Bearer ${given}` } : {} });
  } catch {
    throw new Error("The server does not answer. Is it still running?");
  }
  if (response.ok) return response.json();
  const problem = await response.json().catch(() => ({}));
  const message = problem.detail || `The server answered with status ${response.status}.`;
  if (response.status === 401) {
    await askForToken(given ? message : "");
    return ask(path, options, tries);
  }
  const seconds = Number(response.headers.get("Retry-After"));
  if (response.status === 503 && seconds && tries > 0) {
    await new Promise((done) => setTimeout(done, 1000 * seconds));
    return ask(path, options, tries - 1);
  }
  throw new Error(message);
}
