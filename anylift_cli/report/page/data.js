// What the page holds: facts, arrays and the video, read from its own data blocks.

const TYPED = { float32: Float32Array, uint32: Uint32Array, uint16: Uint16Array, int16: Int16Array, uint8: Uint8Array };

const textOf = (id) => document.getElementById(id).textContent;

function bytesFromBase64(text) {
  if (Uint8Array.fromBase64) return Uint8Array.fromBase64(text);
  const binary = atob(text);
  const bytes = new Uint8Array(binary.length);
  for (let i = 0; i < binary.length; i++) bytes[i] = binary.charCodeAt(i);
  return bytes;
}

async function readArrays(index) {
  const packed = new Blob([bytesFromBase64(textOf("array-data"))]);
  const buffer = await new Response(packed.stream().pipeThrough(new DecompressionStream("gzip"))).arrayBuffer();
  return Object.fromEntries(
    Object.entries(index).map(([name, { type, shape, offset }]) => {
      const count = shape.reduce((product, size) => product * size, 1);
      return [name, new TYPED[type](buffer, offset, count)];
    }),
  );
}

function readVideo() {
  const text = textOf("video-data");
  if (!text) return null;
  return URL.createObjectURL(new Blob([bytesFromBase64(text)], { type: "video/mp4" }));
}

// The row of ascending `times` that lies nearest to `time`.
function nearest(times, time) {
  let low = 0;
  let high = times.length - 1;
  while (low < high) {
    const middle = (low + high) >> 1;
    if (times[middle] < time) low = middle + 1;
    else high = middle;
  }
  return low > 0 && time - times[low - 1] <= times[low] - time ? low - 1 : low;
}

function clockText(seconds) {
  const hundredths = Math.max(0, Math.round(seconds * 100));
  const rest = String(hundredths % 6000).padStart(4, "0");
  return `${Math.floor(hundredths / 6000)}:${rest.slice(0, 2)}.${rest.slice(2)}`;
}

const styleOf = (name) => getComputedStyle(document.documentElement).getPropertyValue(name).trim();

const personColor = (number) => styleOf(`--person${number % 5}`);
