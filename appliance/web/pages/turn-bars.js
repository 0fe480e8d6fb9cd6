/**
 * `<turn-bars>`: one turn on one time axis whose zero is the caller's last voiced sample.
 *
 * Work done before the decision that the turn is over was hidden behind the caller's speech and pause, and work after
 * the first sound of the reply behind the reply: both are drawn lightly. What lies between the two the caller waited
 * for, and it is drawn solid. Set `turn` to a turn event. It speaks to the caller, or, with the attribute `of-caller`,
 * to somebody else about them.
 */

/** @typedef {import("./messages.js").TurnMessage} TurnMessage */
/** @typedef {{name: string, title: string, from: number, to: number, look: string}} Bar times in ms */

/** Words for the stages; a stage not named here is drawn under its own name. @type {Record<string, string>} */
const LANES = { stt: "Words", llm: "Answer", tts: "Voice" };
/** The parts of the wait, in the order in which they are finished. */
const PARTS = /** @type {const} */ ([
  ["endpoint_ms", "pause"],
  ["stt_ms", "words"],
  ["llm_ms", "answer"],
  ["tts_ms", "voice"],
  ["playout_ms", "line"],
]);
const TO_CALLER = { name: "You", spoke: "you spoke", who: "you", had: "you had" };
const OF_CALLER = { name: "Caller", spoke: "the caller spoke", who: "the caller", had: "they had" };
const TICK_STEPS_MS = [50, 100, 200, 250, 500, 1000, 2000, 5000, 10000];
const TICKS_AT_MOST = 7;

export class TurnBars extends HTMLElement {
  /** @type {TurnMessage|null} */
  #turn = null;

  get turn() {
    return this.#turn;
  }

  set turn(turn) {
    this.#turn = turn;
    const words = this.hasAttribute("of-caller") ? OF_CALLER : TO_CALLER;
    this.replaceChildren(...(turn ? [chart(turn, words), parts(turn), legend(words)] : []));
  }
}

/** @param {TurnMessage} turn @param {typeof TO_CALLER} words */
function chart(turn, words) {
  const axis = axisOf(turn);
  const figure = box("bars", ...lanesOf(turn, axis, words).map((bars) => lane(bars, axis)), scale(axis));
  figure.role = "img";
  figure.ariaLabel = inWords(turn, words);
  const waited = turn.e2a_ms ?? turn.endpoint_ms ?? 0;
  figure.style.setProperty("--zero", share(0, axis));
  figure.style.setProperty("--decision", share(turn.endpoint_ms ?? 0, axis));
  figure.style.setProperty("--reply", share(waited, axis));
  return figure;
}

/**
 * The span drawn: at least a little speech before zero, and never so much that the wait is squeezed.
 *
 * @param {TurnMessage} turn
 * @returns {{from: number, to: number}}
 */
function axisOf(turn) {
  const spans = Object.values(turn.stages);
  const waited = Math.max(turn.e2a_ms ?? 0, turn.endpoint_ms ?? 0, 200);
  const last = Math.max(waited, ...spans.map((span) => span.end_ms));
  const first = Math.min(0, ...spans.map((span) => span.start_ms));
  return { from: Math.max(-waited, Math.min(first * 1.1, -waited / 4)), to: Math.min(last * 1.05, waited * 1.25) };
}

/**
 * @param {TurnMessage} turn
 * @param {{from: number, to: number}} axis
 * @param {typeof TO_CALLER} words
 * @returns {Bar[][]} one list of bars for each lane
 */
function lanesOf(turn, axis, { name: caller, spoke, had }) {
  const decision = turn.endpoint_ms ?? 0;
  const reply = turn.e2a_ms;
  /** @type {Bar[][]} */
  const lanes = [
    [
      { name: caller, title: spoke, from: axis.from, to: 0, look: "speech" },
      { name: caller, title: `pause, until it was clear that ${had} finished`, from: 0, to: decision, look: "pause" },
    ],
  ];
  const names = [...Object.keys(LANES), ...Object.keys(turn.stages)];
  for (const stage of new Set(names)) {
    const span = turn.stages[stage];
    if (!span) continue;
    const name = LANES[stage] ?? stage;
    const title = `${name}: ${ms(span.start_ms)} to ${ms(span.end_ms)}`;
    const cuts = [span.start_ms, clamp(decision, span), clamp(reply ?? span.end_ms, span), span.end_ms];
    const looks = ["hidden", "waited", "hidden"];
    lanes.push(looks.map((look, i) => ({ name, title, from: cuts[i], to: cuts[i + 1], look })));
  }
  if (reply !== null) {
    lanes.push([{ name: "Reply", title: "the reply is heard", from: reply, to: axis.to, look: "reply" }]);
  }
  return lanes;
}

/** @param {Bar[]} bars @param {{from: number, to: number}} axis */
function lane(bars, axis) {
  const track = box("track");
  for (const bar of bars) {
    const from = clamp(bar.from, { start_ms: axis.from, end_ms: axis.to });
    const to = clamp(bar.to, { start_ms: axis.from, end_ms: axis.to });
    if (to <= from) continue;
    const mark = box(`bar ${bar.look}`);
    mark.title = bar.title;
    mark.style.left = share(from, axis);
    mark.style.width = `${((to - from) / (axis.to - axis.from)) * 100}%`;
    track.append(mark);
  }
  return box("lane", text("span", "lane-name", bars[0].name), track);
}

/** @param {{from: number, to: number}} axis */
function scale(axis) {
  const span = axis.to - axis.from;
  const step = TICK_STEPS_MS.find((each) => span / each <= TICKS_AT_MOST) ?? span;
  const track = box("track");
  for (let at = Math.ceil(axis.from / step) * step; at <= axis.to; at += step) {
    const tick = text("span", "tick figures", at === 0 ? "0" : ms(at).replace(" ms", ""));
    tick.style.left = share(at, axis);
    track.append(tick);
  }
  return box("lane scale", text("span", "lane-name", "ms"), track);
}

/** @param {TurnMessage} turn the wait and what it was made of, in figures */
function parts(turn) {
  const list = document.createElement("dl");
  list.className = "parts figures";
  const pairs = [["waited", turn.e2a_ms], ...PARTS.map(([key, name]) => [name, turn[key]])];
  for (const [name, value] of /** @type {[string, number|null][]} */ (pairs)) {
    if (value !== null) list.append(box("part", text("dt", "", name), text("dd", "", ms(value))));
  }
  return list;
}

/** @param {typeof TO_CALLER} words */
function legend({ who }) {
  return box(
    "legend",
    box("key", box("bar hidden"), text("span", "", "hidden behind speech or pause")),
    box("key", box("bar waited"), text("span", "", `${who} waited for it`)),
  );
}

/** @param {TurnMessage} turn @param {typeof TO_CALLER} words @returns {string} the picture in words */
function inWords(turn, { who }) {
  if (turn.e2a_ms === null) return "There was no reply in this turn.";
  const named = PARTS.filter(([key]) => turn[key] !== null).map(([key, name]) => `${name} ${ms(turn[key] ?? 0)}`);
  return `The reply began ${ms(turn.e2a_ms)} after ${who} stopped speaking: ${named.join(", ")}.`;
}

/** @param {number} value @returns {string} with its unit, and a true minus sign */
function ms(value) {
  return `${Math.round(value)} ms`.replace("-", "−");
}

/** @param {number} value @param {{start_ms: number, end_ms: number}} span */
function clamp(value, span) {
  return Math.min(span.end_ms, Math.max(span.start_ms, value));
}

/** @param {number} at @param {{from: number, to: number}} axis @returns {string} where on the axis */
function share(at, axis) {
  return `${((at - axis.from) / (axis.to - axis.from)) * 100}%`;
}

/** @param {string} className @param {...Node} children */
function box(className, ...children) {
  const element = document.createElement("div");
  element.className = className;
  element.append(...children);
  return element;
}

/** @param {string} tag @param {string} className @param {string} words */
function text(tag, className, words) {
  const element = document.createElement(tag);
  if (className) element.className = className;
  element.textContent = words;
  return element;
}

customElements.define("turn-bars", TurnBars);
