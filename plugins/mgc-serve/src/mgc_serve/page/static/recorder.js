/** Records the microphone as PCM and makes a WAV file of it, which every install of mgc decodes. */
import { $ } from "./dom.js";
import { clock } from "./words.js";

const LONGEST = 600; // s

export function wav(blocks, rate) {
  const count = blocks.reduce((sum, block) => sum + block.length, 0);
  const view = new DataView(new ArrayBuffer(44 + 2 * count));
  const text = (at, word) => [...word].forEach((letter, i) => view.setUint8(at + i, letter.charCodeAt(0)));
  text(0, "RIFF"); view.setUint32(4, 36 + 2 * count, true); text(8, "WAVEfmt ");
  view.setUint32(16, 16, true); view.setUint16(20, 1, true); view.setUint16(22, 1, true);
  view.setUint32(24, rate, true); view.setUint32(28, 2 * rate, true);
  view.setUint16(32, 2, true); view.setUint16(34, 16, true);
  text(36, "data"); view.setUint32(40, 2 * count, true);
  let at = 44;
  for (const block of blocks) for (const x of block) {
    view.setInt16(at, Math.round(Math.max(-1, Math.min(1, x)) * 32767), true);
    at += 2;
  }
  return view.buffer;
}

async function open(heard) {
  const stream = await navigator.mediaDevices.getUserMedia({
    // A telephone's helpers take music for noise.
    audio: { echoCancellation: false, noiseSuppression: false, autoGainControl: false },
  });
  const context = new AudioContext();
  await context.audioWorklet.addModule("static/recorder-worklet.js");
  const node = new AudioWorkletNode(context, "mgc-recorder", { numberOfOutputs: 0, channelCount: 1, channelCountMode: "explicit" });
  node.port.onmessage = ({ data }) => heard(data);
  context.createMediaStreamSource(stream).connect(node);
  return { rate: context.sampleRate, close: () => { stream.getTracks().forEach((t) => t.stop()); return context.close(); } };
}

export function watchRecorder(take, trouble) {
  let recording = null;
  let number = 0;
  if (!navigator.mediaDevices?.getUserMedia) $("record").hidden = true; // no microphone without https or localhost

  $("record").addEventListener("click", async () => {
    const blocks = [];
    let samples = 0;
    try {
      recording = { blocks, ...await open(heard) };
    } catch (error) {
      trouble(`The microphone cannot be used: ${error.message}`);
      return;
    }
    show(true);
    $("record-stop").focus();

    function heard(block) {
      blocks.push(block);
      samples += block.length;
      if (blocks.length % 16 || !recording) return;
      const seconds = samples / recording.rate;
      $("record-time").textContent = clock(seconds);
      const level = Math.sqrt(block.reduce((sum, x) => sum + x * x, 0) / block.length);
      $("record-level").style.setProperty("--level", Math.min(1, 4 * level));
      if (seconds >= LONGEST) stop(true);
    }
  });
  $("record-stop").addEventListener("click", () => stop(true));
  $("record-discard").addEventListener("click", () => stop(false));

  function show(on) {
    $("recorder").hidden = !on;
    $("drop").hidden = on;
    $("record-time").textContent = "0:00";
  }

  async function stop(keep) {
    if (!recording) return;
    const { blocks, rate, close } = recording;
    recording = null;
    await close();
    show(false);
    $("record").focus();
    if (!keep || !blocks.length) return;
    number += 1;
    const file = new File([wav(blocks, rate)], `Recording ${number}.wav`, { type: "audio/wav" });
    take([{ file, path: file.name }]);
  }
}
