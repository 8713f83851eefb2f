import { createHash, randomBytes, timingSafeEqual } from "node:crypto";
import { open, readFile, rename, stat } from "node:fs/promises";

/** Name of the file in the scheduler's directory. */
export const TOKEN_FILE = "producer.token";

/** 256 bits: nobody guesses it, however often they try. */
const TOKEN_BYTES = 32;
/** What is shorter might be guessed; longer ones than this are no token. */
const MIN_LENGTH = 32;
const MAX_LENGTH = 512;

/** The producer's token cannot be used; the message says what to do. */
export class TokenError extends Error {
  override readonly name = "TokenError";
}

/** Reads the producer's token; makes the file, for its owner alone, when there is none. Rejects with `TokenError`. */
export async function loadToken(path: string): Promise<string> {
  try {
    return await readToken(path);
  } catch (error) {
    if (!(error instanceof Error && "code" in error)) throw error;
    if (error.code === "ENOENT") return createToken(path);
    throw new TokenError(`${path} cannot be read (${String(error.code)}).`, { cause: error });
  }
}

async function readToken(path: string): Promise<string> {
  const { mode, size } = await stat(path);
  if ((mode & 0o077) !== 0) {
    throw new TokenError(
      `${path} can be read by others than its owner. Say chmod 600 ${path}, or remove it: then a new one is made.`,
    );
  }
  const token = size > MAX_LENGTH ? "" : (await readFile(path, "utf8")).trim();
  if (token.length < MIN_LENGTH || !/^[A-Za-z0-9._~+/=-]+$/.test(token)) {
    throw new TokenError(
      `${path} holds no token: ${MIN_LENGTH} to ${MAX_LENGTH} letters, digits and the signs -._~+/= on one line. Remove it, and a new one is made.`,
    );
  }
  return token;
}

/** Whole under another name first: a crash in between must not leave half a token behind. */
async function createToken(path: string): Promise<string> {
  const token = randomBytes(TOKEN_BYTES).toString("base64url");
  const draft = `${path}.draft`;
  try {
    const file = await open(draft, "w", 0o600);
    try {
      await file.chmod(0o600);
      await file.writeFile(`${token}\n`);
      await file.sync();
    } finally {
      await file.close();
    }
    await rename(draft, path);
  } catch (error) {
    throw new TokenError(`${path} cannot be written (${(error as NodeJS.ErrnoException).code ?? String(error)}).`, {
      cause: error,
    });
  }
  return token;
}

/** Whether a text is the token, in a time that does not depend on where they differ, nor on their lengths. */
export function tokenCheck(token: string): (said: string) => boolean {
  const digest = digestOf(token);
  return (said) => timingSafeEqual(digestOf(said), digest);
}

function digestOf(text: string): Buffer {
  return createHash("sha256").update(text).digest();
}
