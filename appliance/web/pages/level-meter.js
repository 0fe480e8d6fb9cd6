/**
 * `<level-meter>`: the real signal on a strip of paper, the newest at the right.
 *
 * `connect` gives it the two sides of the call, or `tell` their levels as they come; `side` says whose level is drawn,
 * in the colour of that side's state (the caller's in `--listening`, the agent's in `--speaking`). Where the reader
 * wants no motion it is a row of marks that fills with the level instead. `level` is the last one drawn, 0 to 1.
 */

/** @typedef {"caller"|"agent"} Side */

const SIDES = /** @type {const} */ ({ caller: "--listening", agent: "--speaking" });
const COLUMN_MS = 70;
const COLUMN_PX = 6;
const COLUMN_WIDTH_PX = 3;
/** A told level counts for so long: the device tells one every 70 ms or so. */
const TOLD_MS = 400;
const FLOOR_DB = -60;
const CEILING_DB = -6;
/** Share of the way that the drawn level falls in a frame: fast enough to show syllables, slow enough to be calm. */
const FALL = 0.2;
/** A level below this, as a share of full scale, is no signal at all: a dead microphone, not a quiet room. */
const DEAD = 1e-5;

export class LevelMeter extends HTMLElement {
  /** @type {Side} */
  side = "caller";
  level = 0;
  /** How much wider its columns are than on a screen at arm's length. */
  scale = 1;
  /** Time of the caller's last sound, quiet rooms included, by `performance.now`. */
  lastSoundMs = 0;

  /** @type {Partial<Record<Side, AnalyserNode>>} */
  #ears = {};
  /** @type {Partial<Record<Side, {rms: number, at: number}>>} */
  #told = {};
  /** @type {AudioNode[]} */
  #sources = [];
  #canvas = document.createElement("canvas");
  #samples = new Float32Array(1024);
  /** @type {{level: number, side: Side}[]} newest last */
  #columns = [];
  #columnSince = 0;
  #frame = 0;
  #still = matchMedia("(prefers-reduced-motion: reduce)");

  connectedCallback() {
    this.ariaHidden = "true";
    this.append(this.#canvas);
  }

  disconnectedCallback() {
    this.disconnect();
  }

  /**
   * @param {AudioContext} context
   * @param {Side} side
   * @param {MediaStream} stream
   */
  connect(context, side, stream) {
    const source = context.createMediaStreamSource(stream);
    const ear = context.createAnalyser();
    ear.fftSize = this.#samples.length;
    source.connect(ear);
    this.#sources.push(source);
    this.#ears[side] = ear;
    this.lastSoundMs = performance.now();
    this.#run();
  }

  /**
   * A level heard elsewhere: the kiosk's page has no sound of its own.
   *
   * @param {Side} side
   * @param {number} db root mean square over full scale
   */
  tell(side, db) {
    this.#told[side] = { rms: 10 ** (db / 20), at: performance.now() };
    if (this.#frame === 0) this.#run();
  }

  #run() {
    cancelAnimationFrame(this.#frame);
    this.#frame = requestAnimationFrame((now) => this.#tick(now));
  }

  /** Let go of the streams and clear the strip. */
  disconnect() {
    cancelAnimationFrame(this.#frame);
    this.#frame = 0;
    this.#told = {};
    for (const source of this.#sources) source.disconnect();
    this.#sources = [];
    this.#ears = {};
    this.#columns = [];
    this.level = 0;
  }

  /** @param {number} now */
  #tick(now) {
    const caller = this.#hear("caller");
    if (caller > DEAD) this.lastSoundMs = now;
    const heard = scaled(this.side === "caller" ? caller : this.#hear(this.side));
    this.level = heard > this.level ? heard : this.level + (heard - this.level) * FALL;

    if (now - this.#columnSince > COLUMN_MS || this.#columns.at(-1)?.side !== this.side) {
      this.#columnSince = now;
      this.#columns.push({ level: 0, side: this.side });
      if (this.#columns.length > 400) this.#columns.shift();
    }
    const newest = this.#columns.at(-1);
    if (newest) newest.level = Math.max(newest.level, this.level);
    this.#draw((now - this.#columnSince) / COLUMN_MS);
    this.#frame = requestAnimationFrame((next) => this.#tick(next));
  }

  /** @param {Side} side @returns {number} root mean square, 0 to 1 */
  #hear(side) {
    const ear = this.#ears[side];
    if (!ear) {
      const told = this.#told[side];
      return told && performance.now() - told.at < TOLD_MS ? told.rms : 0;
    }
    ear.getFloatTimeDomainData(this.#samples);
    let power = 0;
    for (const sample of this.#samples) power += sample * sample;
    return Math.sqrt(power / this.#samples.length);
  }

  /** @param {number} age of the newest column, as a share of its time */
  #draw(age) {
    const ratio = devicePixelRatio;
    const { clientWidth: width, clientHeight: height } = this.#canvas;
    if (this.#canvas.width !== Math.round(width * ratio)) this.#canvas.width = Math.round(width * ratio);
    if (this.#canvas.height !== Math.round(height * ratio)) this.#canvas.height = Math.round(height * ratio);
    const pen = this.#canvas.getContext("2d");
    if (!pen) return;
    pen.setTransform(ratio, 0, 0, ratio, 0, 0);
    pen.clearRect(0, 0, width, height);

    const style = getComputedStyle(this);
    const ink = { caller: style.getPropertyValue(SIDES.caller), agent: style.getPropertyValue(SIDES.agent) };
    const line = style.getPropertyValue("--line");
    const [step, wide] = [COLUMN_PX * this.scale, COLUMN_WIDTH_PX * this.scale];
    const places = Math.floor(width / step);
    for (let place = 0; place < places; place += 1) {
      const column = this.#still.matches
        ? { level: (place + 1) / places <= this.level ? 0.4 : 0, side: this.side }
        : this.#columns[this.#columns.length - places + place];
      const tall = Math.max(wide, (column?.level ?? 0) * height);
      const shift = this.#still.matches ? 0 : (1 - age) * step;
      pen.fillStyle = column && column.level > 0.02 ? ink[column.side] : line;
      pen.beginPath();
      pen.roundRect(place * step + shift, (height - tall) / 2, wide, tall, wide / 2);
      pen.fill();
    }
  }
}

/**
 * Its place between the floor and the ceiling in dB, bent so that speech shows its syllables.
 *
 * @param {number} rms
 * @returns {number} 0 to 1
 */
function scaled(rms) {
  const db = 20 * Math.log10(rms + 1e-9);
  return Math.min(1, Math.max(0, (db - FLOOR_DB) / (CEILING_DB - FLOOR_DB))) ** 1.6;
}

customElements.define("level-meter", LevelMeter);
