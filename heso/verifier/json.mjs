// Strict JSON in (RFC 8259), canonical JSON out (RFC 8785).
//
// Objects are Maps: no key of theirs means anything to JavaScript. A whole number that a double holds is a number, a
// larger one a bigint; a number written as a fraction or with an exponent is a Double, so that 1 and 1.0 can be told
// apart where the format wants an integer. Of two equal keys the last one stays, and the Map says which was repeated.

import { Malformed, utf8 } from "./bytes.mjs";

export const MAX_BYTES = 2 * 1024 * 1024;
const MAX_DEPTH = 127;
const MOST_NESTED = 1024; // what any reader goes down to before it looks at the depth
const NUMBER = /-?(?:0|[1-9][0-9]*)(\.[0-9]+)?([eE][+-]?[0-9]+)?/y;
const PLAIN_TEXT = /[^"\\\u0000-\u001f]*/y;
const LONE_SURROGATE = /\p{Surrogate}/u;
const SPACE = /[ \t\n\r]*/y;
const ESCAPES = { '"': '"', "\\": "\\", "/": "/", b: "\b", f: "\f", n: "\n", r: "\r", t: "\t" };

export class Double {
  constructor(value) {
    this.value = value;
  }
}

class Reader {
  constructor(text) {
    this.text = text;
    this.at = 0;
    this.repeated = null; // the first key that an object had twice
    this.deepest = 0; // how deep the text is nested, also where a later key hides it
  }

  fail(why) {
    throw new SyntaxError(why);
  }

  take(pattern) {
    pattern.lastIndex = this.at;
    const found = pattern.exec(this.text);
    if (found) this.at += found[0].length;
    return found;
  }

  whole() {
    const value = this.value(MOST_NESTED);
    if (this.at < this.text.length) this.fail("trailing data");
    return value;
  }

  value(room) {
    this.take(SPACE);
    const value = this.bare(room);
    this.take(SPACE);
    return value;
  }

  bare(room) {
    const char = this.text[this.at];
    if (char === "{" || char === "[") {
      if (room === 0) this.fail("nested too deep");
      this.deepest = Math.max(this.deepest, MOST_NESTED + 1 - room);
      this.at += 1;
      return char === "{" ? this.object(room - 1) : this.array(room - 1);
    }
    if (char === '"') return this.string();
    for (const [word, value] of [["true", true], ["false", false], ["null", null]]) {
      if (this.text.startsWith(word, this.at)) {
        this.at += word.length;
        return value;
      }
    }
    return this.number();
  }

  number() {
    const found = this.take(NUMBER);
    if (!found) this.fail("unexpected character");
    const [text, fraction, exponent] = found;
    const value = Number(text);
    if (!Number.isFinite(value)) this.fail("a number beyond a double");
    if (fraction || exponent || text === "-0") return new Double(value);
    return Number.isSafeInteger(value) ? value : BigInt(text);
  }

  string() {
    this.at += 1;
    let text = "";
    for (;;) {
      text += this.take(PLAIN_TEXT)[0];
      const char = this.text[this.at++];
      if (char === '"') break;
      if (char !== "\\") this.fail("a control character or the end in a text");
      const escape = this.text[this.at++];
      if (escape === "u") {
        const digits = this.text.slice(this.at, this.at + 4);
        if (!/^[0-9a-fA-F]{4}$/.test(digits)) this.fail("bad escape");
        text += String.fromCharCode(parseInt(digits, 16));
        this.at += 4;
      } else if (escape !== undefined && Object.hasOwn(ESCAPES, escape)) {
        text += ESCAPES[escape];
      } else {
        this.fail("bad escape");
      }
    }
    if (LONE_SURROGATE.test(text)) this.fail("a lone surrogate");
    return text;
  }

  array(room) {
    const items = [];
    this.take(SPACE);
    if (this.text[this.at] === "]") {
      this.at += 1;
      return items;
    }
    for (;;) {
      items.push(this.value(room));
      const char = this.text[this.at++];
      if (char === "]") return items;
      if (char !== ",") this.fail("expected , or ]");
    }
  }

  object(room) {
    const object = new Map();
    this.take(SPACE);
    if (this.text[this.at] === "}") {
      this.at += 1;
      return object;
    }
    for (;;) {
      this.take(SPACE);
      if (this.text[this.at] !== '"') this.fail("expected a key");
      const key = this.string();
      this.take(SPACE);
      if (this.text[this.at++] !== ":") this.fail("expected :");
      if (object.has(key)) {
        this.repeated ??= key;
        (object.repeated ??= new Set()).add(key);
      }
      object.set(key, this.value(room));
      const char = this.text[this.at++];
      if (char === "}") return object;
      if (char !== ",") this.fail("expected , or }");
    }
  }
}

// The value of a JSON text in bytes. `compat` takes repeated keys; whoever asks for that looks at them itself. `anyDepth`
// is for a first look that decides nothing.
export function parseJson(bytes, what, { compat = false, anyDepth = false } = {}) {
  if (bytes.length > MAX_BYTES) {
    throw new Malformed(what, `${bytes.length} bytes; at most ${MAX_BYTES} are read`, { rule: "size" });
  }
  let reader, value;
  try {
    reader = new Reader(new TextDecoder("utf-8", { fatal: true, ignoreBOM: true }).decode(bytes));
    value = reader.whole();
  } catch (error) {
    const why = error instanceof SyntaxError ? error.message : "not UTF-8";
    throw new Malformed(what, `not strict JSON: ${why}`);
  }
  if (!anyDepth && reader.deepest > MAX_DEPTH) throw new Malformed(what, `nested deeper than ${MAX_DEPTH}`);
  if (!compat && reader.repeated !== null) {
    const key = JSON.stringify([...reader.repeated].slice(0, 80).join(""));
    throw new Malformed(what, `duplicate key ${key}`, { rule: "duplicate-keys" });
  }
  return value;
}

// RFC 8785. `compat` prints every number as the nearest double.
export function canonical(value, compat = false) {
  return utf8(write(value, compat));
}

function write(value, compat) {
  if (typeof value === "string") return JSON.stringify(value);
  if (value instanceof Double) return String(value.value === 0 ? 0 : value.value);
  if (typeof value === "bigint") return writeLarge(value, compat);
  if (Array.isArray(value)) return `[${value.map((item) => write(item, compat)).join(",")}]`;
  if (!(value instanceof Map)) return String(value);
  const members = [...value.keys()].sort(byUnits).map((key) => `${JSON.stringify(key)}:${write(value.get(key), compat)}`);
  return `{${members.join(",")}}`;
}

const byUnits = (a, b) => (a < b ? -1 : 1); // JavaScript compares texts by their UTF-16 code units, as RFC 8785 wants

function writeLarge(value, compat) {
  const double = Number(value);
  const text = String(double);
  if (!compat && (BigInt(double) !== value || text !== String(value))) {
    const why = "an integer beyond 2^53 loses digits as an IEEE double; send it as text";
    throw new Malformed("JSON number", why, { rule: "exact-numbers" });
  }
  return text;
}
