// BLAKE3, hashing only (https://github.com/BLAKE3-team/BLAKE3-specs): chunks of 1024 bytes, a binary tree above them.

const IV = [0x6a09e667, 0xbb67ae85, 0x3c6ef372, 0xa54ff53a, 0x510e527f, 0x9b05688c, 0x1f83d9ab, 0x5be0cd19];
const PERMUTATION = [2, 6, 3, 10, 7, 0, 4, 13, 1, 11, 12, 5, 9, 14, 15, 8];
const [CHUNK_START, CHUNK_END, PARENT, ROOT] = [1, 2, 4, 8];
const CHUNK = 1024;
const BLOCK = 64;

// Which word of the message each step of each round mixes in.
const SCHEDULE = [[...PERMUTATION.keys()]];
while (SCHEDULE.length < 7) SCHEDULE.push(PERMUTATION.map((place) => SCHEDULE.at(-1)[place]));

const state = new Uint32Array(16);

function mix(a, b, c, d, x, y) {
  state[a] += state[b] + x;
  let word = state[d] ^ state[a];
  state[d] = (word >>> 16) | (word << 16);
  state[c] += state[d];
  word = state[b] ^ state[c];
  state[b] = (word >>> 12) | (word << 20);
  state[a] += state[b] + y;
  word = state[d] ^ state[a];
  state[d] = (word >>> 8) | (word << 24);
  state[c] += state[d];
  word = state[b] ^ state[c];
  state[b] = (word >>> 7) | (word << 25);
}

// The chaining value after one block: eight words.
function compress(value, words, counter, length, flags) {
  state.set(value);
  state.set(IV.slice(0, 4), 8);
  state[12] = counter;
  state[13] = counter / 2 ** 32;
  state[14] = length;
  state[15] = flags;
  for (const order of SCHEDULE) {
    const at = (place) => words[order[place]];
    mix(0, 4, 8, 12, at(0), at(1));
    mix(1, 5, 9, 13, at(2), at(3));
    mix(2, 6, 10, 14, at(4), at(5));
    mix(3, 7, 11, 15, at(6), at(7));
    mix(0, 5, 10, 15, at(8), at(9));
    mix(1, 6, 11, 12, at(10), at(11));
    mix(2, 7, 8, 13, at(12), at(13));
    mix(3, 4, 9, 14, at(14), at(15));
  }
  return state.slice(0, 8).map((word, place) => word ^ state[place + 8]);
}

function wordsOf(data, start, end) {
  const block = new Uint8Array(BLOCK);
  block.set(data.subarray(start, end));
  const view = new DataView(block.buffer);
  return Array.from({ length: 16 }, (_, place) => view.getUint32(place * 4, true));
}

function hashChunk(data, start, end, rootFlag) {
  let value = IV;
  let at = start;
  do {
    const next = Math.min(at + BLOCK, end);
    const flags = (at === start ? CHUNK_START : 0) | (next === end ? CHUNK_END | rootFlag : 0);
    value = compress(value, wordsOf(data, at, next), start / CHUNK, next - at, flags);
    at = next;
  } while (at < end);
  return value;
}

function hashTree(data, start, end, rootFlag) {
  if (end - start <= CHUNK) return hashChunk(data, start, end, rootFlag);
  // The left side is the largest power of two of whole chunks that leaves something for the right.
  const chunks = Math.ceil((end - start) / CHUNK);
  const split = start + CHUNK * 2 ** Math.floor(Math.log2(chunks - 1));
  const words = [...hashTree(data, start, split, 0), ...hashTree(data, split, end, 0)];
  return compress(IV, words, 0, BLOCK, PARENT | rootFlag);
}

// 64 lower-case hex characters.
export function blake3(data) {
  const words = hashTree(data, 0, data.length, ROOT);
  return Array.from(words, (word) => (((word << 24) | ((word & 0xff00) << 8) | ((word >>> 8) & 0xff00) | (word >>> 24)) >>> 0).toString(16).padStart(8, "0")).join("");
}
