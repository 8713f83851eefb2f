/** How an output holds numbers, all of one size, one after the other. */
export const NUMBER_ENCODINGS = ["float32-le", "float64-le", "int8", "uint8", "int16-le", "int32-le"] as const;
export type NumberEncoding = (typeof NUMBER_ENCODINGS)[number];

/** How to read an output: as bytes that are equal or not, or as a number, which is the element of that index. */
export type OutputForm = "bytes" | { readonly number: NumberEncoding; readonly element: number };

const READERS: Readonly<
  Record<NumberEncoding, { readonly bytes: number; read(view: DataView, offset: number): number }>
> = {
  "float32-le": { bytes: 4, read: (view, offset) => view.getFloat32(offset, true) },
  "float64-le": { bytes: 8, read: (view, offset) => view.getFloat64(offset, true) },
  int8: { bytes: 1, read: (view, offset) => view.getInt8(offset) },
  uint8: { bytes: 1, read: (view, offset) => view.getUint8(offset) },
  "int16-le": { bytes: 2, read: (view, offset) => view.getInt16(offset, true) },
  "int32-le": { bytes: 4, read: (view, offset) => view.getInt32(offset, true) },
};

/**
 * The number that an output holds; `undefined` for an output of bytes, one too short, or what is no finite number. Never
 * minus zero, which would not come back from the journal as it was.
 */
export function outputNumber(form: OutputForm, output: Uint8Array): number | undefined {
  if (form === "bytes") return undefined;
  const { bytes, read } = READERS[form.number];
  const offset = form.element * bytes;
  if (offset + bytes > output.length) return undefined;
  const value = read(new DataView(output.buffer, output.byteOffset, output.byteLength), offset);
  return Number.isFinite(value) ? value + 0 : undefined;
}
