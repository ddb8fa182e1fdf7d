/** A simulated world: several nodes, each with its own disk, address and clock face, in one virtual time on one network. */
import type { Platform } from '../ports.ts';
import { SimClock } from './sim-clock.ts';
import { type PowerLoss, SimDisk } from './sim-disk.ts';
import { SimFabric } from './sim-fabric.ts';
import { simHost } from './sim-host.ts';
import { SimLog } from './sim-log.ts';
import { SimNetwork } from './sim-network.ts';
import { SimRandom } from './sim-random.ts';
import { SimScheduler } from './sim-scheduler.ts';
import { SimStorage } from './sim-storage.ts';

export interface SimOptions {
  /** The same seed gives the same run; default 1. */
  readonly seed?: number;
  /** Wall time at the start; default 2025-01-01T00:00:00Z. */
  readonly startWallMs?: number;
  /** Environment variables of every process. */
  readonly environment?: Readonly<Record<string, string>>;
}

export interface SimPlatform extends Platform {
  readonly clock: SimClock;
  readonly random: SimRandom;
  readonly disk: SimDisk;
  readonly network: SimNetwork;
  readonly log: SimLog;
  /** Runs until nothing is ready at the current virtual time. */
  settle(): Promise<void>;
  /** Drives until `work` is settled, moving time at most `limitMs` (default ten minutes), and answers as `work` does. */
  run<T>(work: Promise<T>, limitMs?: number): Promise<T>;
}

/** How a node dies: its process alone, or the machine with its page cache. */
export interface Crash extends PowerLoss {
  readonly power?: boolean;
}

export interface SimWorld {
  /** The node's current platform; the first call makes the node. After a crash: a new process on the same disk. */
  node(name: string): SimPlatform;
  /**
   * Kills the node as kill -9 does (`power`: as the plug does, and its peers hear nothing). Nothing of the dead process
   * runs any more; `node(name)` then gives a new one.
   */
  crash(name: string, how?: Crash): void;
  /** Moves time forward and runs in order all that becomes due on the way. */
  advance(delayMs: number): Promise<void>;
  settle(): Promise<void>;
  run<T>(work: Promise<T>, limitMs?: number): Promise<T>;
  /** Virtual milliseconds since the start. */
  readonly nowMs: number;
  /** Timers, inputs and turn ends run so far: what moving the time costs, whatever the machine. */
  readonly steps: number;
}

/** 2025-01-01T00:00:00Z. */
const START_WALL_MS = 1_735_689_600_000;
const PID_FIRST = 1000;
/** Addresses 10.0.0.1 to 10.0.0.254. */
const NODES_MAX = 254;

interface SimNodeState {
  readonly address: string;
  readonly storage: SimStorage;
  platform: SimPlatform | undefined;
  /** Kept over restarts: a clock that was set wrong stays wrong. */
  wallStartMs: number;
}

class World implements SimWorld {
  readonly #options: SimOptions;
  readonly #random: SimRandom;
  readonly #scheduler = new SimScheduler();
  readonly #fabric: SimFabric;
  readonly #nodes = new Map<string, SimNodeState>();
  #nextPid = PID_FIRST;

  constructor(options: SimOptions) {
    this.#options = options;
    this.#random = new SimRandom(options.seed ?? 1);
    this.#fabric = new SimFabric(this.#scheduler, this.#random.fork());
  }

  get nowMs(): number {
    return this.#scheduler.nowMs;
  }

  get steps(): number {
    return this.#scheduler.steps;
  }

  node(name: string): SimPlatform {
    const known = this.#nodes.get(name);
    const state = known ?? this.#addNode(name);
    if (state.platform === undefined) {
      state.platform = this.#start(name, state);
      this.#fabric.reboot(state.address);
    }
    return state.platform;
  }

  crash(name: string, how: Crash = {}): void {
    const state = this.#nodes.get(name);
    if (state?.platform === undefined) throw new Error(`no live node ${name}`);
    const { clock, disk, network } = state.platform;
    state.wallStartMs = clock.wallMs() - Math.floor(this.#scheduler.nowMs);
    clock.stop();
    network.stop();
    this.#fabric.crash(state.address, how.power === true);
    if (how.power === true) disk.losePower(how);
    else disk.crashProcess();
    disk.stop();
    state.platform = undefined;
  }

  advance(delayMs: number): Promise<void> {
    return this.#scheduler.advance(delayMs);
  }

  settle(): Promise<void> {
    return this.#scheduler.settle();
  }

  run<T>(work: Promise<T>, limitMs?: number): Promise<T> {
    return this.#scheduler.run(work, limitMs);
  }

  #addNode(name: string): SimNodeState {
    if (this.#nodes.size >= NODES_MAX) throw new Error(`a simulation has at most ${NODES_MAX} nodes`);
    const address = `10.0.0.${this.#nodes.size + 1}`;
    const wallStartMs = this.#options.startWallMs ?? START_WALL_MS;
    const state: SimNodeState = { address, storage: new SimStorage(), platform: undefined, wallStartMs };
    this.#nodes.set(name, state);
    this.#fabric.addHost(address, name);
    return state;
  }

  #start(name: string, state: SimNodeState): SimPlatform {
    const scheduler = this.#scheduler;
    const clock = new SimClock(scheduler, state.wallStartMs);
    const wallMs = (): number => clock.wallMs();
    const environment = this.#options.environment ?? {};
    return {
      clock,
      random: this.#random.fork(),
      disk: new SimDisk({ scheduler, random: this.#random.fork(), wallMs, storage: state.storage }),
      network: new SimNetwork(this.#fabric, state.address),
      log: new SimLog(wallMs),
      host: simHost({ pid: this.#nextPid++, hostname: name, addresses: [state.address], environment }),
      settle: () => scheduler.settle(),
      run: (work, limitMs) => scheduler.run(work, limitMs),
    };
  }
}

/** A world without nodes yet. */
export function simWorld(options: SimOptions = {}): SimWorld {
  return new World(options);
}

/** The one node of a world of its own. */
export function simPlatform(options: SimOptions = {}): SimPlatform {
  return simWorld(options).node('sim');
}
