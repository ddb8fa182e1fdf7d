/** So often the real event loop gets its turn: what a test itself waits for there, a module or a socket, must not starve. */
const DRAINS_PER_LOOP = 256;

/**
 * Waits until the microtask queue is empty, however long the chains of promises in it are. Node runs what `nextTick` put
 * off only then, and so does its event loop with a message to ourselves; real time plays no part in either.
 */
export class Microtasks {
  readonly #channel = new MessageChannel();
  #drained: () => void = () => {};
  #drains = 0;

  constructor() {
    this.#channel.port1.on('message', () => this.#drained());
  }

  drain(): Promise<void> {
    if (++this.#drains % DRAINS_PER_LOOP !== 1) return new Promise(putOff);
    return new Promise((resolve) => {
      this.#drained = resolve;
      this.#channel.port2.postMessage(undefined);
    });
  }

  /** No drain may follow. */
  close(): void {
    this.#channel.port1.close();
  }
}

function putOff(action: () => void): void {
  // biome-ignore lint/style/noRestrictedGlobals: this makes the event loop that the ports hide, and no part of it depends on the process.
  process.nextTick(action);
}
