import type { Commands, OrderEntry } from "./commands.ts";
import type { RaceOwner } from "./race.ts";

/** Gives entries of the ordering log through one reused record. */
export class OrderWriter {
  readonly #line: { -readonly [K in keyof OrderEntry]: OrderEntry[K] } = {
    entry: "admitted",
    atUs: 0,
    seq: 0,
    txHash: "",
    sender: "",
    nonce: 0,
    callIndex: -1,
    queue: "",
  };

  /** About one job, when `queue` names its class; about the whole transaction, when it is empty and `callIndex` is −1. */
  write(
    entry: OrderEntry["entry"],
    about: { readonly tx: RaceOwner; readonly callIndex: number; readonly queue: string },
    nowUs: number,
    out: Commands,
  ): void {
    const line = this.#line;
    const { tx } = about;
    line.entry = entry;
    line.atUs = nowUs;
    line.seq = tx.seq;
    line.txHash = tx.hash;
    line.sender = tx.sender;
    line.nonce = tx.nonce;
    line.callIndex = about.callIndex;
    line.queue = about.queue;
    out.ordered(line);
  }
}
