/** What an enclave's image measures: registers 0 (image), 1 (kernel and boot) and 2 (application), 96 hexadecimal digits each. */
export interface Measurements {
  readonly pcr0: string;
  readonly pcr1: string;
  readonly pcr2: string;
}

/** Which enclaves may serve a model. From the model registry. */
export interface AttestationRules {
  /** The images accepted; any one of them will do. */
  readonly measurements: readonly Measurements[];
  /** A document counts for so long after its own date, and never longer than its certificates. */
  readonly maxAgeMs: number;
}

const MEASUREMENT = /^[0-9a-f]{96}$/;
const ZERO_MEASUREMENT = "0".repeat(96);
const IMAGE_REGISTERS = ["pcr0", "pcr1", "pcr2"] as const;

/** Gives the rules back. Throws a RangeError that names the field for rules that no enclave, or a debug enclave, could satisfy. */
export function requireAttestationRules(rules: AttestationRules): AttestationRules {
  if (!Number.isSafeInteger(rules.maxAgeMs) || rules.maxAgeMs <= 0) {
    throw new RangeError("maxAgeMs is not a whole number of milliseconds above zero");
  }
  if (rules.measurements.length === 0) throw new RangeError("measurements is empty: list at least one enclave image");
  for (const [index, measurements] of rules.measurements.entries()) {
    for (const register of IMAGE_REGISTERS)
      requireMeasurement(`measurements[${index}].${register}`, measurements[register]);
  }
  return rules;
}

function requireMeasurement(field: string, value: string): void {
  if (typeof value !== "string" || !MEASUREMENT.test(value)) {
    throw new RangeError(`${field} is not 96 lower-case hexadecimal digits, as nitro-cli prints them`);
  }
  if (value === ZERO_MEASUREMENT) throw new RangeError(`${field} is zero, as in debug mode, which attests nothing`);
}

/** What registers, by their number, say of the image; one that is left out reads as the empty text. */
export function measurementsOf(pcrs: Readonly<Record<string, string>>): Measurements {
  return { pcr0: pcrs[0] ?? "", pcr1: pcrs[1] ?? "", pcr2: pcrs[2] ?? "" };
}

/** In debug mode these registers are zero. One zero register is enough: no image measures so. */
export function isDebug(measured: Measurements): boolean {
  return IMAGE_REGISTERS.some((register) => measured[register] === ZERO_MEASUREMENT);
}

/** Whether the image is one of those listed. */
export function isListed(measured: Measurements, rules: AttestationRules): boolean {
  return rules.measurements.some((listed) =>
    IMAGE_REGISTERS.every((register) => listed[register] === measured[register]),
  );
}
