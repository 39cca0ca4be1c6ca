// What a program imports: `import { verifyReceipt } from "./index.mjs"`. Nothing here signs, and nothing asks a network.

import "./engine.mjs";

export { blake3 } from "./blake3.mjs";
export { Malformed } from "./bytes.mjs";
export { linkHash, verifyActionChain, verifyCollection, verifySession } from "./chain.mjs";
export { checkConsistency } from "./consistency.mjs";
export { engineName, signatureHolds } from "./ed25519.mjs";
export { canonical, parseJson } from "./json.mjs";
export { checkInclusion, hashLeaf } from "./log.mjs";
export { examine, verifyReceipt } from "./receipt.mjs";
export { checkReveals } from "./reveal.mjs";
