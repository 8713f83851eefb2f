import { once } from "node:events";
import { createConnection, createServer, type Server, type Socket } from "node:net";

/** A way to a port of this machine that can be cut, as a network between two machines can. */
export class Severable {
  readonly port: number;
  readonly #server: Server;
  readonly #sockets: Set<Socket>;
  #isCut = false;

  private constructor(server: Server, sockets: Set<Socket>, port: number) {
    this.#server = server;
    this.#sockets = sockets;
    this.port = port;
  }

  static async to(port: number): Promise<Severable> {
    const sockets = new Set<Socket>();
    const server = createServer();
    server.listen(0, "127.0.0.1");
    await once(server, "listening");
    const address = server.address();
    if (address === null || typeof address === "string") throw new Error("the machine gave no port");
    const way = new Severable(server, sockets, address.port);
    server.on("connection", (inside) => way.#join(inside, createConnection({ port, host: "127.0.0.1" })));
    return way;
  }

  get url(): string {
    return `nats://127.0.0.1:${this.port}`;
  }

  /** Ends every connection, and all new ones until `mend`. */
  cut(): void {
    this.#isCut = true;
    for (const socket of this.#sockets) socket.destroy();
  }

  mend(): void {
    this.#isCut = false;
  }

  async end(): Promise<void> {
    this.cut();
    this.#server.close();
    await once(this.#server, "close");
  }

  #join(inside: Socket, outside: Socket): void {
    for (const [from, to] of [
      [inside, outside],
      [outside, inside],
    ] as const) {
      this.#sockets.add(from);
      from.pipe(to);
      from.on("error", () => to.destroy());
      from.on("close", () => {
        this.#sockets.delete(from);
        to.destroy();
      });
    }
    if (this.#isCut) inside.destroy();
  }
}
