import { appendFile, readFile } from "node:fs/promises";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { signingKeyFromSeed, type SigningKey } from "../../proofs/keys.ts";
import { signTransaction } from "../../proofs/transaction.ts";
import { CHAIN } from "./layout.ts";

export interface ProducerOptions {
  /** Where the chain is written down: blocks, and what was acknowledged. */
  readonly directory: string;
  readonly tokenFile: string;
  /** Schedulers, of which one answers. */
  readonly urls: readonly string[];
  readonly ratePerS: number;
}

/** A block as the producer tells of it. */
export interface ProducedBlock {
  readonly height: number;
  readonly transactions: number;
  /** Who sealed it. */
  readonly url: string;
  /** How long after its time it was sealed. */
  readonly lateMs: number;
  /** Transactions acknowledged since the block before. */
  readonly acknowledged: number;
  /** Transactions that wait when it is asked for. */
  readonly pending: number;
}

const INTERVAL_MS = 500;
const USERS = 8;
const DEPOSIT_GWEI = 1_000_000_000;
const REQUEST_MS = 5_000;
const PAUSE_MS = 100;

interface User {
  readonly key: SigningKey;
  nonce: number;
}

/**
 * A chain of one producer, and its users, who speak to whichever scheduler leads, over HTTP alone. It can be killed at any time:
 * which block is next and which nonces are is what the scheduler says.
 */
export class ClusterProducer {
  readonly #options: ProducerOptions;
  /** Users submit no more. */
  readonly #closing = new AbortController();
  /** Nothing goes on. */
  readonly #over = new AbortController();
  #url: string;
  #token = "";
  #acknowledged = 0;

  constructor(options: ProducerOptions) {
    this.#options = options;
    this.#url = options.urls[0] ?? "";
  }

  /** Users submit no more; what is pending is sealed or comes to its end. Asked again, everything ends at once. */
  stop(): void {
    if (this.#closing.signal.aborted) this.#over.abort();
    this.#closing.abort();
  }

  /** Produces blocks until it is stopped and nothing is pending. */
  async run(onBlock: (block: ProducedBlock) => void): Promise<void> {
    const users = await this.#users();
    if (users === undefined) return;
    const submitting = this.#submitAll(users);
    for (;;) {
      const block = await this.#produce();
      if (block === undefined) break;
      onBlock(block);
      if (this.#closing.signal.aborted && block.pending === 0) break;
    }
    this.#over.abort();
    await submitting;
  }

  async #produce(): Promise<ProducedBlock | undefined> {
    const statistics = await this.#ask("GET", "/v1/statistics");
    if (statistics === undefined) return undefined;
    const sizes = statistics["sizes"] as { readonly height: number; readonly pending: number };
    const height = Math.max(1, sizes.height);
    const sealAtMs = Date.now() + INTERVAL_MS;
    const opened = await this.#ask("POST", "/v1/blocks", { height, sealAtMs });
    // A block of this height that is sealed was sealed for us, who died before it was committed.
    const known = opened !== undefined && opened["type"] === "urn:pipe:problem:block-sealed";
    if (!known)
      await sleep(Math.max(0, sealAtMs - Date.now()), undefined, { signal: this.#over.signal }).catch(() => {});
    const order = { maxTransactions: 1_000, order: "gas" };
    const sealed = await this.#ask("POST", `/v1/blocks/${height}/seal`, order);
    if (sealed === undefined) return undefined;
    const receipts = sealed["receipts"] as readonly { readonly txHash?: string }[] | undefined;
    if (receipts === undefined) return this.#produce();
    const url = this.#url;
    const block = { height, receipts: receipts.length, header: sealed["header"] };
    await appendFile(join(this.#options.directory, "chain.jsonl"), `${JSON.stringify(block)}\n`);
    if ((await this.#ask("POST", `/v1/blocks/${height}/committed`, {})) === undefined) return undefined;
    if (
      (await this.#ask("POST", "/v1/blocks", { height: height + 1, sealAtMs: Date.now() + INTERVAL_MS })) === undefined
    )
      return undefined;
    const acknowledged = this.#acknowledged;
    this.#acknowledged = 0;
    const lateMs = Math.round(Date.now() - sealAtMs);
    return { height, transactions: receipts.length, url, lateMs, acknowledged, pending: sizes.pending };
  }

  /** With what the scheduler knows of them. */
  async #users(): Promise<readonly User[] | undefined> {
    const users: User[] = [];
    for (let index = 1; index <= USERS; index += 1) {
      const key = signingKeyFromSeed(new Uint8Array(32).fill(index));
      const path = `/v1/accounts/${key.publicKeyHex}`;
      let account = await this.#ask("GET", path);
      if (account?.["nextNonce"] === undefined && account !== undefined)
        account = await this.#ask("POST", `${path}/deposits`, { amountGwei: DEPOSIT_GWEI });
      if (account === undefined) return undefined;
      users.push({ key, nonce: Number(account["nextNonce"] ?? 0) });
    }
    return users;
  }

  async #submitAll(users: readonly User[]): Promise<void> {
    const { signal } = this.#closing;
    await Promise.all(
      users.map(async (user) => {
        const pauseMs = (users.length * 1_000) / this.#options.ratePerS;
        while (!signal.aborted) {
          await this.#submit(user);
          await sleep(pauseMs * (0.5 + Math.random()), undefined, { signal }).catch(() => undefined);
        }
      }),
    );
  }

  async #submit(user: User): Promise<void> {
    const input = Buffer.from(new Float32Array(16).fill((user.nonce % 100) / 100).buffer).toString("base64");
    const call = {
      model: "risk-small",
      mode: "vanilla",
      input,
      tokensIn: 16,
      tokensOut: 1,
      maxFeeGwei: 3_000,
      conflict: { kind: "first-valid" },
      validityBlocks: 64,
    } as const;
    const about = { chainId: CHAIN, sender: user.key.publicKeyHex, nonce: user.nonce, gasPriceGwei: 1, ttlBlocks: 120 };
    const signed = signTransaction({ ...about, calls: [call] }, user.key);
    const answer = await this.#ask("POST", "/v1/transactions", signed);
    if (answer?.["hash"] === undefined) return this.#readNonce(user);
    user.nonce += 1;
    this.#acknowledged += 1;
    await appendFile(join(this.#options.directory, "acknowledged.jsonl"), `${JSON.stringify(answer["hash"])}\n`);
  }

  async #readNonce(user: User): Promise<void> {
    const account = await this.#ask("GET", `/v1/accounts/${user.key.publicKeyHex}`);
    user.nonce = Number(account?.["nextNonce"] ?? user.nonce);
  }

  /** Asks whoever leads, again and again; `undefined` once it is stopped. A problem is an answer, unless it passes by itself. */
  async #ask(method: string, path: string, body?: unknown): Promise<Record<string, unknown> | undefined> {
    const { signal } = this.#over;
    while (!signal.aborted) {
      try {
        this.#token ||= (await readFile(this.#options.tokenFile, "utf8")).trim();
        const response = await fetch(`${this.#url}${path}`, {
          method,
          signal: AbortSignal.any([signal, AbortSignal.timeout(REQUEST_MS)]),
          headers: { authorization: `Bearer ${this.#token}`, "content-type": "application/json" },
          ...(body === undefined ? {} : { body: JSON.stringify(body) }),
        });
        const text = await response.text();
        if (response.status !== 503) return text === "" ? {} : (JSON.parse(text) as Record<string, unknown>);
      } catch {
        // Gone, or not there yet.
      }
      this.#next();
      await sleep(PAUSE_MS, undefined, { signal }).catch(() => undefined);
    }
    return undefined;
  }

  #next(): void {
    const { urls } = this.#options;
    this.#url = urls[(urls.indexOf(this.#url) + 1) % urls.length] ?? this.#url;
  }
}
