// Reading a plain POSIX tar: regular files, by name.

const BLOCK = 512;
const text = (bytes) => new TextDecoder().decode(bytes).replace(/\0.*$/s, "");

export const isTar = (bytes) => bytes.length >= BLOCK && text(bytes.subarray(257, 262)) === "ustar";

export function* readTar(bytes) {
  for (let at = 0; at + BLOCK <= bytes.length; ) {
    const header = bytes.subarray(at, at + BLOCK);
    const [prefix, name] = [text(header.subarray(345, 500)), text(header.subarray(0, 100))];
    if (!name) return;
    const size = parseInt(text(header.subarray(124, 136)), 8) || 0;
    const start = at + BLOCK;
    if (header[156] === 0x30 || header[156] === 0) {
      yield { name: prefix ? `${prefix}/${name}` : name, bytes: bytes.subarray(start, start + size) };
    }
    at = start + Math.ceil(size / BLOCK) * BLOCK;
  }
}
