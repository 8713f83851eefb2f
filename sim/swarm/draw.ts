/**
 * Draws by name: a number in [0, 1) that depends on the seed and the name alone. So what happens to one thing does not
 * depend on what was drawn for others before it, which keeps twin runs comparable and shrunk scenarios alike.
 */
export type Draw = (...name: readonly (string | number)[]) => number;

export function drawer(seed: number): Draw {
  return (...name) => {
    let hash = (seed ^ 0x9e3779b9) >>> 0;
    for (const part of name) {
      const text = String(part);
      for (let index = 0; index < text.length; index++) hash = Math.imul(hash ^ text.charCodeAt(index), 0x01000193);
      hash = Math.imul(hash ^ 0x7c, 0x01000193);
    }
    // The finaliser of MurmurHash3: each bit of the state reaches each bit of the result.
    hash = Math.imul(hash ^ (hash >>> 16), 0x85ebca6b);
    hash = Math.imul(hash ^ (hash >>> 13), 0xc2b2ae35);
    return ((hash ^ (hash >>> 16)) >>> 0) / 2 ** 32;
  };
}
