/**
 * `<call-state>`: what the call is doing, as one icon, one word and one colour.
 *
 * Set `state`; what is shown is in `data-state`, and every change of it is told by a `shown` event. Thinking is shown
 * only once it has lasted over 300 ms: a quick reply goes from listening straight to speaking.
 */

/** @typedef {import("./messages.js").State} State */

const THINKING_SHOWN_AFTER_MS = 300;

/** @type {Record<State, string>} */
const WORDS = {
  waiting: "Waiting",
  listening: "Listening",
  thinking: "Thinking",
  speaking: "Speaking",
  trouble: "Trouble",
};

export class CallState extends HTMLElement {
  #words = WORDS;
  /** @type {State} */
  #state = "waiting";
  #timer = 0;

  connectedCallback() {
    this.#show();
  }

  /** What the device said last; `dataset.state` is what the reader sees. */
  get state() {
    return this.#state;
  }

  set state(state) {
    if (state === this.#state) return;
    this.#state = state;
    clearTimeout(this.#timer);
    if (state === "thinking") this.#timer = setTimeout(() => this.#show(), THINKING_SHOWN_AFTER_MS);
    else this.#show();
  }

  /** The word of each state, in the reader's language. @param {Record<State, string>} words */
  set words(words) {
    this.#words = words;
    delete this.dataset.state;
    this.#show();
  }

  #show() {
    if (this.dataset.state === this.#state) return;
    this.dataset.state = this.#state;
    this.innerHTML =
      `<span class="state-icon"><svg class="icon" aria-hidden="true">` +
      `<use href="/pages/icons.svg#${this.#state}"/></svg></span><span class="state-word"></span>`;
    this.lastElementChild?.append(this.#words[this.#state]);
    this.dispatchEvent(new CustomEvent("shown", { detail: this.#state }));
  }
}

customElements.define("call-state", CallState);
