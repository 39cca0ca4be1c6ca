// A receipt's place in a transparency log: RFC 6962 inclusion, a checkpoint in a signed note (https://c2sp.org/signed-note,
// https://c2sp.org/tlog-checkpoint), and witnesses. Only the pinned log counts, and every proof that claims to be from it
// must hold. A log is {origin, key, witnesses, isRequired}.

import { Malformed, base64, concat, equal, isDigest, littleEndian, unbase64, unhex, utf8 } from "./bytes.mjs";
import { signatureHolds } from "./ed25519.mjs";

const LARGEST = 2n ** 63n - 1n;
const TOP_LEAF_PREFIX = utf8("heso-transparency-top-leaf-v1");
const STAGE = ["org_root", "org_tree_size", "epoch", "org_id"];
// No plus, no white space and no control character in a name.
const LINE = /^\u2014 ([^+\u0000-\u0020\u0085\u00a0\u1680\u2000-\u200a\u2028\u2029\u202f\u205f\u3000]+) (.+)$/u;
const UUID = /^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$/;

const refuse = (what, why) => { throw new Malformed(what, why); };
const sha256 = async (...parts) => new Uint8Array(await crypto.subtle.digest("SHA-256", concat(...parts)));
export const hashChildren = (left, right) => sha256([1], left, right);
export const hashLeaf = (value) => sha256([0], value);
const nodeOf = (text) => unbase64(text, "proof", 32);

// Throws unless the leaf stands at `index` in the tree of `size` leaves with this root. Sizes are bigints or numbers.
export async function checkInclusion(leaf, { index, size, proof, root }) {
  let [at, last, node] = [BigInt(index), BigInt(size) - 1n, leaf];
  if (at < 0n || at > last || last >= LARGEST) refuse("proof", `there is no place ${index} among ${size}`);
  if (proof.length > 128 || [root, ...proof].some((one) => one.length !== 32)) refuse("proof", "hashes are 32 bytes each");
  for (const sibling of proof) {
    if (last === 0n) refuse("proof", "it has too many nodes");
    if (at & 1n || at === last) {
      node = await hashChildren(sibling, node);
      for (; !(at & 1n); at >>= 1n) last >>= 1n; // the last node of a level rises until it has a neighbour on its left
    } else {
      node = await hashChildren(node, sibling);
    }
    [at, last] = [at >> 1n, last >> 1n];
  }
  if (last !== 0n) refuse("proof", "it has too few nodes");
  if (!equal(node, root)) refuse("proof", "the leaf is not in the tree with this root");
}

// Whether the envelope has a proof from the pinned log. Throws `Malformed` for one that does not hold.
export async function checkTransparency(envelope, log) {
  const mine = (envelope.get("transparency") ?? []).filter((proof) => proof.get("log_id") === log.origin);
  for (const proof of mine) {
    const { text, size, root } = await openCheckpoint(proof.get("checkpoint"), log);
    await checkPlace(proof, envelope.get("content").get("action_hash"), size, root);
    await checkWitnesses(proof, text, log.witnesses ?? []);
  }
  return mine.length > 0;
}

async function checkPlace(proof, actionHash, size, root) {
  if (!isDigest(actionHash)) refuse("digest", "not 64 lower-case hex characters");
  const leaf = await hashLeaf(unhex(actionHash));
  const [index, path] = [proof.get("leaf_index"), proof.get("inclusion_proof").map(nodeOf)];
  const staged = STAGE.filter((key) => proof.has(key)).length;
  if (!staged) return checkInclusion(leaf, { index, size, proof: path, root });
  if (staged !== STAGE.length) refuse("proof", `a two-stage proof has ${STAGE.join(", ")}`);
  const [orgRoot, orgSize, epoch, id] = [nodeOf(proof.get("org_root")), ...STAGE.slice(1).map((key) => proof.get(key))];
  await checkInclusion(leaf, { index, size: orgSize, proof: path, root: orgRoot });
  if (!UUID.test(id)) refuse("proof", "the organisation's id is not a UUID in canonical form");
  const top = await sha256(TOP_LEAF_PREFIX, unhex(id.replaceAll("-", "")), littleEndian(epoch, 8).reverse(), orgRoot);
  const topPath = (proof.get("top_inclusion_proof") ?? []).map(nodeOf);
  await checkInclusion(top, { index: proof.get("top_leaf_index") ?? 0, size, proof: topPath, root });
}

async function checkWitnesses(proof, text, witnesses) {
  if (!witnesses.length) return;
  const cosignatures = proof.get("cosignatures") ?? [];
  if (!cosignatures.length) refuse("note", "no pinned witness cosigned it");
  for (const cosignature of cosignatures) {
    const key = cosignature.get("witness_key");
    if (!witnesses.includes(key)) refuse("note", `${key.slice(0, 64)} is not a pinned witness`);
    const signature = unbase64(cosignature.get("signature"), "signature", 64);
    const isHeld = await signatureHolds(unbase64(key, "public key", 32), utf8(text), signature);
    if (!isHeld) refuse("note", `the cosignature of ${key} does not hold`);
  }
}

// The checkpoint's text, size and root, if the log signed it.
async function openCheckpoint(note, { origin, key }) {
  const raw = unbase64(key, "public key", 32);
  const id = (await sha256(utf8(`${origin}\n`), [1], raw)).subarray(0, 4);
  const { text, signatures } = parseNote(note);
  let isSigned = false;
  for (const { name, bytes } of signatures) {
    if (name !== origin || !equal(bytes.subarray(0, 4), id)) continue;
    if (isSigned) refuse("note", `${name} signed twice`);
    isSigned = bytes.length === 68 && (await signatureHolds(raw, utf8(text), bytes.subarray(4)));
    if (!isSigned) refuse("note", `the signature of ${name} does not hold`);
  }
  if (!isSigned) refuse("note", "no known key signed it");
  const [named, size, root, ...rest] = text.split("\n");
  if (rest.length !== 1 || !/^(0|[1-9][0-9]{0,18})$/.test(size) || BigInt(size) > LARGEST) refuse("checkpoint", "must be three lines");
  if (named !== origin || !origin) refuse("note", "it is about another log");
  return { text, size, root: unbase64(root, "checkpoint", 32) };
}

// Read, written back, and compared: whatever we would not have written is refused.
function parseNote(note) {
  const gap = note.lastIndexOf("\n\n");
  const text = note.slice(0, gap + 1);
  const lines = note.slice(gap + 2).split("\n").slice(0, -1);
  if (gap < 0 || utf8(note).length > 2 ** 20 || lines.length < 1 || lines.length > 100) {
    refuse("note", "has no empty line with 1 to 100 signatures below");
  }
  if (/[\u0000-\u0009\u000b-\u001f\u007f]/.test(text)) refuse("note", "its text has control characters");
  const signatures = lines.map((line) => {
    const [, name, encoded] = LINE.exec(line) ?? refuse("note", "a signature line is a dash, a name, and a signature");
    const bytes = unbase64(encoded, "note");
    if (bytes.length <= 4) refuse("note", "a signature line is a dash, a name, and a signature");
    return { name, bytes };
  });
  const written = `${text}\n${signatures.map(({ name, bytes }) => `\u2014 ${name} ${base64(bytes)}\n`).join("")}`;
  if (written !== note) refuse("note", "not in canonical form");
  return { text, signatures };
}
