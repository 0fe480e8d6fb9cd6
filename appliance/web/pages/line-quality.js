/**
 * `<line-quality>`: how good the line is, as four bars and a word; pressed, the figures behind them.
 *
 * Give `show` each `NetworkMessage`. Nothing is seen before the first.
 */

/** @typedef {import("./messages.js").NetworkMessage} NetworkMessage */

const BARS = 4;

/** From the best: the least bars below which a line is called that. @type {[number, string][]} */
const WORDS = [
  [4, "Good line"],
  [3, "Fair line"],
  [2, "Weak line"],
  [0, "Bad line"],
];

export class LineQuality extends HTMLElement {
  /** @type {NetworkMessage|null} */
  #last = null;

  connectedCallback() {
    if (this.firstElementChild) return;
    this.hidden = true;
    this.innerHTML =
      `<details><summary><span class="bars" aria-hidden="true">${"<i></i>".repeat(BARS)}</span>` +
      `<span class="quality-word"></span></summary><dl class="figures"></dl></details>`;
    this.querySelector("details")?.addEventListener("toggle", () => this.#list());
  }

  /** @param {NetworkMessage} network */
  show(network) {
    const bars = quality(network);
    this.hidden = false;
    this.dataset.bars = String(bars);
    const word = WORDS.find(([least]) => bars >= least)?.[1] ?? "";
    const shown = /** @type {HTMLElement} */ (this.querySelector(".quality-word"));
    if (shown.textContent !== word) shown.textContent = word;
    this.#last = network;
    this.#list();
  }

  #list() {
    if (!this.#last || !this.querySelector("details")?.open) return;
    this.querySelector("dl")?.replaceChildren(...facts(this.#last).map(pair));
  }

  /** A call is over. */
  clear() {
    this.hidden = true;
    this.#last = null;
    this.querySelector("dl")?.replaceChildren();
    this.querySelector("details")?.removeAttribute("open");
  }
}

/**
 * Four bars, less one for each thing that a caller would notice.
 *
 * @param {NetworkMessage} network
 */
export function quality({ rtt_ms, jitter_ms, loss_in, loss_out }) {
  const loss = Math.max(loss_in ?? 0, loss_out ?? 0);
  const wait = (rtt_ms ?? 0) + 2 * (jitter_ms ?? 0);
  return Math.max(1, BARS - Number(loss > 0.02) - Number(loss > 0.08) - Number(wait > 200) - Number(wait > 500));
}

/** @param {NetworkMessage} network @returns {[string, string][]} */
function facts(network) {
  return [
    ["There and back", ms(network.rtt_ms)],
    ["Unevenness", ms(network.jitter_ms)],
    ["Lost on the way there", share(network.loss_in)],
    ["Lost on the way back", share(network.loss_out)],
    ["Mended", ms(network.concealed_ms)],
    ["Waited for late sound", ms(network.buffer_ms)],
    ["You send", bits(network.bitrate)],
    ["You hear", bits(network.bitrate_out)],
    ["Your mouth to our ear", ms(network.mouth_to_ear_ms)],
    ["Path", network.path ?? "–"],
  ];
}

/** @param {number|null} value */
const ms = (value) => (value === null ? "–" : `${Math.round(value)} ms`);
/** @param {number|null} value */
const share = (value) => (value === null ? "–" : `${(100 * value).toFixed(1)} %`);
/** @param {number|null} value */
const bits = (value) => (value === null ? "–" : `${Math.round(value / 1000)} kbit/s`);

/** @param {[string, string]} fact */
function pair([name, value]) {
  const both = made("div", "");
  both.append(made("dt", name), made("dd", value));
  return both;
}

/** @param {string} tag @param {string} text */
function made(tag, text) {
  const element = document.createElement(tag);
  element.textContent = text;
  return element;
}

customElements.define("line-quality", LineQuality);
