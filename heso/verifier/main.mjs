// `node main.mjs FILE`: every session in a JSONL file as the chain it is, the rest one by one. 0: all hold.

import { readFileSync } from "node:fs";

import { verifyCollection } from "./index.mjs";

const [file] = process.argv.slice(2);
if (!file) {
  console.error("usage: node main.mjs receipts.jsonl");
  process.exit(64);
}
const lines = readFileSync(file).toString("latin1").split("\n").filter((line) => line.trim());
const { sessions, standalone } = await verifyCollection(lines.map((line) => new Uint8Array(Buffer.from(line, "latin1"))));
for (const { session_id, receipts, verdict } of sessions) {
  console.log(`session ${JSON.stringify(session_id)}: ${verdict.kind} (${receipts} receipts) ${JSON.stringify(verdict.detail)}`);
}
for (const { place, verdict } of standalone) {
  console.log(`receipt ${place + 1}: ${verdict.kind} ${JSON.stringify(verdict.detail)}`);
}
const keys = new Set(sessions.flatMap(({ verdict }) => [...verdict.operators, ...verdict.deciders]));
for (const key of keys) console.log(`signed by ${key}`);
const all = [...sessions, ...standalone];
process.exit(all.length && all.every(({ verdict }) => verdict.kind === "Valid") ? 0 : 1);
