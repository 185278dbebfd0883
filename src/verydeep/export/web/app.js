// The page: adds images from files, drops, the clipboard and the camera, and shows the classes of each.

import { loadNetwork } from "./classify.js";

const TOP = 5;
const NONE = "none of these";

const element = (id) => document.getElementById(id);
const status = (text) => (element("status").textContent = text);
const percent = (share) => `${(100 * share).toFixed(1)} %`;

const results = []; // {item, top}, of the classified images
let network = null;
let queue = Promise.resolve();
let waiting = 0;

start();

async function start() {
  try {
    network = await loadNetwork();
  } catch (error) {
    status(`The network cannot be loaded: ${error.message}.`);
    return;
  }
  const { classes } = network.description;
  status(`Ready: ${classes.length} ${classes.length === 1 ? "class" : "classes"}.`);
  element("about").textContent =
    `${network.description.name} · ${classes.length} classes. ` + element("about").textContent;
  element("choose").disabled = false;
  element("camera").disabled = false;
  element("camera").hidden = !navigator.mediaDevices?.getUserMedia;
  listen();
}

function listen() {
  const files = element("files");
  element("choose").addEventListener("click", () => files.click());
  files.addEventListener("change", () => {
    add([...files.files]);
    files.value = ""; // the same file can be chosen again
  });
  element("clear").addEventListener("click", clear);
  element("threshold").addEventListener("input", () => {
    element("threshold-value").textContent = `${element("threshold").value} %`;
    results.forEach(showAnswer);
  });
  document.addEventListener("paste", (event) => add([...(event.clipboardData?.files ?? [])]));
  document.addEventListener("dragover", (event) => {
    event.preventDefault();
    document.body.classList.add("dragging");
  });
  document.addEventListener("dragleave", (event) => {
    if (event.relatedTarget === null) {
      document.body.classList.remove("dragging");
    }
  });
  document.addEventListener("drop", (event) => {
    event.preventDefault();
    document.body.classList.remove("dragging");
    add([...event.dataTransfer.files]);
  });
  listenToCamera();
}

/** Classify files one after another; each is shown as soon as it is done. */
function add(files) {
  for (const file of files) {
    waiting += 1;
    queue = queue.then(() => classify(file));
  }
}

async function classify(file) {
  status(waiting > 1 ? `Classifying ${file.name}, ${waiting - 1} more to come.` : `Classifying ${file.name}.`);
  await new Promise((resolve) => setTimeout(resolve)); // lets the browser show it
  const item = newItem(file);
  try {
    const begin = performance.now();
    const shares = await network.probabilities(file);
    const result = { item, top: topClasses(shares) };
    results.push(result);
    item.querySelector(".file").textContent += ` · ${Math.round(performance.now() - begin)} ms`;
    showAnswer(result);
    status(`${file.name}: ${answer(result)}, ${percent(result.top[0].share)}.`);
  } catch (error) {
    item.classList.add("broken");
    item.querySelector("h2").textContent = "This browser cannot read the file as an image";
    status(`${file.name} cannot be read as an image: ${error.message}`);
  }
  waiting -= 1;
}

function newItem(file) {
  const item = element("result").content.firstElementChild.cloneNode(true);
  const image = item.querySelector("img");
  image.src = URL.createObjectURL(file);
  image.addEventListener("error", () => image.remove());
  item.querySelector(".file").textContent = file.name;
  element("results").prepend(item);
  element("clear").hidden = false;
  return item;
}

function topClasses(shares) {
  const indices = shares.map((_, index) => index).sort((a, b) => shares[b] - shares[a]);
  return indices.slice(0, TOP).map((index) => ({ name: network.description.classes[index], share: shares[index] }));
}

const answer = ({ top }) => (top[0].share < element("threshold").value / 100 ? NONE : top[0].name);

function showAnswer(result) {
  const { item, top } = result;
  item.classList.toggle("rejected", answer(result) === NONE && top[0].name !== NONE);
  item.querySelector("h2").textContent = answer(result);
  item.querySelector(".classes").replaceChildren(...top.map(row));
}

function row({ name, share }) {
  const line = document.createElement("li");
  const parts = ["name", "share", "bar"].map((kind) => {
    const part = document.createElement("span");
    part.className = kind;
    return part;
  });
  parts[0].textContent = name;
  parts[1].textContent = percent(share);
  parts[2].style.setProperty("--share", share);
  parts[2].setAttribute("aria-hidden", "true");
  line.append(...parts);
  return line;
}

function clear() {
  for (const image of element("results").querySelectorAll("img")) {
    URL.revokeObjectURL(image.src);
  }
  element("results").replaceChildren();
  results.length = 0;
  element("clear").hidden = true;
  element("choose").focus();
  status("All images are removed.");
}

function listenToCamera() {
  const dialog = element("camera-dialog");
  const video = element("video");
  element("camera").addEventListener("click", async () => {
    try {
      video.srcObject = await navigator.mediaDevices.getUserMedia({ video: { facingMode: "environment" } });
      dialog.showModal();
    } catch (error) {
      status(`The camera cannot be used: ${error.message}.`);
    }
  });
  element("close-camera").addEventListener("click", () => dialog.close());
  dialog.addEventListener("close", () => {
    video.srcObject.getTracks().forEach((track) => track.stop());
    video.srcObject = null;
  });
  element("take").addEventListener("click", () => {
    if (!video.videoWidth) {
      return; // the first picture has not come yet
    }
    const canvas = document.createElement("canvas");
    canvas.width = video.videoWidth;
    canvas.height = video.videoHeight;
    canvas.getContext("2d").drawImage(video, 0, 0);
    dialog.close();
    canvas.toBlob((blob) => add([new File([blob], "camera.png", { type: "image/png" })]), "image/png");
  });
}
