/* The browser's microphone as samples for a StenodClient, by way of an AudioWorklet. Needs https, or localhost. */

const WORKLET = new URL("./worklet.js", import.meta.url);

/** Ask for the microphone. `send` is called with Float32Arrays at `rate` samples per second; `stop` ends it. */
export async function openMicrophone() {
  const stream = await navigator.mediaDevices.getUserMedia({
    audio: { channelCount: 1, echoCancellation: true, noiseSuppression: true, autoGainControl: true },
  });
  const context = await contextFor(stream);
  await context.audioWorklet.addModule(WORKLET);
  const node = new AudioWorkletNode(context, "stenod-samples", { numberOfOutputs: 0, channelCount: 1, channelCountMode: "explicit" });
  return {
    rate: context.sampleRate,
    start(send) {
      node.port.onmessage = ({ data }) => send(data);
      context.createMediaStreamSource(stream).connect(node);
      return context.resume();
    },
    async stop() {
      node.port.onmessage = null;
      stream.getTracks().forEach((track) => track.stop());
      await context.close();
    },
  };
}

/** 16 kHz where the browser resamples microphones (Firefox does not), else the rate it has; the server takes up to 48 kHz. */
async function contextFor(stream) {
  const context = new AudioContext({ sampleRate: 16000 });
  try {
    context.createMediaStreamSource(stream);
    return context;
  } catch {
    await context.close();
    return new AudioContext();
  }
}
