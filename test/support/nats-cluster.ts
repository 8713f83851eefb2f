import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { freePort, NatsServer } from "./nats-server.ts";

/** Brokers that form a cluster with JetStream, for one test. Whoever starts it ends it. */
export class NatsCluster {
  readonly names: readonly string[];
  readonly #servers: readonly NatsServer[];
  readonly #store: string;

  private constructor(servers: readonly NatsServer[], names: readonly string[], store: string) {
    this.#servers = servers;
    this.names = names;
    this.#store = store;
  }

  /** Resolves when all of them answer; that they have found each other is for the first question to wait for. */
  static async start(count: number): Promise<NatsCluster> {
    const store = mkdtempSync(join(tmpdir(), "pipe-cluster-"));
    const ports = await Promise.all(Array.from({ length: count }, freePort));
    const names = ports.map((_, index) => `broker-${index + 1}`);
    const routes = ports.map((port) => `"nats://127.0.0.1:${port}"`).join(", ");
    const servers = await Promise.all(
      ports.map((port, index) =>
        NatsServer.start(
          [
            `server_name: "${names[index]}"`,
            `jetstream { store_dir: "${join(store, `${index + 1}`)}" }`,
            `cluster { name: "test", listen: "127.0.0.1:${port}", routes: [${routes}] }`,
          ].join("\n"),
        ),
      ),
    );
    return new NatsCluster(servers, names, store);
  }

  get urls(): readonly string[] {
    return this.#servers.map(({ url }) => url);
  }

  /** Ends one without warning. */
  async kill(index: number): Promise<void> {
    await this.#servers[index]?.kill();
  }

  async restart(index: number): Promise<void> {
    await this.#servers[index]?.restart();
  }

  async end(): Promise<void> {
    await Promise.all(this.#servers.map((server) => server.end()));
    rmSync(this.#store, { recursive: true, force: true });
  }
}
