// `node main.mjs FILE`: every session in a JSONL file as the chain it is, the rest one by one. 0: all hold.

import { readFileSync } from "node:fs";

import { verifyCollection } from "./index.mjs";

const [file] = process.argv.slice(2);
if (!file) {
  console.error("usage: node main.mjs receipts.jsonl");
  process.exit(64);
}
const lines = readFileSync(file).toString("latin1").split("\n").filter((line) => /[^ \t\r\v\f]/.test(line));
const { sessions, standalone } = await verifyCollection(lines.map((line) => new Uint8Array(Buffer.from(line, "latin1"))));
// Foreign text must not drive a terminal: all but printable ASCII is written as an escape.
const safe = (text) => JSON.stringify(text).replace(/[^ -~]/g, (char) => `\\u${char.charCodeAt(0).toString(16).padStart(4, "0")}`);
for (const { session_id, receipts, verdict } of sessions) {
  console.log(`session ${safe(session_id)}: ${verdict.kind} (${receipts} receipts) ${safe(verdict.detail)}`);
}
for (const { place, verdict } of standalone) {
  console.log(`receipt ${place + 1}: ${verdict.kind} ${safe(verdict.detail)}`);
}
const keys = new Set(sessions.flatMap(({ verdict }) => verdict.signers));
for (const key of keys) console.log(`signed by ${safe(key)}`);
const all = [...sessions, ...standalone];
process.exit(all.length && all.every(({ verdict }) => verdict.kind === "Valid") ? 0 : 1);
