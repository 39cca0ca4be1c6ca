// Bytes and their text forms. A reader refuses what it would not have written, so there is one text for every value.

export class Malformed extends Error {
  constructor(what, why, { where = "", rule = null } = {}) {
    super(`malformed ${what}${where ? ` at ${where}` : ""}: ${why}`);
    this.rule = rule;
  }
}

const encoder = new TextEncoder();
export const utf8 = (text) => encoder.encode(text);

export function concat(...parts) {
  const whole = new Uint8Array(parts.reduce((size, part) => size + part.length, 0));
  let at = 0;
  for (const part of parts) {
    whole.set(part, at);
    at += part.length;
  }
  return whole;
}

export const equal = (a, b) => a.length === b.length && a.every((byte, at) => byte === b[at]);

export const hex = (bytes) => Array.from(bytes, (byte) => byte.toString(16).padStart(2, "0")).join("");

export const unhex = (text) => Uint8Array.from(text.match(/../g) ?? [], (pair) => parseInt(pair, 16));

export const isDigest = (text) => typeof text === "string" && /^[0-9a-f]{64}$/.test(text);

export const base64 = (bytes) => btoa(Array.from(bytes, (byte) => String.fromCharCode(byte)).join(""));

// Canonical base64 of `size` bytes, or of any number of them.
export function unbase64(text, what, size = null) {
  let bytes;
  try {
    if (/[^A-Za-z0-9+/=]/.test(text)) throw new Error("atob skips white space");
    bytes = Uint8Array.from(atob(text), (char) => char.charCodeAt(0));
  } catch {
    throw new Malformed(what, "not base64");
  }
  if (size !== null && bytes.length !== size) throw new Malformed(what, `${bytes.length} bytes, not ${size}`);
  if (base64(bytes) !== text) throw new Malformed(what, "not canonical base64");
  return bytes;
}

// A whole number as `size` bytes, least significant first.
export function littleEndian(number, size) {
  let rest = BigInt(number);
  return Uint8Array.from({ length: size }, () => {
    const byte = Number(rest & 255n);
    rest >>= 8n;
    return byte;
  });
}
