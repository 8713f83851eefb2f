/** A parameter as an ABI describes it. */
export interface LayoutParameter {
  readonly type: string;
  readonly components?: readonly LayoutParameter[];
}

const WORD = 32;

/**
 * Whether the data is what an encoder makes of some values of these parameters: every part directly behind the one before,
 * nothing between or behind them, zeros for padding. Solidity, Vyper and the usual libraries write nothing else.
 *
 * A decoder that follows offsets can be led over the same bytes again and again, so that a few hundred bytes stand for gigabytes.
 * Here each byte belongs to one part, so that decoding afterwards takes time linear in the data. Reads each word once, allocates
 * nothing that grows with the data, never throws. Values are not looked at.
 */
export function isCanonicalLayout(parameters: readonly LayoutParameter[], data: Uint8Array): boolean {
  return tupleEnd(parameters, data, 0) === data.length;
}

/** Where the encoding that begins at `base` ends; `undefined` if it is none. */
function tupleEnd(parameters: readonly LayoutParameter[], data: Uint8Array, base: number): number | undefined {
  let head = base;
  let tail = base;
  for (const parameter of parameters) tail += headBytes(parameter);
  if (tail > data.length) return undefined;
  for (const parameter of parameters) {
    if (isDynamic(parameter)) {
      if (lengthAt(data, head) !== tail - base) return undefined;
      const end = dynamicEnd(parameter, data, tail);
      if (end === undefined) return undefined;
      tail = end;
    }
    head += headBytes(parameter);
  }
  return tail;
}

function dynamicEnd(parameter: LayoutParameter, data: Uint8Array, at: number): number | undefined {
  const element = elementOf(parameter);
  if (element === undefined && parameter.type === "tuple") return tupleEnd(parameter.components ?? [], data, at);
  const length = lengthAt(data, at);
  if (length === undefined) return undefined;
  return element === undefined ? bytesEnd(data, at + WORD, length) : arrayEnd(element, data, at + WORD, length);
}

function bytesEnd(data: Uint8Array, start: number, length: number): number | undefined {
  const end = start + Math.ceil(length / WORD) * WORD;
  if (end > data.length) return undefined;
  for (let at = start + length; at < end; at++) if (data[at] !== 0) return undefined;
  return end;
}

function arrayEnd(element: LayoutParameter, data: Uint8Array, base: number, count: number): number | undefined {
  let tail = base + count * headBytes(element);
  if (tail > data.length) return undefined;
  if (!isDynamic(element)) return tail;
  for (let index = 0; index < count; index++) {
    if (lengthAt(data, base + index * WORD) !== tail - base) return undefined;
    const end = dynamicEnd(element, data, tail);
    if (end === undefined) return undefined;
    tail = end;
  }
  return tail;
}

/** The word as a length or an offset; `undefined` beyond the data, or for a number that none of either could be. */
function lengthAt(data: Uint8Array, at: number): number | undefined {
  if (at + WORD > data.length) return undefined;
  for (let index = at; index < at + WORD - 4; index++) if (data[index] !== 0) return undefined;
  return new DataView(data.buffer, data.byteOffset, data.byteLength).getUint32(at + WORD - 4);
}

function elementOf(parameter: LayoutParameter): LayoutParameter | undefined {
  if (!parameter.type.endsWith("[]")) return undefined;
  return { ...parameter, type: parameter.type.slice(0, -2) };
}

function isDynamic(parameter: LayoutParameter): boolean {
  if (parameter.type === "bytes" || parameter.type === "string" || parameter.type.endsWith("[]")) return true;
  return parameter.type === "tuple" && (parameter.components ?? []).some(isDynamic);
}

function headBytes(parameter: LayoutParameter): number {
  if (isDynamic(parameter) || parameter.type !== "tuple") return WORD;
  return (parameter.components ?? []).reduce((sum, component) => sum + headBytes(component), 0);
}
