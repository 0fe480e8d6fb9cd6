/**
 * One call to the front desk over WebRTC. It knows nothing of the page.
 *
 * A line that breaks is made anew, for half a minute, with the token that the device gave for that: the call goes on.
 *
 * Events, each a CustomEvent:
 * - `phase`: `{phase: "asking"|"connecting"|"warming"|"connected"|"weak"|"returning", message?, tries?}`
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
/** How long a broken line is made anew, how long each try may take, and the rest between two. */
const RETURN_WITHIN_MS = 30000;
const RETURN_TRY_MS = 8000;
const RETURN_RETRY_MS = 1000;
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
  /** The line before, while another one is made. @type {RTCPeerConnection|null} */
  #broken = null;
  /** @type {RTCDataChannel|null} */
  #channel = null;
  /** What the device wants to see of a caller who comes back. */
  #resume = "";
  #returning = false;
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
      await this.#ring();
    } catch (error) {
      this.#fail(ofError(error));
    }
  }

  /** Offer the device a line, the first or another one to the same call. */
  async #ring() {
    const offer = await this.#offer(/** @type {MediaStream} */ (this.microphone));
    const answer = await this.#post(offer);
    this.#broken?.close();
    this.#broken = null;
    if (this.#over) return;
    this.id = String(answer.call ?? "");
    this.#resume = String(answer.resume ?? "");
    if (!this.#returning) this.#deadline = setTimeout(() => this.#fail(NO_LINE), CONNECT_MS);
    await this.#pc?.setRemoteDescription({ type: answer.type, sdp: answer.sdp });
  }

  /** The line broke in the middle of the call. */
  async #comeBack() {
    if (this.#over || this.#returning) return;
    if (!this.#resume) return this.#fail(LOST);
    this.#returning = true;
    clearTimeout(this.#deadline);
    this.#tell("phase", { phase: "returning" });
    const until = performance.now() + RETURN_WITHIN_MS;
    while (!this.#over && performance.now() < until) {
      try {
        await this.#ring();
        if (await connected(this.#pc, RETURN_TRY_MS, this.#stop.signal)) break;
      } catch (error) {
        const problem = ofError(error);
        if (problem !== UNREACHABLE) return this.#fail(problem);
      }
      await delay(RETURN_RETRY_MS, this.#stop.signal);
    }
    this.#returning = false;
    if (this.#pc?.connectionState !== "connected") this.#fail(LOST);
  }

  /** End the call, or give up ringing. */
  hangUp() {
    const open = this.#channel?.readyState === "open";
    if (open) this.#channel?.send(JSON.stringify({ type: "hangup" }));
    this.#finish({ reason: this.id === null ? "cancelled" : "hangup", byUs: true }, open);
  }

  /** @param {MediaStream} microphone @returns {Promise<RTCSessionDescription>} with its candidates */
  async #offer(microphone) {
    // The old line is closed only once the device knows of the new one: to the device, a closed line is a hang-up.
    if (this.#broken) this.#pc?.close();
    else this.#broken = this.#pc;
    const pc = new RTCPeerConnection({ iceServers: await iceServers(this.#stop.signal) });
    this.#pc = pc;
    pc.addEventListener("connectionstatechange", () => {
      if (pc === this.#pc) this.#onConnection(pc.connectionState);
    });
    pc.addEventListener("track", (event) => {
      this.remote = event.streams[0] ?? new MediaStream([event.track]);
      this.#tell("remote", null);
    });
    for (const track of microphone.getAudioTracks()) pc.addTrack(track, microphone);

    const channel = pc.createDataChannel("events", { ordered: true });
    this.#channel = channel;
    channel.addEventListener("message", (event) => {
      if (channel === this.#channel) this.#onMessage(event.data);
    });
    channel.addEventListener("close", () => {
      if (channel === this.#channel) this.#comeBack();
    });

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
      const rung = { sdp: offer.sdp, type: offer.type, resume: this.#resume };
      const reply = await post("/api/offer", rung, this.#stop.signal);
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
      this.#deadline = setTimeout(() => this.#comeBack(), LOST_AFTER_MS);
    } else if (state === "failed") {
      if (this.#channel?.readyState !== "connecting") this.#comeBack();
      else if (!this.#returning) this.#fail(NO_LINE);
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
    this.#broken?.close();
    this.#pc?.close();
  }

  /** @param {string} type @param {unknown} detail */
  #tell(type, detail) {
    if (type !== "over" && this.#over) return;
    this.dispatchEvent(new CustomEvent(type, { detail }));
  }
}

/**
 * @param {RTCPeerConnection|null} pc
 * @param {number} ms
 * @param {AbortSignal} signal
 * @returns {Promise<boolean>} whether the line stood in time
 */
async function connected(pc, ms, signal) {
  const until = performance.now() + ms;
  while (pc && performance.now() < until && !signal.aborted) {
    if (pc.connectionState === "connected") return true;
    if (pc.connectionState === "failed" || pc.connectionState === "closed") return false;
    await delay(100, signal);
  }
  return false;
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
 * What the owner configured for callers whose network needs it; none where the device cannot be asked now.
 *
 * @param {AbortSignal} signal
 * @returns {Promise<RTCIceServer[]>}
 */
async function iceServers(signal) {
  try {
    const reply = await fetch("/api/ice", { signal });
    return reply.ok ? (await reply.json()).iceServers : [];
  } catch {
    return [];
  }
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
