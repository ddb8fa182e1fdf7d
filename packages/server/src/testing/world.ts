/** Where a test cluster lives: some processes, each on a disk of its own that outlives it, in one time. */
import { nodeClock } from '@perigee/core/platform/node/clock';
import { nodeNetwork } from '@perigee/core/platform/node/network';
import { nodeRandom } from '@perigee/core/platform/node/random';
import type { Platform } from '@perigee/core/platform/ports';
import { SimClock } from '@perigee/core/platform/sim/sim-clock';
import { type PowerLoss, SimDisk } from '@perigee/core/platform/sim/sim-disk';
import { simHost } from '@perigee/core/platform/sim/sim-host';
import { SimLog } from '@perigee/core/platform/sim/sim-log';
import { SimRandom } from '@perigee/core/platform/sim/sim-random';
import { SimStorage } from '@perigee/core/platform/sim/sim-storage';
import { LoopbackLinks } from './loopback-links.ts';
import { MovableTime } from './movable-time.ts';
import { ProcessNetwork } from './process-network.ts';

/** How a process dies: alone (kill -9), or with its machine and what the page cache held (`power`). */
export interface Crash extends PowerLoss {
  readonly power?: boolean;
}

/** One process: the ports it was started with. The disk is in memory and takes faults, the log keeps its lines. */
export interface ProcessPlatform extends Platform {
  readonly disk: SimDisk;
  readonly log: SimLog;
}

/** The world below a cluster. `T` is its platform. */
export interface ClusterWorld<T extends ProcessPlatform> {
  /** The process of that name; started when there is none. */
  node(name: string): T;
  crash(name: string, how?: Crash): void;
  advance(delayMs: number): Promise<void>;
  settle(): Promise<void>;
  /** Timers, inputs and turn ends that moving the time has run so far: what it costs, whatever the machine. */
  readonly steps: number;
  /** Awaits work, and drives time for it where time does not run by itself. */
  run<R>(work: Promise<R>): Promise<R>;
}

const LOOPBACK = '127.0.0.1';

interface Process {
  readonly platform: ProcessPlatform & { readonly clock: SimClock };
  readonly network: ProcessNetwork;
}

/** Real sockets on loopback and real time that can be moved; disks in memory. */
export class RealWorld implements ClusterWorld<ProcessPlatform> {
  readonly #time = new MovableTime(nodeClock());
  readonly #links = new LoopbackLinks(this.#time);
  readonly #processes = new Map<string, Process>();
  readonly #disks = new Map<string, SimStorage>();
  #lastPid = 0;

  node(name: string): ProcessPlatform {
    let process = this.#processes.get(name);
    if (process === undefined) {
      process = this.#start(name);
      this.#processes.set(name, process);
    }
    return process.platform;
  }

  #start(name: string): Process {
    const time = this.#time;
    const clock = new SimClock(time, time.wallStartMs);
    const wallMs = (): number => clock.wallMs();
    const storage = this.#disks.get(name) ?? new SimStorage();
    this.#disks.set(name, storage);
    const log = new SimLog(wallMs);
    const random = nodeRandom();
    const network = new ProcessNetwork({ network: nodeNetwork(log), links: this.#links, noteTraffic: () => time.noteTraffic() });
    const disk = new SimDisk({ scheduler: time, random: new SimRandom(random.below(2 ** 32)), wallMs, storage });
    const host = simHost({ pid: ++this.#lastPid, hostname: name, addresses: [LOOPBACK] });
    return { platform: { clock, random, network, disk, log, host }, network };
  }

  crash(name: string, how: Crash = {}): void {
    const process = this.#processes.get(name);
    if (process === undefined) throw new Error(`no live process ${name}`);
    this.#processes.delete(name);
    const { clock, disk } = process.platform;
    clock.stop();
    void process.network.stop();
    if (how.power === true) disk.losePower(how);
    else disk.crashProcess();
    disk.stop();
  }

  advance(delayMs: number): Promise<void> {
    return this.#time.advance(delayMs);
  }

  settle(): Promise<void> {
    return this.#time.settle();
  }

  get steps(): number {
    return this.#time.steps;
  }

  run<R>(work: Promise<R>): Promise<R> {
    return work;
  }
}
