// Ed25519 by libsodium's rules: cofactorless, S < L, A canonical, neither A nor R of small order.
//
// Engines accept more than that, and each something else. Behind these checks of bytes every cofactorless engine accepts
// the same: WebCrypto where it knows Ed25519, else the arithmetic below.

import { concat, equal } from "./bytes.mjs";

const P = 2n ** 255n - 19n;
const L = 2n ** 252n + 27742317777372353535851937790883648493n;
const D = 37095705934669439343138083508754565189542113879843219016388785533085940283555n;
const SQRT_M1 = 19681161376707505956807079304988542015446066515923890162744021073123829784752n;
const BASE = [
  15112221349535400772501151409588531511454012693041857206046113283949847762202n,
  46316835694926478169428394003475163141307993866256225615783033603165251855960n,
];
// The y of every point of small order, sign bit cleared, also as encodings beyond P.
const SMALL_ORDER = new Set([
  0n,
  1n,
  P - 1n,
  P,
  P + 1n,
  2707385501144840649318225287225658788936804267575313519463743609750303402022n,
  55188659117513257062467267217118295137698188065244968500265048394206261417927n,
]);

const number = (bytes) => bytes.reduceRight((sum, byte) => (sum << 8n) | BigInt(byte), 0n);
const yOf = (bytes) => number(bytes) & (2n ** 255n - 1n);

export function isWellFormed(key, signature) {
  if (key.length !== 32 || signature.length !== 64) return false;
  const [a, r] = [yOf(key), yOf(signature.subarray(0, 32))];
  return number(signature.subarray(32)) < L && a < P && !SMALL_ORDER.has(a) && !SMALL_ORDER.has(r);
}

const mod = (value, by = P) => ((value % by) + by) % by;

function power(base, exponent) {
  let result = 1n;
  for (let square = base; exponent; exponent >>= 1n, square = (square * square) % P) {
    if (exponent & 1n) result = (result * square) % P;
  }
  return result;
}

// Points are [X, Y, Z, T] with x = X/Z, y = Y/Z, xy = T/Z.
function add([x1, y1, z1, t1], [x2, y2, z2, t2]) {
  const a = mod((y1 - x1) * (y2 - x2));
  const b = mod((y1 + x1) * (y2 + x2));
  const c = mod(2n * t1 * t2 * D);
  const d = mod(2n * z1 * z2);
  const [e, f, g, h] = [b - a, d - c, d + c, b + a];
  return [mod(e * f), mod(g * h), mod(f * g), mod(e * h)];
}

function multiply(point, by) {
  let result = [0n, 1n, 1n, 0n];
  for (let doubled = point; by; by >>= 1n, doubled = add(doubled, doubled)) {
    if (by & 1n) result = add(result, doubled);
  }
  return result;
}

const affine = (x, y) => [x, y, 1n, mod(x * y)];

// The point that these bytes write, or null.
function decode(bytes) {
  const y = yOf(bytes);
  const [u, v] = [mod(y * y - 1n), mod(D * y * y + 1n)];
  let x = mod(u * power(v, 3n) * power(u * power(v, 7n), (P - 5n) / 8n));
  if (mod(v * x * x) !== u) x = mod(x * SQRT_M1);
  if (mod(v * x * x) !== u) return null;
  const sign = BigInt(bytes[31] >> 7);
  if (x === 0n && sign) return null;
  return affine((x & 1n) === sign ? x : mod(-x), y);
}

function encode([x, y, z]) {
  const inverse = power(z, P - 2n);
  let rest = mod(y * inverse) | ((mod(x * inverse) & 1n) << 255n);
  return Uint8Array.from({ length: 32 }, () => {
    const byte = Number(rest & 255n);
    rest >>= 8n;
    return byte;
  });
}

async function checkByArithmetic(key, message, signature) {
  const point = decode(key);
  if (point === null) return false;
  const r = signature.subarray(0, 32);
  const hash = new Uint8Array(await crypto.subtle.digest("SHA-512", concat(r, key, message)));
  const [x, y, z, t] = multiply(point, mod(number(hash), L));
  const sum = add(multiply(affine(...BASE), number(signature.subarray(32))), [mod(-x), y, z, mod(-t)]);
  return equal(encode(sum), r);
}

const imported = new Map(); // a chain names one key in every receipt

async function checkByWebCrypto(key, message, signature) {
  const name = String(key);
  if (!imported.has(name)) {
    if (imported.size >= 256) imported.clear();
    imported.set(name, crypto.subtle.importKey("raw", key, "Ed25519", false, ["verify"]));
  }
  try {
    return await crypto.subtle.verify("Ed25519", await imported.get(name), signature, message);
  } catch {
    return false; // the bytes are no key
  }
}

async function findEngine() {
  // RFC 8032, section 7.1, test 1: an engine that does not know it is not used.
  const key = "d75a980182b10ab7d54bfed3c964073a0ee172f3daa62325af021a68f707511a";
  const signature =
    "e5564300c360ac729086e2cc806e828a84877f1eb8e5d974d873e065224901555fb8821590a33bacc61e39701cf9b46bd25bf5f0595bbe24655141438e7a100b";
  const bytes = (text) => Uint8Array.from(text.match(/../g), (pair) => parseInt(pair, 16));
  const isKnown = await checkByWebCrypto(bytes(key), new Uint8Array(), bytes(signature));
  return isKnown ? checkByWebCrypto : checkByArithmetic;
}

let engine;
export const useArithmetic = () => (engine = Promise.resolve(checkByArithmetic)); // for the tests
export const engineName = async () => ((await (engine ??= findEngine())) === checkByWebCrypto ? "WebCrypto" : "BigInt");

// Whether the signature (64 bytes) is the key's (32 bytes) over exactly the message.
export async function signatureHolds(key, message, signature) {
  if (!isWellFormed(key, signature)) return false;
  return (await (engine ??= findEngine()))(key, message, signature);
}
