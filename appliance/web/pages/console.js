/**
 * The owner's console: the device's calls, and each turn of one as bars.
 *
 * The key of the device comes after `#key=` in the address, or is typed; it is traded for a cookie and not kept here.
 */

import { read } from "./messages.js";
import { TurnBars } from "./turn-bars.js";

/** @typedef {{call: string, door: string, started: string, state: string, reason: string|null,
 *   duration_s: number|null, turns: number, p50_ms: number|null}} Call */
/** @typedef {Call & {turn_events: any[]}} WholeCall */

const EVERY_MS = 3000;
/** @type {Record<string, string>} */
const DOORS = { webrtc: "Browser", sip: "Phone", kiosk: "Kiosk" };
/** @type {Record<string, string>} */
const ENDS = {
  hangup: "the caller hung up",
  lost: "the line was lost",
  moved: "it went on over another line",
  silence: "nobody spoke any more",
  goodbye: "both said goodbye",
  stopped: "Frontdesk was stopped",
};

let chosen = decodeURIComponent(/[#&]call=([^&]*)/.exec(location.hash)?.[1] ?? "");
/** What is drawn now, so that what has not changed is left alone: an open selection, the reader's place. */
let drawnList = "";
let drawnCall = "";
let timer = 0;

/** @param {string} id */
const part = (id) => /** @type {any} */ (document.getElementById(id));

part("locked").addEventListener("submit", async (/** @type {Event} */ event) => {
  event.preventDefault();
  await unlock(part("key").value);
});
part("lock").addEventListener("click", async () => {
  await fetch("/api/owner", { method: "DELETE" });
  lock("");
});
start();

async function start() {
  const key = /[#&]key=([^&]*)/.exec(location.hash)?.[1];
  if (key) {
    history.replaceState(null, "", location.pathname); // it is nobody else's, nor the history's
    await unlock(decodeURIComponent(key));
  } else {
    await refresh();
  }
}

/** @param {string} key */
async function unlock(key) {
  const body = JSON.stringify({ token: key });
  const headers = { "Content-Type": "application/json" };
  const answer = await fetch("/api/owner", { method: "POST", headers, body }).catch(() => null);
  if (answer?.ok) {
    part("key").value = "";
    await refresh();
  } else {
    lock(answer ? "This is not the key of this device." : "The device does not answer. Is it switched on?");
  }
}

/** @param {string} why said to who tried; "" says nothing */
function lock(why) {
  clearTimeout(timer);
  drawnList = drawnCall = "";
  part("list").replaceChildren();
  part("call").hidden = true;
  part("refused").textContent = why;
  part("refused").hidden = why === "";
  show("locked");
  part("key").focus();
}

async function refresh() {
  clearTimeout(timer);
  const answer = await ask("/api/calls");
  if (answer === "locked") return lock("");
  if (answer !== null) {
    drawList(answer.calls);
    const known = answer.calls.some((/** @type {Call} */ call) => call.call === chosen);
    const call = chosen && known ? await ask(`/api/calls/${encodeURIComponent(chosen)}`) : null;
    if (call && call !== "locked") drawCall(call);
    show("calls");
  }
  part("offline").hidden = answer !== null;
  if (answer === null) show("calls");
  timer = setTimeout(refresh, EVERY_MS);
}

/** @param {string} path @returns {Promise<any>} "locked" without the owner's cookie, null where nothing answers */
async function ask(path) {
  const answer = await fetch(path).catch(() => null);
  if (answer?.status === 401) return "locked";
  return answer?.ok ? answer.json() : null;
}

/** @param {Call[]} calls */
function drawList(calls) {
  const drawing = JSON.stringify([calls, chosen]);
  if (drawing === drawnList) return;
  drawnList = drawing;
  part("none").hidden = calls.length > 0;
  const focused = /** @type {HTMLElement|null} */ (document.activeElement)?.dataset.call;
  part("list").replaceChildren(...calls.map(row));
  if (focused) part("list").querySelector(`[data-call="${CSS.escape(focused)}"]`)?.focus();
}

/** @param {Call} call */
function row(call) {
  const button = made("button", "call-row");
  button.dataset.call = call.call;
  button.setAttribute("aria-pressed", String(call.call === chosen));
  button.addEventListener("click", () => choose(call.call));
  const wait = call.p50_ms === null ? "no reply" : `usually ${wording(call.p50_ms)}`;
  const facts = [DOORS[call.door] ?? call.door, counted(call.turns, "turn"), wait, length(call)];
  button.append(
    made("span", "call-when", when(call.started)),
    made("span", "small figures", facts.filter(Boolean).join(" · ")),
  );
  const item = made("li", "");
  item.append(button);
  return item;
}

/** @param {string} call */
async function choose(call) {
  chosen = call;
  history.replaceState(null, "", `#call=${encodeURIComponent(call)}`);
  await refresh();
  part("call").focus();
}

/** @param {WholeCall} call */
function drawCall(call) {
  const drawing = JSON.stringify(call);
  if (drawing === drawnCall) return;
  drawnCall = drawing;
  part("call-title").textContent = `Call of ${when(call.started)}`;
  const facts = [
    ["From", DOORS[call.door] ?? call.door],
    ["Length", length(call) || "it goes on"],
    ["Usual wait", call.p50_ms === null ? "no reply" : wording(call.p50_ms)],
    ["Ended", call.reason === null ? "not yet" : (ENDS[call.reason] ?? call.reason)],
  ];
  part("call-facts").replaceChildren(
    ...facts.map(([name, value]) => {
      const pair = made("div", "");
      pair.append(made("dt", "", name), made("dd", "", value));
      return pair;
    }),
  );
  part("silent").hidden = call.turn_events.length > 0;
  part("turns").replaceChildren(...call.turn_events.map(turn));
  part("call").hidden = false;
}

/** @param {any} event a turn event */
function turn(event) {
  const section = made("section", "console-turn");
  const said = [made("p", "", event.transcript === null ? "(not kept)" : event.transcript || "(no words)"), made("p", "reply-text", event.reply === null ? "(not kept)" : event.reply || "(no reply)")];
  section.append(made("h3", "small", `Turn ${event.turn}`), ...said);
  const notes = remarks(event);
  if (notes) section.append(made("p", "small", notes));
  const message = read(JSON.stringify(event));
  if (message?.type === "turn" && message.e2a_ms !== null) {
    const bars = new TurnBars();
    bars.toggleAttribute("of-caller", true);
    bars.turn = message;
    section.append(bars);
  }
  return section;
}

/** @param {any} event @returns {string} what was special about a turn */
function remarks(event) {
  const notes = [];
  if (event.interrupted) notes.push(event.cut_in ? "The reply came too early" : "The caller interrupted the reply");
  if (event.murmurs > 0) notes.push(`${counted(event.murmurs, "sound")} over the reply did not stop it`);
  if (event.speculations > 1) notes.push(`the reply was begun ${event.speculations} times`);
  if (event.wasted_tokens > 0) notes.push(`${counted(event.wasted_tokens, "word piece")} written in vain`);
  return notes.join("; ");
}

/** @param {string} phase */
function show(phase) {
  document.body.dataset.phase = phase;
  for (const section of /** @type {NodeListOf<HTMLElement>} */ (document.querySelectorAll("[data-phases]"))) {
    section.hidden = !section.dataset.phases?.split(" ").includes(phase);
  }
}

/** @param {string} moment RFC 3339 @returns {string} in the reader's own time and words */
function when(moment) {
  return new Date(moment).toLocaleString([], { dateStyle: "medium", timeStyle: "short" });
}

/** @param {Call} call @returns {string} as 1:05, or "" while it goes on */
function length(call) {
  if (call.duration_s === null) return "";
  const seconds = Math.round(call.duration_s);
  return `${Math.floor(seconds / 60)}:${String(seconds % 60).padStart(2, "0")}`;
}

/** @param {number} ms */
function wording(ms) {
  return `${(ms / 1000).toFixed(1)} s`;
}

/** @param {number} count @param {string} thing */
function counted(count, thing) {
  return `${count} ${thing}${count === 1 ? "" : "s"}`;
}

/** @param {string} tag @param {string} className @param {string} text @returns {HTMLElement} */
function made(tag, className, text = "") {
  const element = document.createElement(tag);
  if (className) element.className = className;
  element.textContent = text;
  return element;
}
