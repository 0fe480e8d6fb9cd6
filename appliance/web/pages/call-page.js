/**
 * The call page: which part of it is seen when, and what its buttons do. The call itself is in `call.js`.
 *
 * For tests and styles the body says what is shown: `data-phase`, `data-state`, and where they apply `data-problem` (a
 * problem's code), `data-ended` (the reason) and `data-call` (the device's id for the call).
 */

import { Call } from "./call.js";
import "./call-state.js";
import "./captions.js";
import "./level-meter.js";
import "./line-quality.js";

/** @typedef {import("./problems.js").Problem} Problem */
/** @typedef {import("./messages.js").Message} Message */

/** @param {string} id @returns {any} */
const part = (id) => document.getElementById(id);

const SILENT_MICROPHONE_MS = 8000;
const ENDINGS = {
  hangup: "The call has ended",
  stopped: "The front desk had to stop",
  silence: "Nobody spoke any more",
  limit: "The time for one call is over",
};
const DIALLING = {
  asking: ["One question first", "Your browser asks whether this page may use the microphone. Please allow it."],
  connecting: ["Calling", "The front desk is being called."],
  warming: ["Still warming up", "The front desk has just been started. The call begins by itself when it is ready."],
};

/** @type {Call|null} */
let call = null;
/** @type {AudioContext|null} */
let audio = null;
/** @type {WakeLockSentinel|undefined} */
let awake;
let since = 0;
/** What the device said last that it does. @type {import("./messages.js").State} */
let told = "waiting";
/** When the page began to wait for a device that warms up. */
let warmingSince = 0;
let clock = 0;
/** The replies' times so far. @type {number[]} */
let replies = [];

for (const id of ["start", "again", "retry"]) part(id).addEventListener("click", ring);
for (const id of ["cancel", "hangup"]) part(id).addEventListener("click", () => call?.hangUp());
part("sound").addEventListener("click", play);
part("state").addEventListener("shown", (/** @type {CustomEvent} */ event) => {
  document.body.dataset.state = event.detail;
});
addEventListener("pagehide", () => call?.hangUp());

function ring() {
  if (call) return;
  audio = new AudioContext();
  replies = [];
  warmingSince = 0;
  told = "waiting";
  part("captions").clear();
  part("state").state = told;
  for (const key of ["problem", "ended", "call"]) delete document.body.dataset[key];

  call = new Call();
  call.addEventListener("phase", (event) => onPhase(/** @type {CustomEvent} */ (event).detail));
  call.addEventListener("message", (event) => onMessage(/** @type {CustomEvent} */ (event).detail));
  call.addEventListener("remote", onVoice);
  call.addEventListener("over", (event) => onOver(/** @type {CustomEvent} */ (event).detail));
  call.start();
}

/** @param {{phase: string, message?: string, tries?: number, retry_ms?: number}} told */
function onPhase({ phase, message, tries = 0, retry_ms = 0 }) {
  if (phase === "connected") return begin();
  if (phase === "weak" || phase === "returning") {
    part("state").state = "trouble";
    return notice(phase === "weak" ? "The line is weak. Please hold on." : "The line broke. Calling again …");
  }
  const [title, text] = DIALLING[/** @type {keyof typeof DIALLING} */ (phase)];
  part("dialling-title").textContent = title;
  const words = phase === "warming" && message ? message : text;
  if (part("dialling-text").textContent !== words) part("dialling-text").textContent = words;
  part("dialling-waited").textContent = "";
  part("dialling-progress").removeAttribute("value");
  if (phase === "warming") warm(tries, retry_ms);
  show(phase);
}

/**
 * Fill the bar until the device is asked again, and say how long it has been.
 *
 * @param {number} tries
 * @param {number} retryMs
 */
function warm(tries, retryMs) {
  const asked = performance.now();
  warmingSince ||= asked;
  const step = () => {
    const now = performance.now();
    part("dialling-progress").value = Math.min(1, (now - asked) / retryMs);
    const asks = tries === 1 ? "once" : `${tries} times`;
    part("dialling-waited").textContent = `Waited ${length(now - warmingSince)}, asked ${asks}`;
  };
  step();
  every(100, step);
}

/** The line stands, for the first time or again. */
function begin() {
  notice("");
  if (document.body.dataset.phase === "call") {
    part("state").state = told;
    return;
  }
  since = performance.now();
  document.body.dataset.call = call?.id ?? "";
  show("call");
  const microphone = call?.microphone;
  if (audio && microphone) part("meter").connect(audio, "caller", microphone);
  microphone?.getAudioTracks()[0]?.addEventListener("ended", () => {
    notice("The microphone is gone. Plug it in, hang up, and call again.");
    part("state").state = "trouble";
  });
  const step = () => {
    part("length").textContent = length(performance.now() - since);
    listenForSilence();
  };
  step();
  every(250, step);
  keepAwake();
}

function onVoice() {
  if (!call?.remote) return;
  part("voice").srcObject = call.remote;
  if (audio) part("meter").connect(audio, "agent", call.remote);
  play();
}

/** Browsers may hold sound back until the reader presses something. */
async function play() {
  try {
    await part("voice").play();
    part("sound").hidden = true;
  } catch (error) {
    part("sound").hidden = !(error instanceof DOMException && error.name === "NotAllowedError");
  }
}

/** @param {Message} message */
function onMessage(message) {
  const stay = atEnd();
  if (message.type === "state") {
    told = message.state;
    part("state").state = told;
    part("meter").side = message.state === "speaking" ? "agent" : "caller";
  } else if (message.type === "caption") {
    part("captions").caption(message);
  } else if (message.type === "network") {
    part("quality").show(message);
  } else if (message.type === "heard") {
    part("captions").heard(message);
  } else if (message.type === "turn") {
    part("captions").figures(message);
    if (message.e2a_ms !== null) replies.push(message.e2a_ms);
  }
  if (stay) scrollTo({ top: document.documentElement.scrollHeight });
}

/** @param {{reason?: string, byUs?: boolean, problem?: Problem}} outcome */
function onOver({ reason = "", byUs = false, problem }) {
  const begun = document.body.dataset.phase === "call";
  call = null;
  clearInterval(clock);
  part("meter").disconnect();
  part("quality").clear();
  part("voice").srcObject = null;
  part("captions").finish();
  notice("");
  audio?.close();
  awake?.release();
  if (problem) showProblem(problem);
  else if (begun) showEnd(reason, byUs);
  else show("idle");
}

/** @param {Problem} problem */
function showProblem(problem) {
  part("state").state = "trouble";
  document.body.dataset.problem = problem.code;
  part("problem-title").textContent = problem.title;
  part("problem-why").textContent = problem.why;
  part("problem-mend").replaceChildren(...problem.mend.map((words) => made("li", words)));
  part("retry").textContent = problem.again ?? "Try again";
  show("problem");
}

/** @param {string} reason @param {boolean} byUs */
function showEnd(reason, byUs) {
  part("state").state = "waiting";
  document.body.dataset.ended = reason;
  const ending = ENDINGS[/** @type {keyof typeof ENDINGS} */ (reason)] ?? ENDINGS.hangup;
  part("ended-title").textContent = byUs ? "You hung up" : ending;
  const facts = [["Length", length(performance.now() - since)]];
  if (replies.length > 0) {
    facts.push(["Replies", String(replies.length)], ["Usual wait", `${(median(replies) / 1000).toFixed(1)} s`]);
  }
  part("summary").replaceChildren(
    ...facts.map(([name, value]) => {
      const pair = made("div", "");
      pair.append(made("dt", name), made("dd", value));
      return pair;
    }),
  );
  show("ended");
}

/** @param {string} phase show the parts that belong to it, and lead keyboard and screen reader there */
function show(phase) {
  if (phase !== "warming" && phase !== "call") clearInterval(clock);
  if (document.body.dataset.phase === phase) return;
  document.body.dataset.phase = phase;
  for (const section of /** @type {NodeListOf<HTMLElement>} */ (document.querySelectorAll("[data-phases]"))) {
    section.hidden = !section.dataset.phases?.split(" ").includes(phase);
  }
  part("captions").hidden = phase !== "call" && part("captions").empty;
  const heading = { idle: "start", call: "call", ended: "ended-title", problem: "problem-title" }[phase];
  part(heading ?? "dialling-title").focus({ preventScroll: true });
  scrollTo({ top: 0 });
}

/** @param {string} words "" takes it back */
function notice(words) {
  if (part("notice").textContent === words) return;
  part("notice").textContent = words;
  part("notice").hidden = words === "";
}

/** A microphone that gives not even a room's noise is muted or unplugged: say so, until it gives sound. */
function listenForSilence() {
  const words = "The microphone gives no sound. Is it muted or unplugged?";
  const dead = performance.now() - part("meter").lastSoundMs > SILENT_MICROPHONE_MS;
  if (dead && part("notice").hidden && !document.hidden) notice(words);
  if (!dead && part("notice").textContent === words) notice("");
}

/** A phone whose screen goes dark takes the microphone away. */
async function keepAwake() {
  awake = await navigator.wakeLock?.request("screen").catch(() => undefined);
  if (!call) awake?.release();
}

function atEnd() {
  return innerHeight + scrollY > document.documentElement.scrollHeight - 80;
}

/** @param {number} ms @param {() => void} step */
function every(ms, step) {
  clearInterval(clock);
  clock = setInterval(step, ms);
}

/** @param {number} ms @returns {string} as 1:05 */
function length(ms) {
  const seconds = Math.floor(ms / 1000);
  return `${Math.floor(seconds / 60)}:${String(seconds % 60).padStart(2, "0")}`;
}

/** @param {number[]} values at least one */
function median(values) {
  const sorted = [...values].sort((a, b) => a - b);
  const middle = sorted.length >> 1;
  return sorted.length % 2 ? sorted[middle] : (sorted[middle - 1] + sorted[middle]) / 2;
}

/** @param {string} tag @param {string} text */
function made(tag, text) {
  const element = document.createElement(tag);
  element.textContent = text;
  return element;
}
