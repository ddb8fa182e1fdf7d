/** The simulated network of a simulation: its hosts, listeners, connections, latencies and cuts. */
import type { Connection, ConnectionEvents, Endpoint } from '../ports.ts';
import { connectionPair, resetError, type SimConnection, type Wire } from './sim-connection.ts';
import type { SimRandom } from './sim-random.ts';
import type { SimScheduler } from './sim-scheduler.ts';

/** Virtual milliseconds that a packet takes, drawn evenly. Both 0: it arrives in the next turn. */
export interface LatencyRange {
  readonly minMs: number;
  readonly maxMs: number;
}

/** What a cut does: bytes wait for the healing (TCP sends again), or the connections across it are reset. */
export type PartitionMode = 'hold' | 'drop';

type Accept = (connection: Connection) => ConnectionEvents;

export interface FabricListener {
  readonly host: string;
  /** The address that it was asked to listen at. */
  readonly bound: string;
  readonly port: number;
  readonly accept: Accept;
}

export interface ConnectAttempt {
  readonly from: string;
  readonly to: Endpoint;
  readonly timeoutMs: number;
  readonly opened: Accept;
  /** Whether the connecting process still lives. */
  readonly alive: () => boolean;
}

const EPHEMERAL_PORT_FIRST = 32_768;
const PORT_MAX = 65_535;
const EVERY_ADDRESS: ReadonlySet<string> = new Set(['0.0.0.0', '::', '']);

export class SimFabric implements Wire {
  splitChunks = false;
  readonly #scheduler: SimScheduler;
  readonly #random: SimRandom;
  /** Node address → whether its kernel runs. */
  readonly #hosts = new Map<string, { readonly name: string; up: boolean }>();
  readonly #listeners = new Set<FabricListener>();
  readonly #connections = new Set<SimConnection>();
  readonly #cuts = new Map<string, PartitionMode>();
  readonly #latencies = new Map<string, LatencyRange>();
  #latency: LatencyRange = { minMs: 0, maxMs: 0 };
  #waiting: (() => void)[] = [];
  #nextPort = EPHEMERAL_PORT_FIRST;

  constructor(scheduler: SimScheduler, random: SimRandom) {
    this.#scheduler = scheduler;
    this.#random = random;
  }

  get nowMs(): number {
    return this.#scheduler.nowMs;
  }

  /** The open connections, each by its two ends. */
  get connections(): SimConnection[] {
    return [...this.#connections];
  }

  addHost(address: string, name: string): void {
    this.#hosts.set(address, { name, up: true });
  }

  /** Address of a host given by address or name; undefined when there is none. */
  addressOf(host: string): string | undefined {
    if (this.#hosts.has(host)) return host;
    for (const [address, { name }] of this.#hosts) if (name === host) return address;
    return undefined;
  }

  post(action: () => void): void {
    this.#scheduler.post(action);
  }

  at(dueMs: number, action: () => void): void {
    this.#scheduler.at(dueMs, action);
  }

  below(bound: number): number {
    return this.#random.below(bound);
  }

  isUp(host: string): boolean {
    return this.#hosts.get(host)?.up ?? false;
  }

  isCut(a: string, b: string): boolean {
    return this.#cuts.has(pairKey(a, b));
  }

  latencyMs(from: string, to: string): number {
    const { minMs, maxMs } = this.#latencies.get(pairKey(from, to)) ?? this.#latency;
    return maxMs > minMs ? minMs + this.#random.next() * (maxMs - minMs) : minMs;
  }

  setLatency(range: LatencyRange, between?: readonly [string, string]): void {
    if (between === undefined) this.#latency = range;
    else this.#latencies.set(pairKey(this.#known(between[0]), this.#known(between[1])), range);
  }

  forget(connection: SimConnection): void {
    this.#connections.delete(connection);
  }

  /** Cuts two hosts off from each other. New connections between them wait (and time out). */
  partition(a: string, b: string, mode: PartitionMode): void {
    const [first, second] = [this.#known(a), this.#known(b)];
    this.#cuts.set(pairKey(first, second), mode);
    if (mode === 'hold') return;
    for (const end of this.connections) {
      if (pairKey(end.host, end.peer.host) === pairKey(first, second)) end.close(resetError());
    }
  }

  heal(a: string, b: string): void {
    this.#cuts.delete(pairKey(this.#known(a), this.#known(b)));
    for (const end of this.connections) this.post(() => end.receive());
    this.#retryWaiting();
  }

  /** Resets a connection: both ends hear ECONNRESET. */
  kill(connection: Connection): void {
    const end = this.#end(connection);
    end.close(resetError());
    end.peer.close(resetError());
  }

  /** From now on whatever either end sends vanishes, and neither hears of it. */
  silence(connection: Connection): void {
    this.#end(connection).silence();
  }

  /** The node's process dies; with `machineToo` nobody closes its connections, and nobody answers until `reboot`. */
  crash(host: string, machineToo: boolean): void {
    const state = this.#hosts.get(host);
    if (state === undefined) return;
    state.up = !machineToo;
    for (const listener of this.#listeners) if (listener.host === host) this.#listeners.delete(listener);
    for (const end of this.connections) if (end.host === host) end.die(machineToo);
  }

  reboot(host: string): void {
    const state = this.#hosts.get(host);
    if (state !== undefined) state.up = true;
    for (const end of this.connections) if (end.host === host && end.dead) end.rebooted();
    this.#retryWaiting();
  }

  listen(host: string, at: Endpoint, accept: Accept): FabricListener {
    if (!EVERY_ADDRESS.has(at.host) && at.host !== host && !isLoopback(at.host)) throw networkError('EADDRNOTAVAIL', 'listen', at);
    if (!Number.isInteger(at.port) || at.port < 0 || at.port > PORT_MAX) {
      throw Object.assign(new RangeError(`port should be >= 0 and < 65536, not ${at.port}`), { code: 'ERR_SOCKET_BAD_PORT' });
    }
    const bound = EVERY_ADDRESS.has(at.host) ? '*' : at.host;
    if (at.port !== 0 && this.#isTaken(host, bound, at.port)) throw networkError('EADDRINUSE', 'listen', at);
    const listener = { host, bound, port: at.port === 0 ? this.#freePort(host, bound) : at.port, accept };
    this.#listeners.add(listener);
    return listener;
  }

  unlisten(listener: FabricListener): void {
    this.#listeners.delete(listener);
  }

  connect(attempt: ConnectAttempt): Promise<Connection> {
    const { from, to } = attempt;
    return new Promise((resolve, reject) => {
      let over = false;
      const fail = (code: string): void => {
        if (over || !attempt.alive()) return;
        over = true;
        reject(networkError(code, 'connect', to));
      };
      const host = isLoopback(to.host) ? from : this.addressOf(to.host);
      if (host === undefined) {
        this.post(() => fail('EHOSTUNREACH'));
        return;
      }
      const cancelTimeout = this.#scheduler.at(this.nowMs + attempt.timeoutMs, () => fail('ETIMEDOUT'));
      const opened = (connection: SimConnection): void => {
        // Its process has died, or given up, while the answer was on its way.
        if (over || !attempt.alive()) {
          connection.destroy();
          return;
        }
        over = true;
        cancelTimeout();
        connection.open(attempt.opened(connection));
        resolve(connection);
      };
      const knock = (): void => {
        if (over || !attempt.alive()) return;
        if (this.isCut(from, host) || !this.isUp(host)) this.#waiting.push(knock);
        else this.#accept(attempt, host, opened, () => fail('ECONNREFUSED'));
      };
      this.#later(from, host, knock);
    });
  }

  #accept(attempt: ConnectAttempt, host: string, opened: (connection: SimConnection) => void, refused: () => void): void {
    const { from, to } = attempt;
    const address = isLoopback(to.host) ? '127.0.0.1' : host;
    const listener = this.#find(host, address, to.port);
    if (listener === undefined) {
      this.#later(host, from, refused);
      return;
    }
    const server = { host: address, port: to.port };
    const client = { host: isLoopback(to.host) ? '127.0.0.1' : from, port: this.#takePort() };
    const [near, far] = connectionPair(
      { wire: this, host: from, local: client, remote: server },
      { wire: this, host, local: server, remote: client },
    );
    this.#connections.add(near).add(far);
    // First the answer to the client, so that it is open before anything that the server sends arrives.
    this.#later(host, from, () => opened(near));
    far.open(listener.accept(far));
  }

  #later(from: string, to: string, action: () => void): void {
    const delayMs = this.latencyMs(from, to);
    if (delayMs > 0) this.at(this.nowMs + delayMs, action);
    else this.post(action);
  }

  #retryWaiting(): void {
    const waiting = this.#waiting;
    this.#waiting = [];
    for (const knock of waiting) this.post(knock);
  }

  #find(host: string, address: string, port: number): FabricListener | undefined {
    const fitting = [...this.#listeners].filter((listener) => listener.host === host && listener.port === port);
    return fitting.find((listener) => listener.bound === address) ?? fitting.find((listener) => listener.bound === '*');
  }

  #isTaken(host: string, bound: string, port: number): boolean {
    for (const other of this.#listeners) {
      if (other.host === host && other.port === port && (bound === '*' || other.bound === '*' || other.bound === bound)) return true;
    }
    return false;
  }

  #freePort(host: string, bound: string): number {
    for (let tries = EPHEMERAL_PORT_FIRST; tries <= PORT_MAX; tries++) {
      const port = this.#takePort();
      if (!this.#isTaken(host, bound, port)) return port;
    }
    throw networkError('EADDRINUSE', 'listen', { host: bound, port: 0 });
  }

  #takePort(): number {
    const port = this.#nextPort;
    this.#nextPort = port === PORT_MAX ? EPHEMERAL_PORT_FIRST : port + 1;
    return port;
  }

  #end(connection: Connection): SimConnection {
    const end = this.connections.find((candidate) => candidate === connection);
    if (end === undefined) throw new Error('not an open connection of this simulation');
    return end;
  }

  #known(host: string): string {
    const address = this.addressOf(host);
    if (address === undefined) throw new Error(`the simulation has no host ${host}`);
    return address;
  }
}

export function isLoopback(host: string): boolean {
  return host.startsWith('127.') || host === '::1' || host === 'localhost';
}

function pairKey(a: string, b: string): string {
  return a < b ? `${a}|${b}` : `${b}|${a}`;
}

function networkError(code: string, call: string, at: Endpoint): Error {
  return Object.assign(new Error(`${call} ${code} ${at.host}:${at.port}`), { code, syscall: call, address: at.host, port: at.port });
}
