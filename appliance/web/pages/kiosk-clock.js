/** The clock of the screen at rest, in the way of the screen's language. */

export class Clock {
  /** What stands there now: the page is touched once a minute, not once a second. */
  #shown = "";

  /**
   * @param {HTMLElement} time
   * @param {HTMLElement} date
   * @param {string} language
   */
  constructor(time, date, language) {
    this.time = time;
    this.date = date;
    // English of the reader's own region knows whether noon is 12:00 or 12:00 PM.
    const region = navigator.languages.find((each) => each.split("-")[0] === language);
    this.clock = new Intl.DateTimeFormat(region ?? language, { hour: "numeric", minute: "2-digit" });
    this.calendar = new Intl.DateTimeFormat(region ?? language, { weekday: "long", day: "numeric", month: "long" });
  }

  start() {
    const now = new Date();
    this.#show(now);
    setTimeout(() => this.start(), 1000 - now.getMilliseconds());
  }

  /** @param {Date} now */
  #show(now) {
    const parts = this.clock.formatToParts(now);
    const shown = parts.map((part) => part.value).join("") + now.toDateString();
    if (shown === this.#shown) return;
    this.#shown = shown;
    const half = parts.some(({ type }) => type === "dayPeriod");
    this.time.replaceChildren(
      ...parts
        .filter(({ value }) => !half || value.trim() !== "") // the space before PM is the small letters' own
        .map(({ type, value }) => (type === "dayPeriod" ? small(value) : value)),
    );
    this.date.textContent = this.calendar.format(now);
  }
}

/** @param {string} text */
function small(text) {
  const element = document.createElement("small");
  element.textContent = text;
  return element;
}
