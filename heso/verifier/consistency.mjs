// Whether one RFC 6962 tree is the beginning of another (RFC 9162, section 2.1.4.2). The page has no use for it.

import { Malformed, equal } from "./bytes.mjs";
import { hashChildren } from "./log.mjs";

const refuse = (why) => { throw new Malformed("proof", why); };

// Throws unless the tree of `oldSize` leaves with the old root is the beginning of the other.
export async function checkConsistency({ oldSize, oldRoot, newSize, newRoot, proof }) {
  const [old, now] = [BigInt(oldSize), BigInt(newSize)];
  if (old <= 0n || old > now || now >= 2n ** 63n) refuse(`a tree of ${old} does not grow into one of ${now}`);
  if (proof.length > 128 || [oldRoot, newRoot, ...proof].some((node) => node.length !== 32)) refuse("hashes are 32 bytes each");
  if (old === now) {
    if (proof.length) refuse("it has too many nodes");
    if (!equal(oldRoot, newRoot)) refuse("two roots for one size");
    return;
  }
  const isPerfect = (old & (old - 1n)) === 0n; // then the old root is itself a node of the new tree
  const [first, ...nodes] = isPerfect ? [oldRoot, ...proof] : proof;
  if (!first) refuse("it has too few nodes");
  let [at, last, before, after] = [old - 1n, now - 1n, first, first];
  for (; at & 1n; at >>= 1n) last >>= 1n;
  for (const node of nodes) {
    if (last === 0n) refuse("it has too many nodes");
    if (at & 1n || at === last) {
      [before, after] = [await hashChildren(node, before), await hashChildren(node, after)];
      for (; at && !(at & 1n); at >>= 1n) last >>= 1n;
    } else {
      after = await hashChildren(after, node);
    }
    [at, last] = [at >> 1n, last >> 1n];
  }
  if (last !== 0n) refuse("it has too few nodes");
  if (!equal(before, oldRoot)) refuse("the old root is not the beginning of the tree");
  if (!equal(after, newRoot)) refuse("the new root is not the end of the tree");
}
