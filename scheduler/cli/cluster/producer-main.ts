/** The block producer of a cluster as a process: `producer-main DIR TOKEN_FILE RATE URL…`. Says each block as a line of JSON. */
import { ClusterProducer } from "./producer.ts";

const [directory = "", tokenFile = "", rate = "", ...urls] = process.argv.slice(2);
const producer = new ClusterProducer({ directory, tokenFile, urls, ratePerS: Number(rate) });
for (const signal of ["SIGINT", "SIGTERM"] as const) process.once(signal, () => producer.stop());
await producer.run((block) => void process.stdout.write(`${JSON.stringify(block)}\n`));
