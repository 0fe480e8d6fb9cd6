/**
 * What the device tells the kiosk's screen: what the kiosk does, levels, and the events of the call it holds.
 *
 * As in `messages.js`, what is unknown or malformed is given back as null.
 */

import { STATES, parse, read as readCall } from "./messages.js";

/** @typedef {import("./messages.js").State} State */
/** @typedef {import("./messages.js").Message} CallMessage */
/** @typedef {{type: "kiosk", state: "idle"|"offline"|State, why: string, wake: Wake, word: string,
 *   call: string}} KioskMessage */
/** @typedef {"tap"|"word"|"always"|"presence"} Wake */
/** @typedef {{type: "level", caller_db: number, agent_db: number}} LevelMessage */
/** @typedef {KioskMessage|LevelMessage|(CallMessage & {call: string})} Message */

/** @type {readonly Wake[]} */
const WAKES = ["tap", "word", "always", "presence"];
const SILENT_DB = -100;

/**
 * @param {unknown} data what the socket delivered
 * @returns {Message|null}
 */
export function read(data) {
  const json = parse(data);
  if (json?.type === "kiosk") return kiosk(json);
  if (json?.type === "level") return { type: "level", caller_db: db(json.caller_db), agent_db: db(json.agent_db) };
  const message = readCall(data);
  return message && { ...message, call: text(json.call) };
}

/** @param {any} json @returns {KioskMessage|null} */
function kiosk(json) {
  if (json.state !== "idle" && json.state !== "offline" && !STATES.includes(json.state)) return null;
  const wake = WAKES.includes(json.wake) ? json.wake : "tap";
  return { type: "kiosk", state: json.state, why: text(json.why), wake, word: text(json.word), call: text(json.call) };
}

/** @param {unknown} value */
function text(value) {
  return typeof value === "string" ? value.slice(0, 200) : "";
}

/** @param {unknown} value */
function db(value) {
  return typeof value === "number" && Number.isFinite(value) ? value : SILENT_DB;
}
