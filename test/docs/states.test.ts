import { readFile } from "node:fs/promises";
import { expect, it } from "vitest";
import { TRANSACTION_STATES } from "../../mempool/transaction-states.ts";
import { COPY_STATES } from "../../scheduler/engine/copy-states.ts";
import { diagramOf } from "../../scheduler/shared/transitions.ts";

it("docs/STATES.md draws the tables that the engine runs on", async () => {
  const page = await readFile(new URL("../../docs/STATES.md", import.meta.url), "utf8");
  const drawn = [...page.matchAll(/```mermaid\n(.*?)\n```/gs)].map(([, diagram]) => diagram);
  expect(drawn).toEqual([diagramOf(TRANSACTION_STATES, "discovering"), diagramOf(COPY_STATES, "sent")]);
});
