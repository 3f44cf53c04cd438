// Translates the chosen picture with an ONNX program beside this file; a worker of ONNX Runtime computes.
import * as ort from "./onnxruntime/ort.wasm.min.mjs";

ort.env.wasm.wasmPaths = new URL("./onnxruntime/", import.meta.url).href;
ort.env.wasm.proxy = true; // a worker, so that the page stays responsive

const element = (id) => document.getElementById(id);
const sessions = new Map(); // by the file of the program
let picture = null; // the chosen one, decoded and upright
let name = "";
let running = Promise.resolve(); // one translation at a time
let newest = 0;

function say(text, isError = false) {
  element("message").textContent = text;
  element("message").classList.toggle("error", isError);
}

function sized(image, shortSide) {
  const scale = Math.min(1, shortSide / Math.min(image.width, image.height));
  const canvas = element("before");
  canvas.width = Math.max(1, Math.round(image.width * scale));
  canvas.height = Math.max(1, Math.round(image.height * scale));
  const context = canvas.getContext("2d", { willReadFrequently: true });
  context.imageSmoothingQuality = "high";
  context.fillStyle = "white"; // behind what is transparent
  context.fillRect(0, 0, canvas.width, canvas.height);
  context.drawImage(image, 0, 0, canvas.width, canvas.height);
  return context.getImageData(0, 0, canvas.width, canvas.height);
}

function toTensor(pixels, channels) { // uint8, n h w c
  const bytes = new Uint8Array(pixels.width * pixels.height * channels);
  for (let i = 0; i < pixels.width * pixels.height; i++) {
    const [red, green, blue] = pixels.data.subarray(4 * i, 4 * i + 3);
    if (channels === 3) bytes.set([red, green, blue], 3 * i);
    else bytes[i] = Math.round(0.299 * red + 0.587 * green + 0.114 * blue);
  }
  return new ort.Tensor("uint8", bytes, [1, pixels.height, pixels.width, channels]);
}

function show(tensor) {
  const [, height, width, channels] = tensor.dims;
  const pixels = new ImageData(width, height);
  for (let i = 0; i < width * height; i++) {
    for (let c = 0; c < 3; c++) pixels.data[4 * i + c] = tensor.data[i * channels + (channels === 3 ? c : 0)];
    pixels.data[4 * i + 3] = 255;
  }
  const canvas = element("after");
  canvas.width = width;
  canvas.height = height;
  canvas.getContext("2d").putImageData(pixels, 0, 0);
  return canvas;
}

function crc32(bytes) {
  let crc = 0xffffffff;
  for (const byte of bytes) {
    crc ^= byte;
    for (let bit = 0; bit < 8; bit++) crc = (crc >>> 1) ^ (crc & 1 ? 0xedb88320 : 0);
  }
  return (crc ^ 0xffffffff) >>> 0;
}

function xmpChunk(packet) { // PNG, 11.3.3.4: keyword, no compression, no language, no translated keyword, text
  const body = new TextEncoder().encode(`iTXtXML:com.adobe.xmp\0\0\0\0\0${packet}`);
  const chunk = new Uint8Array(body.length + 8);
  const view = new DataView(chunk.buffer);
  view.setUint32(0, body.length - 4);
  chunk.set(body, 4);
  view.setUint32(body.length + 4, crc32(body));
  return chunk;
}

async function marked(canvas, packet) {
  const png = await new Promise((resolve) => canvas.toBlob(resolve, "image/png"));
  const header = 33; // signature and IHDR
  return new Blob([png.slice(0, header), xmpChunk(packet), png.slice(header)], { type: "image/png" });
}

async function session(file) {
  if (!sessions.has(file)) {
    say("Loading the model …");
    sessions.set(file, ort.InferenceSession.create(new URL(file, import.meta.url).href));
  }
  try {
    return await sessions.get(file);
  } catch (error) {
    sessions.delete(file);
    throw error;
  }
}

async function translate() {
  const option = element("direction").selectedOptions[0];
  const program = await session(option.value);
  const pixels = sized(picture, Number(element("size").value));
  element("pictures").hidden = false;
  say(`Translating ${pixels.width} × ${pixels.height} pixels …`);
  const start = performance.now();
  const { translated } = await program.run({ images: toTensor(pixels, Number(option.dataset.channels)) });
  const canvas = show(translated);
  const png = await marked(canvas, document.body.dataset.mark);
  const link = element("download");
  const before = link.href;
  setTimeout(() => URL.revokeObjectURL(before), 60_000); // a download of it may have begun just now
  link.href = URL.createObjectURL(png);
  link.download = `${name.replace(/\.[^.]*$/, "")}_${option.textContent}.png`;
  say(`Translated in ${((performance.now() - start) / 1000).toFixed(1)} s.`);
}

function request() {
  if (!picture) return;
  const mine = ++newest;
  running = running
    .then(() => (mine === newest ? translate() : undefined)) // only the newest of those that waited
    .catch((error) => say(`This did not work: ${error.message ?? error}`, true));
}

async function choose(file) {
  if (!file) return;
  try {
    picture = await createImageBitmap(file);
  } catch {
    say(`${file.name} is no picture that this browser can read.`, true);
    return;
  }
  name = file.name;
  request();
}

element("file").addEventListener("change", (event) => choose(event.target.files[0]));
for (const control of ["direction", "size"]) element(control).addEventListener("change", request);
const drop = element("drop");
for (const kind of ["dragover", "dragleave", "drop"]) {
  drop.addEventListener(kind, (event) => {
    event.preventDefault();
    drop.classList.toggle("over", kind === "dragover");
    if (kind === "drop") choose(event.dataTransfer.files[0]);
  });
}
