// Reading the table of the wire format (`schema.mjs`) in two ways. Strict: nothing unknown, no null, no default written
// out. As the format's reference does: what it does not know is dropped before hashing.

import { Malformed } from "./bytes.mjs";
import { ENVELOPE } from "./schema.mjs";

class Mismatch extends Error {
  constructor(why, rule = null) {
    super(why);
    this.rule = rule;
    this.path = [];
  }
}

function inside(step, work) {
  try {
    return work();
  } catch (error) {
    if (error instanceof Mismatch) error.path.unshift(step);
    throw error;
  }
}

const isEmptyArray = (value) => Array.isArray(value) && value.length === 0;
const isWhole = (value) => typeof value === "number" || typeof value === "bigint";

// The receipt, as the table has it. `compat` reads like the reference.
export function readReceipt(value, compat) {
  try {
    return read(value, ENVELOPE, compat);
  } catch (error) {
    if (!(error instanceof Mismatch)) throw error;
    throw new Malformed("receipt", error.message, { where: error.path.join("."), rule: compat ? null : error.rule });
  }
}

function read(value, shape, compat) {
  if (Object.hasOwn(shape, "record")) return readRecord(value, shape, compat);
  if (shape.list) {
    if (!Array.isArray(value)) throw new Mismatch("must be an array");
    return value.map((item, index) => inside(String(index), () => read(item, shape.list, compat)));
  }
  if (shape.names) return readName(value, shape, compat);
  if (shape.largest) return readInteger(value, BigInt(shape.largest), compat);
  const fits = { text: typeof value === "string", flag: typeof value === "boolean", free: true, object: value instanceof Map };
  if (!fits[shape.kind]) throw new Mismatch({ text: "must be text", flag: "must be true or false", object: "must be an object" }[shape.kind]);
  return value;
}

function readInteger(value, largest, compat) {
  const exact = largest < BigInt(Number.MAX_SAFE_INTEGER) ? largest : BigInt(Number.MAX_SAFE_INTEGER);
  const why = `must be an integer from 0 to ${exact}`;
  if (!isWhole(value) || value < 0 || value > largest) throw new Mismatch(why);
  if (!compat && value > exact) throw new Mismatch(why, "exact-numbers");
  return value;
}

function readName(value, { names, orRecord }, compat) {
  if (typeof value === "string" && names.includes(value)) return value;
  if (!orRecord || typeof value === "string") throw new Mismatch(`must be one of ${names.join(", ")}`);
  return readRecord(value, orRecord, compat);
}

function readRecord(value, shape, compat) {
  if (!(value instanceof Map)) throw new Mismatch("must be an object");
  const known = new Map();
  for (const [key, item] of value) {
    const isRequired = Object.hasOwn(shape.record, key);
    if (!isRequired && !Object.hasOwn(shape.optional, key)) {
      if (compat && !shape.isSealed) continue;
      throw unknownKey(key, shape);
    }
    if (value.repeated?.has(key)) throw new Mismatch(`duplicate key ${key}`);
    const of = isRequired ? shape.record[key] : shape.optional[key];
    const found = inside(key, () => (isRequired ? read(item, of, compat) : readOptional(key, item, of, shape, compat)));
    if (found !== undefined) known.set(key, found);
  }
  const missing = Object.keys(shape.record).filter((key) => !known.has(key)).sort();
  if (missing.length) inside(missing[0], () => { throw new Mismatch("missing"); });
  return known;
}

function unknownKey(key, shape) {
  const error = new Mismatch("unknown key", shape.isSealed ? null : "unknown-keys");
  error.path.unshift(key.slice(0, 80));
  return error;
}

// undefined: the reference takes it for absent.
function readOptional(key, item, of, shape, compat) {
  const isDefault = shape.drops.includes(key) && (item === false || isEmptyArray(item));
  if (!compat) {
    if (item === null) throw new Mismatch("must not be null; leave it out", "nulls");
    if (isDefault) throw new Mismatch("is the default; leave it out", "written-out-defaults");
  } else if (item === null && !shape.neverNull.includes(key)) {
    return undefined;
  }
  const found = read(item, of, compat);
  return isDefault ? undefined : found;
}

