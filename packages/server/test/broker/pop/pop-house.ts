/** One broker without a NameServer on a simulated machine that can be killed, for many short runs. */
import { type SimWorld, simWorld } from '@perigee/core/platform/sim/sim-platform';
import { Broker } from '../../../src/broker/broker.ts';
import { loadBrokerConfig } from '../../../src/config/broker-config.ts';
import { type BrokerConfig, brokerEntries } from '../../../src/config/broker-entries.ts';
import { LiveConfig } from '../../../src/config/live-config.ts';
import { type Ext, type WireAnswer, WireClient } from '../e2e-wire.ts';

const SMALL = { mappedFileSizeCommitLog: '65536', mappedFileSizeConsumeQueue: '6000', maxHashSlotNum: '100', maxIndexNum: '400' };
/** Ten minutes of one-second slots on either side. */
const WHEEL_SLOTS = 1_200;

/**
 * A restart takes time: a pop time names a pop, and two lives of a broker never share one. (Seed 401284 of the sequences: with a
 * restart in no time, the ack of an ordered message that the power took counted for the one that lay in its place.)
 */
const RESTART_MS = 1;

export class PopHouse {
  readonly world: SimWorld;
  readonly #settings: Readonly<Record<string, string>>;
  broker!: Broker;
  client!: WireClient;

  constructor(seed: number, settings: Readonly<Record<string, string>> = {}) {
    this.world = simWorld({ seed });
    this.#settings = { ...SMALL, mappedFileSizeTimerLog: '52000', ...settings };
  }

  async start(): Promise<void> {
    const platform = this.world.node('broker');
    const host = platform.host.localAddresses()[0] as string;
    const overrides = {
      brokerName: 'broker-a',
      brokerIP1: host,
      brokerIP2: host,
      bindAddress: host,
      storePathRootDir: '/data',
      listenPort: '10911',
      ...this.#settings,
    };
    const loaded = loadBrokerConfig({ overrides, host: platform.host });
    if (loaded.state === 'refused') throw new Error(loaded.sentences.join(' '));
    const live = new LiveConfig<BrokerConfig>(platform, { entries: brokerEntries, loaded });
    const broker = new Broker(platform, live, { timerWheelSlots: WHEEL_SLOTS });
    await this.world.run(broker.start());
    this.broker = broker;
    this.client = await this.world.run(WireClient.open(this.world.node('client').network, `${host}:10911`));
  }

  get nowMs(): number {
    return this.world.node('broker').clock.wallMs();
  }

  advance(ms: number): Promise<void> {
    return this.world.advance(ms);
  }

  /** A request and its answer; undefined when none came (the broker died, or its disk did). */
  request(code: number, ext: Ext = {}, body?: Buffer): Promise<WireAnswer> {
    return this.world.run(this.client.request(code, ext, body));
  }

  /** Requests that arrive together, and their answers. */
  requests(all: readonly { readonly code: number; readonly ext: Ext }[]): Promise<WireAnswer[]> {
    return this.world.run(Promise.all(all.map(({ code, ext }) => this.client.request(code, ext))));
  }

  async restart(how: 'clean' | 'kill' | 'power'): Promise<void> {
    this.client.close();
    if (how === 'clean') await this.world.run(this.broker.stop());
    this.world.crash('broker', how === 'power' ? { power: true } : {});
    await this.world.settle();
    await this.world.advance(RESTART_MS);
    await this.start();
  }
}
