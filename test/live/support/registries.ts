import { openRegistry } from "../../../scheduler/registry/default-registry.ts";
import { Registry } from "../../../scheduler/registry/registry.ts";

/** What scripted nodes answer: as many bytes as they like, the same on each of them. Beside it what the package has. */
export const ECHO_REGISTRY = new Registry({
  admission: "open",
  offersPerNode: 256,
  models: [
    ...openRegistry().models.values(),
    {
      id: "echo",
      modes: ["vanilla", "optimistic"],
      limits: { inputBytes: 65_536, tokensIn: 1_000_000, tokensOut: 1_000_000 },
      equivalence: "any",
      rules: { digest: "00".repeat(32), output: "bytes" },
    },
  ],
  roots: [],
  nodes: [],
});
