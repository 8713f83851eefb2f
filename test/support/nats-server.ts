import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { createConnection, createServer } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { findTool, TOOLS } from "../setup/tools.mjs";

/** Longest time until the broker answers: it takes a tenth of a second on an idle machine. */
const START_MS = 20_000;
const ATTEMPTS = 5;

/** A broker of its own for one test, on a free port of the loopback. Whoever starts it ends it. */
export class NatsServer {
  readonly port: number;
  readonly #directory: string;
  readonly #config: string;
  #process: ChildProcess | undefined;
  /** Ends the server when this process is gone without having done so: its standard input ends with us. */
  #heir: ChildProcess | undefined;

  private constructor(port: number, directory: string) {
    this.port = port;
    this.#directory = directory;
    this.#config = join(directory, "server.conf");
  }

  /** `config`: further lines of its configuration. */
  static async start(config = ""): Promise<NatsServer> {
    for (let attempt = 1; ; attempt++) {
      const server = new NatsServer(await freePort(), mkdtempSync(join(tmpdir(), "pipe-nats-")));
      server.#configure(config);
      try {
        await server.restart();
        return server;
      } catch (error) {
        // Somebody else may have taken the port since it was free.
        await server.end();
        if (attempt === ATTEMPTS) throw error;
      }
    }
  }

  get url(): string {
    return `nats://127.0.0.1:${this.port}`;
  }

  /** Ends it and starts it on its port with other lines of configuration. */
  async reconfigure(config: string): Promise<void> {
    await this.kill();
    this.#configure(config);
    await this.restart();
  }

  #configure(config: string): void {
    const place = [`listen: "127.0.0.1:${this.port}"`, `pid_file: "${join(this.#directory, "pid")}"`];
    writeFileSync(this.#config, [...place, config, ""].join("\n"));
  }

  /** Starts it on its port, after `kill`. */
  async restart(): Promise<void> {
    const program = findTool(TOOLS.natsServer, process.env);
    if (program === undefined) throw new Error("nats-server is not here: run node test/setup/tools.mjs");
    const child = spawn(program, ["-c", this.#config], { stdio: ["ignore", "ignore", "pipe"] });
    this.#process = child;
    this.#heir = spawn("sh", ["-c", `read _; kill -9 ${child.pid}`], { stdio: ["pipe", "ignore", "ignore"] });
    let said = "";
    child.stderr.on("data", (chunk: Buffer) => {
      said = (said + chunk.toString()).slice(-4_000);
    });
    const untilMs = performance.now() + START_MS;
    while (!(await isListening(this.port, child))) {
      if (child.exitCode !== null || child.signalCode !== null) throw new Error(`nats-server did not start: ${said}`);
      if (performance.now() > untilMs) throw new Error(`nats-server does not answer: ${said}`);
      await new Promise((resolve) => setTimeout(resolve, 20));
    }
  }

  /** Ends it without warning, as a crash would. */
  async kill(): Promise<void> {
    const child = this.#process;
    // First: the number may be another process's as soon as ours is gone.
    this.#heir?.kill("SIGKILL");
    this.#heir = undefined;
    if (child === undefined || child.exitCode !== null || child.signalCode !== null) return;
    const gone = once(child, "exit");
    child.kill("SIGKILL");
    await gone;
  }

  /** It stands still, with its connections open, until `resume`. */
  suspend(): void {
    this.#process?.kill("SIGSTOP");
  }

  resume(): void {
    this.#process?.kill("SIGCONT");
  }

  /** Ends exactly this server, and what it left. */
  async end(): Promise<void> {
    await this.kill();
    rmSync(this.#directory, { recursive: true, force: true });
  }
}

/** Whether the child itself is what listens: another program on the port would not have let it live. */
function isListening(port: number, child: ChildProcess): Promise<boolean> {
  const { promise, resolve } = Promise.withResolvers<boolean>();
  const socket = createConnection({ port, host: "127.0.0.1" });
  const settle = (found: boolean) => {
    socket.destroy();
    resolve(found && child.exitCode === null);
  };
  socket.once("data", (greeting) => settle(greeting.toString().startsWith("INFO ")));
  socket.once("error", () => settle(false));
  socket.setTimeout(1_000, () => settle(false));
  return promise;
}

export async function freePort(): Promise<number> {
  const server = createServer();
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  const address = server.address();
  server.close();
  await once(server, "close");
  if (address === null || typeof address === "string") throw new Error("the machine gave no port");
  return address.port;
}
