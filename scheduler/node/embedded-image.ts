/** What the enclaves of embedded nodes run, if one believes their emulator: the name that its measurements follow from. */
export const EMBEDDED_IMAGE = "pipe-embedded-node";
