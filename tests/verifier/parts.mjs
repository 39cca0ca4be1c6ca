// Answers about the verifier's parts: a question a line in, an answer a line out.
import { createInterface } from "node:readline";

import { useArithmetic } from "../../heso/verifier/ed25519.mjs";
import { Malformed, blake3, canonical, checkReveals, parseJson, signatureHolds } from "../../heso/verifier/index.mjs";

if (process.argv.includes("--arithmetic")) useArithmetic();

const bytes = (text) => new Uint8Array(Buffer.from(text, "base64"));

function orRefused(work) {
  try {
    return work();
  } catch (error) {
    if (error instanceof Malformed) return { refused: true };
    throw error;
  }
}

const ASKED = {
  blake3: ({ data }) => blake3(bytes(data)),
  canonical: ({ data }) => orRefused(() => Buffer.from(canonical(parseJson(bytes(data), "JSON"))).toString("base64")),
  signature: ({ key, message, signature }) => signatureHolds(bytes(key), bytes(message), bytes(signature)),
  reveals: ({ receipt, sidecar }) =>
    orRefused(() => checkReveals(parseJson(bytes(receipt), "receipt").get("content"), bytes(sidecar))),
};

for await (const line of createInterface({ input: process.stdin, crlfDelay: Infinity })) {
  const question = JSON.parse(line);
  console.log(JSON.stringify(await ASKED[question.ask](question)));
}
