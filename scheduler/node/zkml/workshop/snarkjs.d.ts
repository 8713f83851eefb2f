/** The few calls of snarkjs that the workshop and the tests make. Files are in memory. */
declare module "snarkjs" {
  export interface MemoryFile {
    readonly type: "mem";
    data?: Uint8Array;
  }
  export interface Groth16ProofJson {
    readonly pi_a: readonly string[];
    readonly pi_b: readonly (readonly string[])[];
    readonly pi_c: readonly string[];
    readonly protocol: string;
    readonly curve: string;
  }
  type Logger = Record<"debug" | "info" | "warn" | "error", (text: string) => void>;
  type Curve = { terminate(): Promise<void> };
  export const curves: { getCurveFromName(name: "bn128"): Promise<Curve> };
  export const powersOfTau: {
    newAccumulator(curve: Curve, power: number, out: MemoryFile): Promise<unknown>;
    beacon(
      from: MemoryFile,
      to: MemoryFile,
      name: string,
      beaconHex: string,
      iterationsExponent: number,
    ): Promise<unknown>;
    preparePhase2(from: MemoryFile, to: MemoryFile): Promise<unknown>;
    verify(powers: MemoryFile): Promise<boolean>;
  };
  export const zKey: {
    newZKey(r1cs: MemoryFile, powers: MemoryFile, to: MemoryFile): Promise<unknown>;
    beacon(
      from: MemoryFile,
      to: MemoryFile,
      name: string,
      beaconHex: string,
      iterationsExponent: number,
    ): Promise<unknown>;
    exportVerificationKey(zkey: MemoryFile): Promise<Record<string, unknown>>;
    verifyFromR1cs(r1cs: MemoryFile, powers: MemoryFile, zkey: MemoryFile): Promise<boolean>;
  };
  type Side = Readonly<Record<string, bigint | string>>;
  export const r1cs: {
    exportJson(r1cs: MemoryFile, logger: Logger): Promise<{ readonly constraints: readonly [Side, Side, Side][] }>;
  };
  export const wtns: {
    calculate(input: Record<string, unknown>, calculator: MemoryFile, to: MemoryFile): Promise<unknown>;
    check(r1cs: MemoryFile, witness: MemoryFile, logger: Logger): Promise<boolean>;
    exportJson(witness: MemoryFile): Promise<bigint[]>;
  };
  export const groth16: {
    prove(
      zkey: MemoryFile,
      witness: MemoryFile,
      logger?: undefined,
      options?: { readonly singleThread: boolean },
    ): Promise<{ proof: Groth16ProofJson; publicSignals: string[] }>;
    verify(key: unknown, publicSignals: readonly string[], proof: Groth16ProofJson): Promise<boolean>;
  };
}
