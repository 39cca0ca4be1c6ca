// Answers vectors: a question a line in, an answer a line out (docs/conformance.md).

import { createInterface } from "node:readline";

import { useArithmetic } from "./ed25519.mjs";
import { examine, verifyActionChain, verifySession } from "./index.mjs";

if (process.argv.includes("--arithmetic")) useArithmetic(); // as an engine without Ed25519 would

const RECEIPT_KEYS = ["kind", "trust_level", "action_hash", "signers", "stricter"];
const CHAIN_KEYS = ["kind", "seq", "length", "operators", "deciders", "receipt_kind", "role", "stricter"];

const bytesOf = (written) => new Uint8Array(typeof written === "string" ? Buffer.from(written) : Buffer.from(written.base64, "base64"));

async function verdictOn({ kind, terms = {}, roots = null, receipts }) {
  const data = receipts.map(bytesOf);
  if (kind === "receipt") return [RECEIPT_KEYS, (await examine(data[0], terms)).verdict];
  if (kind === "action_chain") return [CHAIN_KEYS, await verifyActionChain(data, terms)];
  if (kind === "session") return [CHAIN_KEYS, await verifySession(data, terms, { roots })];
  throw new Error(`a question of the kind ${kind}`);
}

for await (const line of createInterface({ input: process.stdin, crlfDelay: Infinity })) {
  const [keys, verdict] = await verdictOn(JSON.parse(line));
  // A place beyond a double is a bigint, which JSON.stringify does not write.
  const write = (value) => (typeof value === "bigint" ? String(value) : JSON.stringify(value));
  console.log(`{${keys.map((key) => `${JSON.stringify(key)}:${write(verdict[key])}`).join(",")}}`);
}
