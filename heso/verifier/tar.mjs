// Reading a plain POSIX tar: regular files, by name. Anything else in it is refused: what one reader passes over, another
// may take for a receipt.

import { Malformed } from "./bytes.mjs";

const BLOCK = 512;
const REGULAR = [0x30, 0];
const DIRECTORY = 0x35;
const text = (bytes) => new TextDecoder().decode(bytes).replace(/\0.*$/s, "");
const refuse = (why) => { throw new Malformed("tar", why); };

// A header says so at its place and adds up, which no text that begins like JSON does by chance.
export function isTar(bytes) {
  if (bytes.length < BLOCK || text(bytes.subarray(257, 262)) !== "ustar") return false;
  return !["{", "[", " ", "\t", "\n", "\r"].includes(String.fromCharCode(bytes[0])) && hasSum(bytes.subarray(0, BLOCK));
}

export function* readTar(bytes) {
  for (let at = 0; ; ) {
    const header = bytes.subarray(at, at + BLOCK);
    if (header.length < BLOCK) refuse("it ends in the middle");
    if (header.every((byte) => byte === 0)) return;
    if (!hasSum(header)) refuse("a header does not add up");
    const [prefix, name] = [text(header.subarray(345, 500)), text(header.subarray(0, 100))];
    const size = octal(header.subarray(124, 136));
    const start = at + BLOCK;
    if (start + size > bytes.length) refuse("it ends in the middle");
    if (!REGULAR.includes(header[156]) && header[156] !== DIRECTORY) refuse("it holds something else than files");
    if (header[156] !== DIRECTORY) yield { name: prefix ? `${prefix}/${name}` : name, bytes: bytes.subarray(start, start + size) };
    at = start + Math.ceil(size / BLOCK) * BLOCK;
  }
}

function octal(bytes) {
  const digits = text(bytes).trim();
  return /^[0-7]{1,12}$/.test(digits) ? parseInt(digits, 8) : refuse("a number is not octal");
}

function hasSum(header) {
  const sum = header.reduce((total, byte, at) => total + (at >= 148 && at < 156 ? 32 : byte), 0);
  const digits = text(header.subarray(148, 156)).trim();
  return /^[0-7]{1,7}$/.test(digits) && parseInt(digits, 8) === sum;
}
