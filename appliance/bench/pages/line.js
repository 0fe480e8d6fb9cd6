/**
 * Calls the far end of `frontdesk bench line` and records, side by side, what goes into the microphone and what comes
 * back. `?offer=PATH&seconds=N`; posts the recording to `/result`, or what went wrong to `/failed`.
 */

const RATE = 48000;
const wanted = new URLSearchParams(location.search);

/** @param {Float32Array[]} pieces */
function joined(pieces) {
  const out = new Int16Array(pieces.length * 128);
  pieces.forEach((piece, i) => piece.forEach((sample, k) => {
    out[i * 128 + k] = Math.max(-32768, Math.min(32767, Math.round(sample * 32767)));
  }));
  return out;
}

async function measure() {
  const plain = { echoCancellation: false, noiseSuppression: false, autoGainControl: false };
  const microphone = await navigator.mediaDevices.getUserMedia({ audio: plain });
  const audio = new AudioContext({ sampleRate: RATE, latencyHint: "interactive" });
  await audio.audioWorklet.addModule("/recorder.js");
  const recorder = new AudioWorkletNode(audio, "recorder", { numberOfInputs: 2, numberOfOutputs: 0 });
  const sides = [[], []];
  recorder.port.onmessage = ({ data }) => data.forEach((piece, i) => sides[i].push(piece));
  audio.createMediaStreamSource(microphone).connect(recorder, 0, 0);

  const peer = new RTCPeerConnection({ iceServers: [] });
  peer.addTrack(microphone.getAudioTracks()[0], microphone);
  peer.addEventListener("track", ({ streams }) => {
    const player = new Audio();  // without one, Chromium decodes nothing
    player.srcObject = streams[0];
    player.muted = true;
    player.play();
    audio.createMediaStreamSource(streams[0]).connect(recorder, 0, 1);
  });
  await peer.setLocalDescription();
  await new Promise((done) => {
    if (peer.iceGatheringState === "complete") done();
    peer.addEventListener("icegatheringstatechange", () => peer.iceGatheringState === "complete" && done());
    setTimeout(done, 1000);
  });
  const { sdp, type } = peer.localDescription;
  const reply = await fetch(wanted.get("offer"), {
    method: "POST",
    headers: { "Content-Type": "application/json" },
    body: JSON.stringify({ sdp, type }),
  });
  const answer = await reply.json();
  if (!reply.ok) throw new Error(JSON.stringify(answer));
  await peer.setRemoteDescription({ type: answer.type, sdp: answer.sdp });
  await new Promise((done) => setTimeout(done, Number(wanted.get("seconds")) * 1000));
  const count = Math.min(...sides.map((side) => side.length));
  const body = new Blob(sides.map((side) => joined(side.slice(0, count))));
  await fetch("/result", { method: "POST", body });
  peer.close();
}

measure().catch((error) => fetch("/failed", { method: "POST", body: String(error) }));
