/** A remoting server on a simulated network, and a peer made by hand that sends it whatever bytes it likes. */
import type { Connection, Endpoint } from '../../src/platform/ports.ts';
import { type SimPlatform, type SimWorld, simWorld } from '../../src/platform/sim/sim-platform.ts';
import { FLAG_RESPONSE, type Header, SERIALIZE_JSON, type SerializeType } from '../../src/protocol/frame.ts';
import { decodeHeader, encodeFrame } from '../../src/protocol/frame-codec.ts';
import { FrameReader } from '../../src/remoting/frame-reader.ts';
import type { RawHandler } from '../../src/remoting/handler.ts';
import { RemotingServer, type RemotingServerOptions } from '../../src/remoting/remoting-server.ts';
import { Turn } from '../../src/remoting/turn.ts';

export const IDLE_MAX_MS = 120_000;

export interface Frame {
  readonly header: Header;
  readonly body: Buffer;
}

/** A request frame. */
export function request(code: number, opaque: number, more: Partial<Header> & { body?: Buffer; type?: SerializeType } = {}): Buffer {
  const { body, type, ...header } = more;
  return encodeFrame({ code, language: 'JAVA', version: 513, opaque, flag: 0, ...header }, body, type ?? SERIALIZE_JSON);
}

/** A frame with this header text, whatever it is. */
export function rawFrame(headerText: string, body: Buffer = Buffer.alloc(0), type = 0): Buffer {
  const header = Buffer.from(headerText);
  const frame = Buffer.alloc(8 + header.length + body.length);
  frame.writeInt32BE(4 + header.length + body.length, 0);
  frame.writeInt32BE((type << 24) | header.length, 4);
  header.copy(frame, 8);
  body.copy(frame, 8 + header.length);
  return frame;
}

/** One end of a connection that is not ours: it sends bytes and collects what comes back. */
export class RawPeer {
  readonly frames: Frame[] = [];
  closed = false;
  /** Bytes that arrived. */
  receivedBytes = 0;
  #connection: Connection | undefined;
  readonly #reader = new FrameReader((bytes, start, size) => {
    const headerEnd = start + 8 + bytes.readUIntBE(start + 5, 3);
    this.frames.push({
      header: decodeHeader(bytes, start + 8, headerEnd, bytes[start + 4] as number),
      body: bytes.subarray(headerEnd, start + size),
    });
    return true;
  });

  static async connect(platform: SimPlatform, to: Endpoint): Promise<RawPeer> {
    const peer = new RawPeer();
    await platform.run(
      platform.network.connect(to, 1_000, (connection) => {
        peer.#connection = connection;
        return {
          onData: (chunk) => {
            peer.receivedBytes += chunk.length;
            peer.#reader.feed(chunk);
          },
          onDrain: () => {},
          onClose: () => {
            peer.closed = true;
          },
        };
      }),
    );
    return peer;
  }

  get connection(): Connection {
    return this.#connection as Connection;
  }

  send(bytes: Buffer): void {
    this.connection.write(bytes);
  }

  /** The answers so far, by opaque. */
  get answers(): Map<number, Frame> {
    return new Map(this.frames.filter(({ header }) => (header.flag & FLAG_RESPONSE) !== 0).map((frame) => [frame.header.opaque, frame]));
  }
}

export interface TestServer {
  readonly world: SimWorld;
  readonly server: RemotingServer;
  readonly platform: SimPlatform;
  readonly clients: SimPlatform;
  connect(): Promise<RawPeer>;
}

/** A server with these handlers on one node; peers connect from another. */
export async function startServer(
  handlers: Readonly<Record<number, RawHandler>>,
  more: Partial<RemotingServerOptions> = {},
): Promise<TestServer> {
  const world = simWorld();
  const platform = world.node('server');
  const clients = world.node('clients');
  const server = new RemotingServer(platform, {
    at: { host: '0.0.0.0', port: 10911 },
    idleMaxMs: IDLE_MAX_MS,
    handlers: new Map(Object.entries(handlers).map(([code, handler]) => [Number(code), handler])),
    turn: new Turn(platform.clock),
    ...more,
  });
  await world.run(server.start());
  const address = platform.host.localAddresses()[0] as string;
  return { world, server, platform, clients, connect: () => RawPeer.connect(clients, { host: address, port: 10911 }) };
}
