// Answers vectors: a question a line in, an answer a line out (docs/conformance.md).

import { createInterface } from "node:readline";

import { useArithmetic } from "./ed25519.mjs";
import {
  Malformed,
  checkConsistency,
  checkInclusion,
  checkReveals,
  examine,
  verifyActionChain,
  verifyCollection,
  verifySession,
} from "./index.mjs";

if (process.argv.includes("--arithmetic")) useArithmetic(); // as an engine without Ed25519 would

const RECEIPT_KEYS = ["kind", "trust_level", "action_hash", "signers", "stricter"];
const CHAIN_KEYS = ["kind", "seq", "length", "operators", "deciders", "receipt_kind", "role", "stricter"];

const bytesOf = (written) => new Uint8Array(typeof written === "string" ? Buffer.from(written) : Buffer.from(written.base64, "base64"));

const nodes = (texts) => texts.map((text) => new Uint8Array(Buffer.from(text, "hex")));

async function holds(work) {
  try {
    await work();
    return true;
  } catch (error) {
    if (error instanceof Malformed) return false;
    throw error;
  }
}

// What is asked about each kind of vector, as the keys of its answer.
const ANSWERS = {
  receipt: async ({ terms, data }) => pick(RECEIPT_KEYS, (await examine(data[0], terms)).verdict),
  action_chain: async ({ terms, data }) => pick(CHAIN_KEYS, await verifyActionChain(data, terms)),
  session: async ({ terms, roots, data }) => pick(CHAIN_KEYS, await verifySession(data, terms, { roots })),
  collection: async ({ terms, data }) => {
    const { sessions, standalone } = await verifyCollection(data, terms);
    return {
      sessions: sessions.map(({ session_id, receipts, verdict }) => [session_id, receipts, verdict.kind]),
      standalone: standalone.map(({ place, verdict }) => [place, verdict.kind]),
    };
  },
  reveal: async ({ data, sidecar }) => {
    const { envelope } = await examine(data[0]);
    let opened = null;
    const isHeld = await holds(() => { opened = checkReveals(envelope.get("content"), bytesOf(sidecar)); });
    return { holds: isHeld, opened };
  },
  inclusion: async ({ leaf, index, size, proof, root }) => {
    const [leafHash, rootHash] = nodes([leaf, root]);
    return { holds: await holds(() => checkInclusion(leafHash, { index, size, proof: nodes(proof), root: rootHash })) };
  },
  consistency: async ({ old_size: oldSize, old_root, new_size: newSize, new_root, proof }) => {
    const [oldRoot, newRoot] = nodes([old_root, new_root]);
    return { holds: await holds(() => checkConsistency({ oldSize, oldRoot, newSize, newRoot, proof: nodes(proof) })) };
  },
};

const pick = (keys, verdict) => Object.fromEntries(keys.map((key) => [key, verdict[key]]));

// A place beyond a double is a bigint, which JSON.stringify does not write.
const write = (value) => (typeof value === "bigint" ? String(value) : JSON.stringify(value));

for await (const line of createInterface({ input: process.stdin, crlfDelay: Infinity })) {
  const { kind, terms = {}, roots = null, receipts = [], ...rest } = JSON.parse(line);
  const answer = await ANSWERS[kind]({ terms, roots, data: receipts.map(bytesOf), ...rest });
  console.log(`{${Object.entries(answer).map(([key, value]) => `${JSON.stringify(key)}:${write(value)}`).join(",")}}`);
}
