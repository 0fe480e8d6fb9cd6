/** Two inputs, mono, side by side in time, sent out in pieces. */
class Recorder extends AudioWorkletProcessor {
  process(inputs) {
    const silence = new Float32Array(128);
    this.port.postMessage([inputs[0][0] ?? silence, inputs[1][0] ?? silence].map((side) => side.slice()));
    return true;
  }
}
registerProcessor("recorder", Recorder);
