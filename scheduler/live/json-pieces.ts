/** Characters of a piece: a millisecond or two of work, after which others have their turn. */
const PIECE_CHARACTERS = 256 * 1024;

/**
 * The text of `JSON.stringify(value)` piece by piece, so that who writes it may let others work in between. Objects are taken
 * apart `depth` levels deep, and the arrays that are found there into their elements; what lies deeper is made at once. The
 * value is plain data and must not change until the last piece is taken; a `toJSON` is called when its piece is made.
 */
export function* jsonPieces(value: unknown, depth: number): Generator<string, void, undefined> {
  let text = "";
  for (const part of parts(value, depth)) {
    text += part;
    if (text.length < PIECE_CHARACTERS) continue;
    yield text;
    text = "";
  }
  if (text !== "") yield text;
}

function* parts(value: unknown, depth: number): Generator<string, void, undefined> {
  if (depth === 0 || typeof value !== "object" || value === null || "toJSON" in value) yield textOf(value);
  else if (Array.isArray(value)) yield* elementsOf(value);
  else yield* propertiesOf(value, depth);
}

function* elementsOf(values: readonly unknown[]): Generator<string, void, undefined> {
  let before = "[";
  for (const value of values) {
    yield before + textOf(value);
    before = ",";
  }
  yield before === "[" ? "[]" : "]";
}

function* propertiesOf(value: object, depth: number): Generator<string, void, undefined> {
  let before = "{";
  for (const [key, inner] of Object.entries(value)) {
    if (inner === undefined) continue;
    yield `${before}${JSON.stringify(key)}:`;
    yield* parts(inner, depth - 1);
    before = ",";
  }
  yield before === "{" ? "{}" : "}";
}

/** What JSON has no text for stands as null, as it does in arrays. */
function textOf(value: unknown): string {
  return (JSON.stringify(value) as string | undefined) ?? "null";
}
