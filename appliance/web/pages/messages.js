/**
 * What the device tells the page over the data channel `events`: one JSON object a message.
 *
 * `read` is the only way in: what it does not know, or what is malformed, it gives back as null, so that a newer or a
 * broken device never breaks the page.
 */

/** @typedef {"waiting"|"listening"|"thinking"|"speaking"|"trouble"} State */
/** @typedef {{type: "state", state: State}} StateMessage */
/** @typedef {{type: "caption", who: "caller"|"agent", turn: number, text: string, stable: boolean,
 *   settled: number, duration_ms: number}} CaptionMessage */
/** @typedef {{type: "heard", turn: number, text: string}} HeardMessage */
/** @typedef {{start_ms: number, end_ms: number}} Span */
/** @typedef {{type: "turn", turn: number, e2a_ms: number|null, endpoint_ms: number|null, stt_ms: number|null,
 *   llm_ms: number|null, tts_ms: number|null, playout_ms: number|null, stages: Record<string, Span>}} TurnMessage
 *   Times in ms from the caller's last voiced sample; negative = hidden in speech. */
/** @typedef {{type: "network", rtt_ms: number|null, jitter_ms: number|null, loss_in: number|null,
 *   loss_out: number|null, buffer_ms: number|null, concealed_ms: number|null, bitrate: number|null,
 *   bitrate_out: number|null, mouth_to_ear_ms: number|null, path: string|null}} NetworkMessage
 *   Losses are shares, 0 to 1; bitrates are bits a second. */
/** @typedef {{type: "ended", reason: string}} EndedMessage */
/** @typedef {StateMessage|CaptionMessage|HeardMessage|TurnMessage|NetworkMessage|EndedMessage} Message */

/** @type {readonly State[]} */
export const STATES = ["waiting", "listening", "thinking", "speaking", "trouble"];

const TEXT_LIMIT = 4000;

/**
 * @param {unknown} data what the channel delivered
 * @returns {Message|null}
 */
export function read(data) {
  const json = parse(data);
  const reader = json && Object.hasOwn(READERS, json.type) ? READERS[json.type] : null;
  return reader ? reader(json) : null;
}

/** @type {Record<string, (json: any) => Message|null>} */
const READERS = {
  state: (json) => (STATES.includes(json.state) ? { type: "state", state: json.state } : null),

  caption: (json) =>
    isTurn(json.turn) && typeof json.text === "string" && (json.who === "caller" || json.who === "agent")
      ? {
          type: "caption",
          who: json.who,
          turn: json.turn,
          text: json.text.slice(0, TEXT_LIMIT),
          stable: json.stable !== false,
          settled: Math.max(0, number(json.settled) ?? 0),
          duration_ms: Math.max(0, number(json.duration_ms) ?? 0),
        }
      : null,

  heard: (json) =>
    isTurn(json.turn) && typeof json.text === "string"
      ? { type: "heard", turn: json.turn, text: json.text.slice(0, TEXT_LIMIT) }
      : null,

  turn: (json) =>
    isTurn(json.turn)
      ? {
          type: "turn",
          turn: json.turn,
          e2a_ms: number(json.e2a_ms),
          endpoint_ms: number(json.endpoint_ms),
          stt_ms: number(json.stt_ms),
          llm_ms: number(json.llm_ms),
          tts_ms: number(json.tts_ms),
          playout_ms: number(json.playout_ms),
          stages: spans(json.stages),
        }
      : null,

  network: ({ network }) =>
    network !== null && typeof network === "object"
      ? {
          type: "network",
          rtt_ms: number(network.rtt_ms),
          jitter_ms: number(network.jitter_ms),
          loss_in: number(network.loss_in),
          loss_out: number(network.loss_out),
          buffer_ms: number(network.buffer_ms),
          concealed_ms: number(network.concealed_ms),
          bitrate: number(network.bitrate),
          bitrate_out: number(network.bitrate_out),
          mouth_to_ear_ms: number(network.mouth_to_ear_ms),
          path: typeof network.path === "string" ? network.path.slice(0, 40) : null,
        }
      : null,

  "call.ended": (json) => ({ type: "ended", reason: typeof json.reason === "string" ? json.reason : "" }),
};

/** @param {unknown} data @returns {any} a plain object, or null */
export function parse(data) {
  if (typeof data !== "string") return null;
  try {
    const json = JSON.parse(data);
    return json !== null && typeof json === "object" && !Array.isArray(json) ? json : null;
  } catch (error) {
    if (error instanceof SyntaxError) return null;
    throw error;
  }
}

/** @param {unknown} value @returns {value is number} */
function isTurn(value) {
  return Number.isSafeInteger(value) && /** @type {number} */ (value) >= 0;
}

/** @param {unknown} value @returns {number|null} */
function number(value) {
  return typeof value === "number" && Number.isFinite(value) ? value : null;
}

/** @param {unknown} stages @returns {Record<string, Span>} */
function spans(stages) {
  /** @type {Record<string, Span>} */
  const kept = {};
  if (stages === null || typeof stages !== "object") return kept;
  for (const [name, span] of Object.entries(stages).slice(0, 12)) {
    const start_ms = number(span?.start_ms);
    const end_ms = number(span?.end_ms);
    if (start_ms !== null && end_ms !== null && end_ms >= start_ms) kept[name] = { start_ms, end_ms };
  }
  return kept;
}
