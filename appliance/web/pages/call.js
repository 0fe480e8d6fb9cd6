/**
 * One call to the front desk over WebRTC. It knows nothing of the page.
 *
 * Events, each a CustomEvent:
 * - `phase`: `{phase: "asking"|"connecting"|"warming"|"connected"|"weak", message?, tries?}`
 * - `remote`: the agent's voice is there, in `remote`
 * - `message`: what the device told, a `Message`
 * - `over`, once: `{reason: "cancelled"|"hangup"|"stopped"|"limit"|…, byUs: boolean}` or `{problem: Problem}`
 */

import { read } from "./messages.js";
import { CallFailed, INSECURE, LOST, NO_LINE, UNREACHABLE, ofError, ofMicrophone, ofRefusal } from "./problems.js";

const GATHER_MS = 1000;
const WARMING_RETRY_MS = 2000;
const CONNECT_MS = 15000;
const LOST_AFTER_MS = 5000;
/** How long a hang-up may take to reach the device before the line closes. */
const FAREWELL_MS = 300;

export class Call extends EventTarget {
  /** The device's id for this call. @type {string|null} */
  id = null;
  /** The caller's microphone. @type {MediaStream|null} */
  microphone = null;
  /** The agent's voice. @type {MediaStream|null} */
  remote = null;

  /** @type {RTCPeerConnection|null} */
  #pc = null;
  /** @type {RTCDataChannel|null} */
  #channel = null;
  #over = false;
  #stop = new AbortController();
  #deadline = 0;

  /** Ask for the microphone and ring the device. Never throws: what goes wrong is told by `over`. */
  async start() {
    try {
      this.#tell("phase", { phase: "asking" });
      this.microphone = await openMicrophone();
      if (this.#over) return this.#release();
      this.#tell("phase", { phase: "connecting" });
      const offer = await this.#offer(this.microphone);
      const answer = await this.#post(offer);
      if (this.#over) return;
      this.id = String(answer.call ?? "");
      this.#deadline = setTimeout(() => this.#fail(NO_LINE), CONNECT_MS);
      await this.#pc?.setRemoteDescription({ type: answer.type, sdp: answer.sdp });
    } catch (error) {
      this.#fail(ofError(error));
    }
  }

  /** End the call, or give up ringing. */
  hangUp() {
    const open = this.#channel?.readyState === "open";
    if (open) this.#channel?.send(JSON.stringify({ type: "hangup" }));
    this.#finish({ reason: this.id === null ? "cancelled" : "hangup", byUs: true }, open);
  }

  /** @param {MediaStream} microphone @returns {Promise<RTCSessionDescription>} with its candidates */
  async #offer(microphone) {
    const pc = new RTCPeerConnection({ iceServers: [] });
    this.#pc = pc;
    pc.addEventListener("connectionstatechange", () => this.#onConnection(pc.connectionState));
    pc.addEventListener("track", (event) => {
      this.remote = event.streams[0] ?? new MediaStream([event.track]);
      this.#tell("remote", null);
    });
    for (const track of microphone.getAudioTracks()) pc.addTrack(track, microphone);

    const channel = pc.createDataChannel("events", { ordered: true });
    this.#channel = channel;
    channel.addEventListener("message", (event) => this.#onMessage(event.data));
    channel.addEventListener("close", () => this.#fail(LOST));

    await pc.setLocalDescription();
    await gathered(pc, this.#stop.signal);
    return /** @type {RTCSessionDescription} */ (pc.localDescription);
  }

  /**
   * Send the offer; while the device is still starting, send it again every two seconds.
   *
   * @param {RTCSessionDescription} offer
   * @returns {Promise<any>} the device's answer
   */
  async #post(offer) {
    for (let tries = 1; ; tries += 1) {
      const reply = await post("/api/offer", { sdp: offer.sdp, type: offer.type }, this.#stop.signal);
      const body = await reply.json().catch(() => null);
      if (reply.ok && body) return body;
      if (reply.status !== 503 || body?.error !== "starting") throw new CallFailed(ofRefusal(reply.status, body));
      this.#tell("phase", { phase: "warming", message: body.message, tries, retry_ms: WARMING_RETRY_MS });
      await delay(WARMING_RETRY_MS, this.#stop.signal);
    }
  }

  /** @param {unknown} data */
  #onMessage(data) {
    const message = read(data);
    if (!message || this.#over) return;
    this.#tell("message", message);
    if (message.type === "ended") this.#finish({ reason: message.reason, byUs: false });
  }

  /** @param {RTCPeerConnectionState} state */
  #onConnection(state) {
    if (state === "connected") {
      clearTimeout(this.#deadline);
      this.#tell("phase", { phase: "connected" });
    } else if (state === "disconnected") {
      this.#tell("phase", { phase: "weak" });
      clearTimeout(this.#deadline);
      this.#deadline = setTimeout(() => this.#fail(LOST), LOST_AFTER_MS);
    } else if (state === "failed") {
      this.#fail(this.#channel?.readyState === "connecting" ? NO_LINE : LOST);
    }
  }

  /** @param {import("./problems.js").Problem} problem */
  #fail(problem) {
    this.#finish({ problem });
  }

  /**
   * @param {object} outcome detail of `over`
   * @param {boolean} [farewell] leave the line open for a moment, so that what was sent arrives
   */
  #finish(outcome, farewell = false) {
    if (this.#over) return;
    this.#over = true;
    clearTimeout(this.#deadline);
    this.#stop.abort();
    for (const track of this.microphone?.getTracks() ?? []) track.stop();
    if (farewell) setTimeout(() => this.#release(), FAREWELL_MS);
    else this.#release();
    this.#tell("over", outcome);
  }

  #release() {
    for (const track of this.microphone?.getTracks() ?? []) track.stop();
    this.#pc?.close();
  }

  /** @param {string} type @param {unknown} detail */
  #tell(type, detail) {
    if (type !== "over" && this.#over) return;
    this.dispatchEvent(new CustomEvent(type, { detail }));
  }
}

/** @returns {Promise<MediaStream>} */
async function openMicrophone() {
  if (!navigator.mediaDevices?.getUserMedia) throw new CallFailed(INSECURE);
  try {
    return await navigator.mediaDevices.getUserMedia({
      audio: { echoCancellation: true, noiseSuppression: true, autoGainControl: true },
    });
  } catch (error) {
    throw new CallFailed(ofMicrophone(error));
  }
}

/**
 * Until every candidate is known, or one second: some machines never finish.
 *
 * @param {RTCPeerConnection} pc
 * @param {AbortSignal} signal
 */
async function gathered(pc, signal) {
  if (pc.iceGatheringState === "complete") return;
  const complete = new Promise((resolve) => {
    pc.addEventListener("icegatheringstatechange", () => {
      if (pc.iceGatheringState === "complete") resolve(undefined);
    });
  });
  await Promise.race([complete, delay(GATHER_MS, signal)]);
}

/**
 * @param {string} url
 * @param {object} body
 * @param {AbortSignal} signal
 */
async function post(url, body, signal) {
  try {
    return await fetch(url, {
      method: "POST",
      headers: { "Content-Type": "application/json" },
      body: JSON.stringify(body),
      signal,
    });
  } catch {
    throw new CallFailed(UNREACHABLE);
  }
}

/**
 * @param {number} ms
 * @param {AbortSignal} signal ends the delay early
 * @returns {Promise<void>}
 */
function delay(ms, signal) {
  return new Promise((resolve) => {
    const timer = setTimeout(resolve, ms);
    signal.addEventListener("abort", () => {
      clearTimeout(timer);
      resolve();
    });
  });
}
