/**
 * The screen's line to the device: a web socket that is made anew, later and later, whenever it breaks.
 *
 * Tells `message` (its `detail` is the data) and `lost`, which comes once each time the line breaks or cannot be made.
 */

const FIRST_WAIT_MS = 500;
const LONGEST_WAIT_MS = 5000;
/** The device answers within milliseconds; one that does not for so long is hung, whatever its socket says. */
const ANSWER_MS = 5000;

export class Line extends EventTarget {
  /** @type {WebSocket|null} */
  #socket = null;
  #wait = FIRST_WAIT_MS;
  #deadline = 0;

  open() {
    const address = new URL("/kiosk/events", location.href);
    address.protocol = address.protocol.replace("http", "ws");
    const socket = new WebSocket(address);
    this.#socket = socket;
    this.#expect();
    socket.addEventListener("message", (event) => {
      if (socket !== this.#socket) return;
      this.#wait = FIRST_WAIT_MS;
      this.#answered();
      this.dispatchEvent(new CustomEvent("message", { detail: event.data }));
    });
    socket.addEventListener("close", () => this.#lose(socket));
  }

  /** @param {object} message nothing is kept for later: a touch must not begin a conversation minutes after it */
  send(message) {
    if (this.#socket?.readyState !== WebSocket.OPEN) return;
    this.#socket.send(JSON.stringify(message));
    this.#expect();
  }

  #expect() {
    const socket = this.#socket;
    if (this.#deadline === 0 && socket) this.#deadline = setTimeout(() => this.#lose(socket), ANSWER_MS);
  }

  #answered() {
    clearTimeout(this.#deadline);
    this.#deadline = 0;
  }

  /** @param {WebSocket} socket closing one may take as long as the device is hung: it is not waited for */
  #lose(socket) {
    if (socket !== this.#socket) return;
    this.#socket = null;
    this.#answered();
    socket.close();
    this.dispatchEvent(new Event("lost"));
    setTimeout(() => this.open(), this.#wait * (0.75 + Math.random() / 2));
    this.#wait = Math.min(2 * this.#wait, LONGEST_WAIT_MS);
  }
}
