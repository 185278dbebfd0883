// The camera, which browsers allow on localhost and over https.

import { at, showError } from "./elements.js";

let isOpening = false; // while the browser asks for permission

/** Let `add` have a file of each photo. */
export function listenToCamera(add) {
  at("camera").hidden = !navigator.mediaDevices?.getUserMedia;
  at("camera").addEventListener("click", open);
  at("close").addEventListener("click", close);
  at("shoot").addEventListener("click", () => {
    const video = at("video");
    if (!video.videoWidth) return; // the first picture has not come yet
    const canvas = document.createElement("canvas");
    [canvas.width, canvas.height] = [video.videoWidth, video.videoHeight];
    canvas.getContext("2d").drawImage(video, 0, 0);
    canvas.toBlob((blob) => add([new File([blob], "photo.png", { type: "image/png" })]), "image/png");
  });
}

async function open() {
  if (isOpening || at("video").srcObject) return; // a second stream would stay on
  isOpening = true;
  try {
    at("video").srcObject = await navigator.mediaDevices.getUserMedia({ video: { facingMode: "environment" } });
    at("viewfinder").hidden = false;
    at("shoot").focus();
  } catch (error) {
    showError(`The camera cannot be used: ${error.message}`);
  } finally {
    isOpening = false;
  }
}

function close() {
  for (const track of at("video").srcObject.getTracks()) track.stop();
  at("video").srcObject = null;
  at("viewfinder").hidden = true;
  at("camera").focus();
}
