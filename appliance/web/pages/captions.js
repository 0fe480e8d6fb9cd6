/**
 * `<call-captions>`: what both sides said, turn by turn, as it is said.
 *
 * The caller's words are replaced as they become surer, and drawn lighter until they are. The agent's appear word by
 * word over the time in which they are spoken; after a barge-in, what was not heard is struck through. A turn's figures
 * stand under it, the bars behind a toggle. A screen reader is told whole clauses, by a live region of their own.
 */

import "./turn-bars.js";

/** @typedef {import("./messages.js").CaptionMessage} CaptionMessage */
/** @typedef {import("./messages.js").HeardMessage} HeardMessage */
/** @typedef {import("./messages.js").TurnMessage} TurnMessage */

/** Its own words, where the page has none in the reader's language. */
const WORDS = {
  caller: "You",
  agent: "Front desk",
  empty: "Say hello, or ask a question.",
  unheard: "Not heard:",
};

export class CallCaptions extends HTMLElement {
  words = WORDS;
  /** So many turns at most; older ones leave the page. */
  kept = 200;
  /** @type {Map<number, TurnView>} in order of their numbers */
  #turns = new Map();
  #live = element("p", "visually-hidden");
  #empty = element("p", "captions-empty");

  connectedCallback() {
    this.#live.ariaLive = "polite";
    this.clear();
  }

  get empty() {
    return this.#turns.size === 0;
  }

  clear() {
    for (const turn of this.#turns.values()) turn.finish();
    this.#turns.clear();
    this.#live.textContent = "";
    this.#empty.textContent = this.words.empty;
    this.#empty.hidden = false;
    this.replaceChildren(this.#live, this.#empty);
  }

  /** No more will come: show every word. */
  finish() {
    for (const turn of this.#turns.values()) turn.finish();
  }

  /** @param {CaptionMessage} message */
  caption(message) {
    if (message.who === "caller") {
      if (message.text === "" && !this.#turns.has(message.turn)) return;
      const turn = this.#turn(message.turn);
      turn.said(message.text, message.stable, message.settled);
      if (message.stable && message.text) this.#live.textContent = `${this.words.caller}: ${message.text}`;
      if (turn.blank) this.#drop(message.turn);
    } else if (message.text) {
      this.#turn(message.turn).replies(message.text, message.duration_ms);
      this.#live.textContent = message.text;
    }
    this.#empty.hidden = !this.empty;
  }

  /** @param {HeardMessage} message */
  heard(message) {
    this.#turns.get(message.turn)?.heard(message.text);
  }

  /** @param {TurnMessage} message */
  figures(message) {
    this.#turns.get(message.turn)?.figures(message);
  }

  /** @param {number} number @returns {TurnView} */
  #turn(number) {
    const known = this.#turns.get(number);
    if (known) return known;
    const view = new TurnView(number, this.words);
    const next = [...this.#turns.keys()].filter((each) => each > number).sort((a, b) => a - b)[0];
    this.insertBefore(view.article, this.#turns.get(next)?.article ?? null);
    this.#turns.set(number, view);
    if (this.#turns.size > this.kept) this.#drop(Math.min(...this.#turns.keys()));
    return view;
  }

  /** @param {number} number */
  #drop(number) {
    this.#turns.get(number)?.finish();
    this.#turns.get(number)?.article.remove();
    this.#turns.delete(number);
  }
}

/** One turn: the caller's words, the reply, and its figures. */
class TurnView {
  article = element("article", "turn");
  #said = element("p", "said");
  #reply = element("p", "reply");
  /** The reply's words in order, those not yet spoken with the class `pending`. @type {HTMLElement[]} */
  #words = [];
  /** @type {number[]} */
  #timers = [];

  /** @param {number} number @param {typeof WORDS} words */
  constructor(number, words) {
    this.words = words;
    this.article.dataset.turn = String(number);
  }

  get blank() {
    return this.article.childElementCount === 0;
  }

  /** @param {string} text @param {boolean} stable @param {number} settled so many of its words will hardly change */
  said(text, stable, settled) {
    if (text === "") {
      this.#said.remove();
      return;
    }
    const words = text.split(/\s+/).filter(Boolean);
    const sure = stable ? words.length : settled;
    const said = element("span", "words", words.slice(0, sure).join(" "));
    if (sure < words.length) said.append(" ", element("span", "unsettled", words.slice(sure).join(" ")));
    this.#said.replaceChildren(element("span", "who", this.words.caller), said);
    if (!this.#said.isConnected) this.article.prepend(this.#said);
  }

  /** @param {string} clause @param {number} durationMs over which its words are spoken */
  replies(clause, durationMs) {
    this.finish();
    if (!this.#reply.isConnected) {
      this.#reply.replaceChildren(element("span", "who", this.words.agent), element("span", "words"));
      if (this.#said.isConnected) this.#said.after(this.#reply);
      else this.article.prepend(this.#reply);
    }
    const words = clause.split(/\s+/).filter(Boolean);
    const letters = words.reduce((sum, word) => sum + word.length, 0) || 1;
    let before = 0;
    for (const word of words) {
      const span = element("span", "word", word);
      this.#words.push(span);
      this.#reply.lastElementChild?.append(span, " ");
      const at = (before / letters) * durationMs;
      before += word.length;
      if (at === 0) continue;
      span.classList.add("pending");
      this.#timers.push(setTimeout(() => span.classList.remove("pending"), at));
    }
  }

  /** Show every word at once. */
  finish() {
    for (const timer of this.#timers) clearTimeout(timer);
    this.#timers = [];
    for (const word of this.#words) word.classList.remove("pending");
  }

  /** @param {string} text what of the reply was heard: the words after it are struck through */
  heard(text) {
    this.finish();
    const heard = text.split(/\s+/).filter(Boolean);
    let count = 0;
    while (count < heard.length && count < this.#words.length && same(heard[count], this.#words[count])) count += 1;
    const unheard = this.#words.slice(count);
    if (unheard.length === 0) return;
    const struck = element("s", "unheard");
    unheard[0].before(element("span", "visually-hidden", `${this.words.unheard} `), struck);
    for (const word of unheard) struck.append(word, " ");
    this.article.classList.add("interrupted");
  }

  /** @param {TurnMessage} turn */
  figures(turn) {
    this.article.querySelector(".turn-figures")?.remove();
    const words = turn.e2a_ms === null ? "No reply" : `Replied in ${(turn.e2a_ms / 1000).toFixed(1)} s`;
    const summary = element("summary", "figures", words);
    summary.append(element("span", "visually-hidden", ", details"));
    const details = element("details", "turn-figures");
    const bars = document.createElement("turn-bars");
    /** @type {import("./turn-bars.js").TurnBars} */ (bars).turn = turn;
    details.append(summary, bars);
    details.addEventListener("toggle", () => bars.scrollIntoView({ block: "nearest" }));
    this.article.append(details);
  }
}

/** @param {string} heard @param {HTMLElement} word */
function same(heard, word) {
  return bare(heard) === bare(word.textContent ?? "");
}

/** @param {string} word without case and punctuation */
function bare(word) {
  return word.toLowerCase().replace(/[^\p{L}\p{N}]/gu, "");
}

/** @param {string} tag @param {string} className @param {string} [text] @returns {HTMLElement} */
function element(tag, className, text = "") {
  const made = document.createElement(tag);
  made.className = className;
  made.textContent = text;
  return made;
}

customElements.define("call-captions", CallCaptions);
