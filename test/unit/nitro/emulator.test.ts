import { hash } from "node:crypto";
import { once } from "node:events";
import { Worker } from "node:worker_threads";
import { describe, expect, it } from "vitest";
import { createEmulatorRoot, EnclaveEmulator, emulatorMeasurements } from "../../../scheduler/node/enclave-emulator.ts";
import {
  AttestationVerifier,
  DEFAULT_ATTESTATION_LIMITS as limits,
} from "../../../scheduler/proofs/nitro/attestation.ts";
import { check, HOUR_MS, NOW_MS, request, rules } from "./forge.ts";

const root = createEmulatorRoot({ nowMs: NOW_MS });
const image = "pipe-node";

function verifier(): AttestationVerifier {
  return new AttestationVerifier({ roots: [root.certificate], limits, allowEmulator: true });
}

describe("the enclave emulator", () => {
  it("measures an image by its name: the same on every machine, never zero", () => {
    const { pcr0, pcr1, pcr2 } = emulatorMeasurements(image);
    expect(new Set([pcr0, pcr1, pcr2]).size).toBe(3);
    expect(pcr0).toBe(hash("sha384", "pipe/emulated-image/v1 0 pipe-node", "hex"));
    expect(emulatorMeasurements("other")).not.toEqual(emulatorMeasurements(image));
  });

  it("renews its certificates before they expire, and only then", () => {
    const emulator = new EnclaveEmulator({ root, image, name: "n" });
    const expiryAt = (nowMs: number): number => {
      const verdict = verifier().authenticate(emulator.attest({ ...request, nowMs }), nowMs);
      if (!verdict.ok) expect.fail(verdict.reason);
      return verdict.document.validToMs;
    };
    const first = expiryAt(NOW_MS);
    expect(first).toBe(NOW_MS + 3 * HOUR_MS);
    expect(expiryAt(NOW_MS + HOUR_MS)).toBe(first);
    expect(expiryAt(first - 1_000)).toBeGreaterThan(first);
    expect(expiryAt(NOW_MS + 100 * HOUR_MS)).toBe(NOW_MS + 103 * HOUR_MS);
    expect(expiryAt(NOW_MS), "a clock that was set back").toBe(first);
  });

  it("refuses attachments that a security module would refuse", () => {
    const emulator = new EnclaveEmulator({ root, image, name: "n" });
    for (const field of ["publicKey", "userData", "nonce"]) {
      expect(() => emulator.attest({ nowMs: NOW_MS, [field]: new Uint8Array(1_025) })).toThrow(
        `${field} has 1025 bytes`,
      );
    }
    const largest = new Uint8Array(1_024);
    const document = emulator.attest({ nowMs: NOW_MS, publicKey: largest, userData: largest, nonce: largest });
    expect(verifier().authenticate(document, NOW_MS).ok).toBe(true);
  });

  it("works in a thread of its own, with a root that was handed to it", async () => {
    const module = new URL("../../../scheduler/node/enclave-emulator.ts", import.meta.url).href;
    const script = `
      import { parentPort, workerData } from "node:worker_threads";
      const { EnclaveEmulator } = await import(workerData.module);
      const emulator = new EnclaveEmulator(workerData.options);
      parentPort.postMessage(emulator.attest(workerData.request));`;
    const url = new URL(`data:text/javascript,${encodeURIComponent(script)}`);
    const worker = new Worker(url, { workerData: { module, options: { root, image, name: "t" }, request } });
    const [document] = (await once(worker, "message")) as [Uint8Array];
    await worker.terminate();
    expect(verifier().verify(document, { ...check, rules })).toMatchObject({
      ok: true,
      attestation: { moduleId: "emulator-t", emulated: true },
    });
  });
});
