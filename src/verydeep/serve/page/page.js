// Sends images to the server that gave this page, and to no other, and shows its answers.

const AT_ONCE = 4; // requests in flight, so that a hundred images do not fill the queue
const RETRIES = 5; // after status 503
const NONE = "none of these";

const at = (id) => document.getElementById(id);
const percent = (share) => `${(100 * share).toFixed(1)} %`;
const entries = []; // {file, url, answer, error, ms, heatFor}
let model = null;
let shown = null;
let token = sessionStorage.getItem("token");

// Requests

function headers() {
  return token ? { Authorization: `Bearer ${token}` } : {};
}

class Refused extends Error {
  constructor(status, message) {
    super(message);
    this.status = status;
  }
}

async function ask(path, options = {}, tries = RETRIES) {
  let response;
  try {
    response = await fetch(path, { ...options, headers: headers() });
  } catch {
    throw new Refused(0, "The server does not answer. Is it still running?");
  }
  if (response.ok) return response.json();
  const wait = Number(response.headers.get("Retry-After"));
  if (response.status === 503 && wait && tries > 0) {
    await new Promise((done) => setTimeout(done, 1000 * wait));
    return ask(path, options, tries - 1);
  }
  const problem = await response.json().catch(() => ({}));
  throw new Refused(response.status, problem.detail || `The server answered with status ${response.status}.`);
}

async function predict(entry, explain) {
  const form = new FormData();
  form.append("file", entry.file, entry.file.name || "image");
  const start = performance.now();
  const [answer] = await ask(`v1/predict?top=5${explain ? "&explain=grad-cam" : ""}`, { method: "POST", body: form });
  entry.ms = performance.now() - start;
  entry.answer = answer;
}

// The network

async function describe() {
  try {
    model = await ask("v1/model");
  } catch (error) {
    at("login").hidden = error.status !== 401;
    if (error.status === 401) at("token").focus();
    if (error.status !== 401 || token) showError(error.message);
    return;
  }
  at("login").hidden = true;
  at("errors").replaceChildren();
  const { classes, size, runtime, precision, limits } = model;
  at("name").textContent = model.name;
  at("facts").textContent = `${classes.length.toLocaleString("en")} classes, ${size} px, ${runtime} ${precision}`;
  at("limits").textContent = `JPEG, PNG, WebP, GIF, BMP or TIFF, up to ${Math.floor(limits.bytes / 1e6)} MB each`;
  at("heat-tools").hidden = model.explain.length === 0;
}

at("login").addEventListener("submit", (event) => {
  event.preventDefault();
  token = at("token").value.trim();
  sessionStorage.setItem("token", token);
  describe();
});

// Images come in

async function classify(files) {
  const added = [...files].map((file) => ({ file, url: URL.createObjectURL(file) }));
  if (!added.length) return;
  at("errors").replaceChildren();
  entries.push(...added);
  let done = 0;
  const waiting = [...added];
  const work = async () => {
    for (let entry = waiting.shift(); entry; entry = waiting.shift()) {
      await classifyOne(entry);
      done += 1;
      at("status").textContent = done < added.length ? `${done} of ${added.length} images` : summary(added);
      showRows();
    }
  };
  at("status").textContent = `Classifying ${added.length === 1 ? "the image" : `${added.length} images`} …`;
  await Promise.all(Array.from({ length: AT_ONCE }, work));
  const first = added.find((entry) => entry.answer);
  if (first) show(first);
}

async function classifyOne(entry) {
  const name = entry.file.name || "image";
  if (model && entry.file.size > model.limits.bytes) {
    entry.error = `larger than ${Math.floor(model.limits.bytes / 1e6)} MB`;
  } else {
    try {
      await predict(entry, false);
    } catch (error) {
      entry.error = error.message;
      if (error.status === 401) at("login").hidden = false;
    }
  }
  if (entry.error) showError(`${name}: ${entry.error}`);
}

function summary(added) {
  const broken = added.filter((entry) => entry.error).length;
  if (added.length === 1) return broken ? "" : `${labelOf(added[0])}, ${percent(added[0].answer.confidence)}`;
  return `${added.length} images${broken ? `, ${broken} of them could not be classified` : ""}`;
}

at("files").addEventListener("change", (event) => {
  classify(event.target.files);
  event.target.value = "";
});
document.addEventListener("paste", (event) => {
  if (event.clipboardData.files.length) classify(event.clipboardData.files);
});
for (const kind of ["dragover", "drop", "dragleave"]) {
  document.addEventListener(kind, (event) => {
    event.preventDefault();
    at("drop").classList.toggle("over", kind === "dragover");
    if (kind === "drop") classify(event.dataTransfer.files);
  });
}

// The camera, which browsers allow on localhost and over https

if (navigator.mediaDevices) at("camera").hidden = false;
at("camera").addEventListener("click", async () => {
  try {
    at("video").srcObject = await navigator.mediaDevices.getUserMedia({ video: { facingMode: "environment" } });
    at("viewfinder").hidden = false;
    at("shoot").focus();
  } catch (error) {
    showError(`The camera cannot be used: ${error.message}`);
  }
});
at("shoot").addEventListener("click", () => {
  const video = at("video");
  const canvas = document.createElement("canvas");
  [canvas.width, canvas.height] = [video.videoWidth, video.videoHeight];
  canvas.getContext("2d").drawImage(video, 0, 0);
  canvas.toBlob((blob) => classify([new File([blob], "photo.jpg", { type: "image/jpeg" })]), "image/jpeg", 0.95);
});
at("close").addEventListener("click", () => {
  for (const track of at("video").srcObject.getTracks()) track.stop();
  at("viewfinder").hidden = true;
  at("camera").focus();
});

// Results

function threshold() {
  return Number(at("threshold").value) / 100;
}

function labelOf(entry) {
  return entry.answer.confidence < threshold() ? NONE : entry.answer.label;
}

function showError(message) {
  const line = document.createElement("p");
  line.textContent = message;
  at("errors").append(line);
}

function show(entry) {
  shown = entry;
  const { file, confidence, probabilities } = entry.answer;
  const isRejected = confidence < threshold();
  at("result").hidden = false;
  if (at("preview").src !== entry.url) at("preview").src = entry.url;
  at("preview").alt = `The image ${file}`;
  at("file").textContent = file;
  at("label").textContent = labelOf(entry);
  at("bars").classList.toggle("rejected", isRejected);
  at("bars").replaceChildren(...Object.entries(probabilities).map(([name, share]) => bar(name, share)));
  at("latency").textContent = `${Math.round(entry.ms)} ms from sending the image to the answer`;
  showHeat();
  showRows();
}

function bar(name, share) {
  const item = document.createElement("li");
  const named = document.createElement("div");
  const track = document.createElement("div");
  const filled = document.createElement("div");
  [named.className, track.className, filled.className] = ["named", "track", "bar"];
  for (const text of [name, percent(share)]) {
    const span = document.createElement("span");
    span.textContent = text;
    named.append(span);
  }
  filled.style.width = `${100 * share}%`;
  track.append(filled);
  item.append(named, track);
  return item;
}

async function showHeat() {
  const heat = at("heat");
  const entry = shown;
  heat.hidden = true;
  if (!at("explain").checked || !entry) return;
  if (!entry.answer.heat_map) {
    try {
      await predict(entry, true);
    } catch (error) {
      showError(error.message);
      return;
    }
  }
  if (entry !== shown || !at("explain").checked) return;
  const { png, label } = entry.answer.heat_map;
  heat.src = `data:image/png;base64,${png}`;
  heat.alt = `Heat map of the evidence for ${label}`;
  heat.style.opacity = Number(at("opacity").value) / 100;
  placeHeat();
  heat.hidden = false;
}

// The network sees a square in the center: `crop` of the short side.
function placeHeat() {
  const { naturalWidth: width, naturalHeight: height } = at("preview");
  if (!width) return;
  const side = Math.min(width, height) * model.crop;
  Object.assign(at("heat").style, {
    left: `${(50 * (width - side)) / width}%`, top: `${(50 * (height - side)) / height}%`,
    width: `${(100 * side) / width}%`, height: `${(100 * side) / height}%`,
  });
}

at("preview").addEventListener("load", placeHeat);
at("explain").addEventListener("change", showHeat);
at("opacity").addEventListener("input", () => {
  at("opacity-value").textContent = `${at("opacity").value} %`;
  at("heat").style.opacity = Number(at("opacity").value) / 100;
});
at("threshold").addEventListener("input", () => {
  at("threshold-value").textContent = `${at("threshold").value} %`;
  if (shown) show(shown);
});

// The table

function showRows() {
  at("list").hidden = entries.length < 2;
  at("rows").replaceChildren(...entries.filter((entry) => entry.answer || entry.error).map(row));
}

function row(entry) {
  const line = document.createElement("tr");
  const [name, ...cells] = Array.from({ length: 4 }, () => document.createElement("td"));
  if (entry === shown) line.setAttribute("aria-current", "true");
  if (entry.answer) {
    const button = document.createElement("button");
    button.type = "button";
    button.textContent = entry.answer.file;
    button.addEventListener("click", () => show(entry));
    name.append(button);
    [cells[0].textContent, cells[1].textContent] = [labelOf(entry), percent(entry.answer.confidence)];
    cells[2].textContent = `${Math.round(entry.ms)} ms`;
  } else {
    [name.textContent, cells[0].textContent] = [entry.file.name, entry.error];
  }
  line.append(name, ...cells);
  return line;
}

at("clear").addEventListener("click", () => {
  for (const entry of entries.splice(0)) URL.revokeObjectURL(entry.url);
  shown = null;
  at("result").hidden = true;
  at("status").textContent = "";
  at("errors").replaceChildren();
  showRows();
  at("files").focus();
});

// A cell that a spreadsheet would take for a formula begins with an apostrophe, as in `verydeep predict --out`.
function cell(value) {
  const text = /^[=+\-@\t\r]/.test(value) ? `'${value}` : String(value);
  return /[",\r\n]/.test(text) ? `"${text.replaceAll('"', '""')}"` : text;
}

at("csv").addEventListener("click", () => {
  const rows = entries.map(({ file, answer, error }) =>
    answer
      ? [answer.file, labelOf({ answer }), answer.confidence.toPrecision(6), ""]
      : [file.name, "", "", error || ""],
  );
  const lines = [["file", "label", "confidence", "error"], ...rows].map((cells) => cells.map(cell).join(","));
  const link = document.createElement("a");
  link.href = URL.createObjectURL(new Blob([`${lines.join("\n")}\n`], { type: "text/csv" }));
  link.download = "predictions.csv";
  link.click();
  URL.revokeObjectURL(link.href);
});

describe();
