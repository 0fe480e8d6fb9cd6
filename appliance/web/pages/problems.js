/**
 * What can keep a visitor from a call, in plain words: what happened, why, and how to mend it.
 *
 * @typedef {object} Problem
 * @property {string} code for tests and the page's `data-problem`
 * @property {string} title
 * @property {string} why
 * @property {string[]} mend what the reader can do, likeliest first
 * @property {string} [again] the word on the button
 */

/** A call that did not come about, or broke. */
export class CallFailed extends Error {
  /** @param {Problem} problem */
  constructor(problem) {
    super(problem.title);
    this.problem = problem;
  }
}

/** @type {Problem} */
export const INSECURE = {
  code: "insecure",
  title: "The microphone needs a secure address",
  why: "Browsers let a page listen only where its address begins with https, or on the device itself.",
  mend: [
    "Open this page at its address that begins with https. The front desk can tell you which.",
    "On the device itself, open it as localhost.",
  ],
};

/** @type {Problem} */
export const UNREACHABLE = {
  code: "unreachable",
  title: "The front desk does not answer",
  why: "The device could not be reached.",
  mend: ["Is this phone or computer still on the right network?", "Is the device switched on?"],
};

/** @type {Problem} */
export const NO_LINE = {
  code: "no-line",
  title: "The line could not be set up",
  why: "The front desk took the call, but no sound can pass between it and this browser.",
  mend: ["Use the same network as the front desk.", "Switch a VPN or a strict firewall off, then try again."],
};

/** @type {Problem} */
export const LOST = {
  code: "lost",
  title: "The line was lost",
  why: "Nothing came through from the front desk any more.",
  mend: ["Is this phone or computer still on the network?", "Move closer to the Wi-Fi, then call again."],
  again: "Call again",
};

/** @type {Problem} */
const UNKNOWN = {
  code: "unknown",
  title: "The call did not start",
  why: "Something on this page went wrong.",
  mend: ["Try again, or load the page anew.", "Try another browser."],
};

/** What `getUserMedia` says, by the name of its error. @type {Record<string, Problem>} */
const MICROPHONE = {
  NotAllowedError: {
    code: "refused",
    title: "The microphone is not allowed",
    why: "Without it the front desk cannot hear you.",
    mend: [
      "Press the sign beside the page’s address, allow the microphone, then try again.",
      "If it is allowed there, look in the privacy settings of your phone or computer.",
    ],
  },
  NotFoundError: {
    code: "no-microphone",
    title: "No microphone was found",
    why: "Without one the front desk cannot hear you.",
    mend: ["Plug a microphone or a headset in, then try again.", "Or open this page on a phone."],
  },
  NotReadableError: {
    code: "microphone-busy",
    title: "The microphone does not start",
    why: "Another program may be using it.",
    mend: ["Close other calls and recorders, then try again.", "Unplug the microphone and plug it in again."],
  },
};

/** @param {unknown} error what `getUserMedia` threw @returns {Problem} */
export function ofMicrophone(error) {
  const name = error instanceof DOMException ? error.name : "";
  return Object.hasOwn(MICROPHONE, name) ? MICROPHONE[name] : UNKNOWN;
}

/**
 * The device's refusal.
 *
 * @param {number} status
 * @param {{error?: unknown, message?: unknown}|null} body
 * @returns {Problem}
 */
export function ofRefusal(status, body) {
  const message = typeof body?.message === "string" ? body.message : "";
  if (status === 503 && body?.error === "busy") {
    return {
      code: "busy",
      title: "All lines are taken",
      why: message || "Others are speaking with the front desk just now.",
      mend: ["Try again in a moment."],
    };
  }
  if (status === 429) {
    return {
      code: "too-many",
      title: "Too many calls from here",
      why: message || "The front desk takes only a few new calls a minute from one place.",
      mend: ["Wait a minute, then try again."],
    };
  }
  return {
    code: "not-taken",
    title: "The call was not taken",
    why: message || "The front desk had a fault of its own.",
    mend: ["Try again in a moment."],
  };
}

/** @param {unknown} error @returns {Problem} */
export function ofError(error) {
  return error instanceof CallFailed ? error.problem : UNKNOWN;
}
