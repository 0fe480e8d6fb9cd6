/**
 * The kiosk's screen: which part of it is seen when. What happens is the device's to say, over `kiosk-line.js`; the
 * screen sends only that somebody touched it, or wants to end.
 *
 * For tests and styles the body says what is shown: `data-screen`, `data-state` and `data-why`.
 */

import { Clock } from "./kiosk-clock.js";
import { Line } from "./kiosk-line.js";
import { read } from "./kiosk-messages.js";
import { onPress } from "./kiosk-press.js";
import "./call-state.js";
import "./captions.js";
import "./level-meter.js";

/** @typedef {import("./kiosk-messages.js").KioskMessage} KioskMessage */
/** @typedef {import("./kiosk-messages.js").Message} Message */
/** @typedef {import("./messages.js").State} State */

const GOODBYE_MS = 2000;
const LOST_SHOWN_AFTER_MS = 2000;
/** The second half of a double touch on the invitation must not end what the first one began. */
const END_AFTER_MS = 700;
const CURSOR_MS = 3000;
const SHIFT_MS = 60_000;
/** Where the screen at rest stands in turn, so that nothing burns into it, in pixels. */
const SHIFTS = [[0, 0], [4, 2], [6, -3], [2, -6], [-3, -4], [-6, 0], [-4, 5], [1, 6]];
/** What is said for each reason of being offline, its mend for the staff ("" = none) and its icon. */
const OFFLINE = {
  starting: ["offline.starting", "", "bell"],
  closed: ["offline.closed", "", "power"],
  "microphone.missing": ["offline.deaf", "mend.microphone.missing", "microphone-off"],
  "microphone.silent": ["offline.deaf", "mend.microphone.silent", "microphone-off"],
  "loudspeaker.missing": ["offline.mute", "mend.loudspeaker.missing", "loudspeaker-off"],
  engine: ["offline.down", "mend.engine", "trouble"],
  no_library: ["offline.down", "mend.no_library", "trouble"],
  other: ["offline.down", "mend.other", "trouble"],
};
const WAKE_ICONS = { tap: "touch", word: "speaking", always: "speaking", presence: "person" };

/** @param {string} id @returns {any} */
const part = (id) => document.getElementById(id);

/** @type {Record<string, string>} */
let words = {};
/** The conversation that is shown, "" for none. */
let call = "";
let talkSince = 0;
let goodbye = 0;
let lost = 0;
let cursor = 0;
let level = 0;
/** The page's own mark, as it was when it was loaded. */
let made = "";
/** @type {WakeLockSentinel|undefined} */
let awake;

const line = new Line();
line.addEventListener("message", (event) => {
  const message = read(/** @type {CustomEvent} */ (event).detail);
  if (message) onMessage(message);
});
line.addEventListener("lost", () => {
  lost ||= setTimeout(() => {
    forget();
    show("connecting", words.connecting);
  }, LOST_SHOWN_AFTER_MS);
});
part("state").addEventListener("shown", (/** @type {CustomEvent} */ event) => {
  document.body.dataset.state = event.detail;
  trouble();
});
onPress(button, [part("start"), part("end")], (pressed) => {
  if (pressed === part("start")) line.send({ type: "tap" });
  else if (performance.now() - talkSince > END_AFTER_MS) line.send({ type: "end" });
});
addEventListener("keydown", (event) => {
  if (event.key === "Tab") document.documentElement.classList.add("by-keyboard");
});
addEventListener("contextmenu", (event) => event.preventDefault());
addEventListener("pointermove", (event) => {
  if (event.pointerType === "mouse") showCursor();
});
start();

async function start() {
  showCursor();
  made = await mark();
  words = await fetchWords();
  for (const element of /** @type {NodeListOf<HTMLElement>} */ (document.querySelectorAll("[data-word]"))) {
    element.textContent = words[/** @type {string} */ (element.dataset.word)];
  }
  const states = Object.keys(words).filter((key) => key.startsWith("state."));
  part("state").words = Object.fromEntries(states.map((key) => [key.slice("state.".length), words[key]]));
  part("captions").words = {
    caller: words["talk.caller"],
    agent: words["talk.agent"],
    empty: words["talk.empty"],
    unheard: words["talk.unheard"],
  };
  part("captions").kept = 6;
  part("meter").scale = Math.max(1, Math.min(innerWidth, innerHeight) / 400);
  new Clock(part("clock"), part("date"), words.lang).start();
  shift(1);
  line.open();
}

/** @returns {Promise<Record<string, string>>} asked for until the device gives them: it may just be restarting */
async function fetchWords() {
  for (;;) {
    const answer = await fetch("/kiosk/words.json", { cache: "no-store" }).catch(() => null);
    if (answer?.ok) return answer.json();
    await new Promise((resolve) => setTimeout(resolve, 1000));
  }
}

/** @param {Message} message */
function onMessage(message) {
  if (message.type === "kiosk") {
    onKiosk(message);
  } else if (document.body.dataset.screen !== "talk") {
    return; // nothing of a conversation that is over
  } else if (message.type === "level") {
    part("meter").tell("caller", message.caller_db);
    part("meter").tell("agent", message.agent_db);
  } else if (message.call && call && message.call !== call) {
    return;
  } else if (message.type === "state") {
    state(message.state);
  } else if (message.type === "caption") {
    part("captions").caption(message);
    scroll();
  } else if (message.type === "heard") {
    part("captions").heard(message);
    scroll();
  }
}

/** @param {KioskMessage} message */
function onKiosk(message) {
  const returned = lost !== 0;
  clearTimeout(lost);
  lost = 0;
  document.body.dataset.why = message.why;
  for (const element of /** @type {NodeListOf<HTMLElement>} */ (document.querySelectorAll(".kiosk-stuck"))) {
    element.hidden = message.why !== "tap.stuck";
  }
  invite(message);
  if (message.state === "idle") rest(returned);
  else if (message.state === "offline") offline(message.why);
  else talk(message.state, message.call);
}

/** @param {KioskMessage} message */
function invite({ wake, word }) {
  const name = word.replace(/(^|\s)\S/g, (letter) => letter.toUpperCase()).replaceAll(" ", "\u00a0");
  part("invitation").textContent = words[`idle.${wake}`].replaceAll("{word}", name);
  part("invitation-icon").setAttribute("href", `/pages/icons.svg#${WAKE_ICONS[wake]}`);
}

/** @param {boolean} returned after a broken line */
function rest(returned) {
  const screen = document.body.dataset.screen;
  forget();
  if (returned) renew();
  if (screen === "goodbye") return;
  if (screen !== "talk" || returned) return show("idle");
  show("goodbye", words.goodbye);
  goodbye = setTimeout(() => show("idle"), GOODBYE_MS);
}

/** @param {string} why */
function offline(why) {
  const [title, mend, icon] = OFFLINE[/** @type {keyof typeof OFFLINE} */ (why)] ?? OFFLINE.other;
  forget();
  part("offline-title").textContent = words[title];
  part("offline-icon").setAttribute("href", `/pages/icons.svg#${icon}`);
  part("offline-ask").hidden = why === "starting";
  part("offline-mend").hidden = mend === "";
  part("offline-mend-text").textContent = words[mend] ?? "";
  show("offline", [title, ...(why === "starting" ? [] : ["offline.ask"]), mend].map((key) => words[key]).join(". "));
}

/** @param {State} now @param {string} id */
function talk(now, id) {
  if (call && id && id !== call) part("captions").clear(); // another visitor's
  call = id || call;
  state(now);
  if (document.body.dataset.screen === "talk") return;
  talkSince = performance.now();
  show("talk");
  part("meter").tell("caller", -Infinity); // it draws its line before the first level comes
  drawLevel();
  keepAwake();
}

/** @param {State} now */
function state(now) {
  part("state").state = now;
  part("meter").side = now === "speaking" ? "agent" : "caller";
}

/** What is to be done stands beside the word, and is told when it comes. */
function trouble() {
  const here = document.body.dataset.state === "trouble";
  if (part("trouble").hidden === !here) return;
  part("trouble").hidden = !here;
  part("trouble").textContent = here ? words["talk.trouble"] : "";
  scroll();
}

/** The words of a conversation are gone from the page once it is over: the next visitor must not read them. */
function forget() {
  call = "";
  part("captions").clear();
  part("meter").disconnect();
  awake?.release();
  awake = undefined;
}

/** @param {string} screen @param {string} announcement told to a screen reader, beside what takes the focus */
function show(screen, announcement = "") {
  clearTimeout(goodbye);
  if (part("announcement").textContent !== announcement) part("announcement").textContent = announcement;
  if (document.body.dataset.screen === screen) return;
  document.body.dataset.screen = screen;
  for (const section of /** @type {NodeListOf<HTMLElement>} */ (document.querySelectorAll("[data-screens]"))) {
    section.hidden = section.dataset.screens !== screen;
  }
  button()?.focus({ preventScroll: true });
}

/** @returns {HTMLElement|null} the one that the screen has now */
function button() {
  return { idle: part("start"), talk: part("end") }[document.body.dataset.screen ?? ""] ?? null;
}

/** The newest is in sight. */
function scroll() {
  part("said").scrollTop = part("said").scrollHeight;
}

/** The ring around the state breathes with what the meter draws. */
function drawLevel() {
  cancelAnimationFrame(level);
  if (document.body.dataset.screen !== "talk") return;
  part("state").style.setProperty("--level", part("meter").level.toFixed(3));
  level = requestAnimationFrame(drawLevel);
}

/** Nobody touches the screen while they talk: without this it may go dark meanwhile. */
async function keepAwake() {
  awake = await navigator.wakeLock?.request("screen").catch(() => undefined);
  if (document.body.dataset.screen !== "talk") awake?.release();
}

/** A device that was restarted may have been updated, or given another logo: then the screen is loaded anew. */
async function renew() {
  const now = await mark();
  if (made && now && now !== made && document.body.dataset.screen === "idle") location.reload();
}

/** @returns {Promise<string>} "" where nothing answers */
async function mark() {
  const answer = await fetch("/kiosk", { method: "HEAD", cache: "no-store" }).catch(() => null);
  return (answer?.ok && answer.headers.get("ETag")) || "";
}

function showCursor() {
  document.documentElement.classList.remove("cursorless");
  clearTimeout(cursor);
  cursor = setTimeout(() => document.documentElement.classList.add("cursorless"), CURSOR_MS);
}

/** @param {number} place in SHIFTS */
function shift(place) {
  setTimeout(() => {
    const [x, y] = SHIFTS[place % SHIFTS.length];
    document.body.style.setProperty("--shift", `${x}px ${y}px`);
    shift(place + 1);
  }, SHIFT_MS);
}
