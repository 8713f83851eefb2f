/** A scheduler of a shard in a process of its own, which does what its parent asks and says what came of it. */
import type { Pipe, SignedTransaction } from "../../../../scheduler/index.ts";
import { openShard } from "../../../../scheduler/nats/shard/shard.ts";
import { startMember } from "../../support/shard-member.ts";

export type Question =
  | { readonly kind: "deposit"; readonly account: string }
  | { readonly kind: "submit"; readonly signed: SignedTransaction }
  | { readonly kind: "open" | "seal" | "commit"; readonly height: number }
  | { readonly kind: "status"; readonly hash: string };

const [servers = "", name = "", directory = "", replicas = "1"] = process.argv.slice(2);
const say = (message: object): void => void process.send?.(message);

const shard = await openShard({
  servers: servers.split(","),
  shard: "s1",
  name,
  replicas: Number(replicas) as 1 | 3,
  limits: { leaseMs: 1_000 },
  onRole: ({ kind }) => say({ role: kind }),
});
const pipe = await startMember(directory, shard);
void pipe.failed.then(({ message }) => say({ failed: message }));
say({ ready: true });

process.on("message", ({ id, question }: { id: number; question: Question }) => {
  answer(pipe, question).then(
    (value) => say({ id, value }),
    (error: unknown) => say({ id, error: String(error) }),
  );
});

async function answer(scheduler: Pipe, question: Question): Promise<unknown> {
  switch (question.kind) {
    case "deposit":
      return scheduler.deposit({ account: question.account, amountGwei: 1_000_000_000 });
    case "submit":
      return scheduler.submit(question.signed);
    case "open":
      return scheduler.openBlock({ height: question.height, sealAtMs: Date.now() + 500 });
    case "seal": {
      const sealed = await scheduler.seal({ height: question.height, maxTransactions: 10_000, order: "gas" });
      return sealed.ok ? sealed.block.receipts.length : sealed;
    }
    case "commit":
      return scheduler.committed(question.height);
    case "status":
      return (await scheduler.status(question.hash))?.state;
  }
}
