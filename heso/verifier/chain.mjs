// Chains of receipts: each names the one before it, and in a session each link may follow the one before it.
//
//    link hash = BLAKE3("heso-rcpt-chain/v1" NUL ++ LP(session) ++ LP(seq as u64le) ++ LP(action hash))
//    LP(x)     = length of x as u64le ++ x
//
// Judged in passes, each over the whole chain; the first that finds a fault gives the verdict.

import { blake3 } from "./blake3.mjs";
import { concat, littleEndian, utf8 } from "./bytes.mjs";
import { canonical, parseJson } from "./json.mjs";
import { examine, kindOf, signingRule, verifyReceipt } from "./receipt.mjs";

const PREFIX = utf8("heso-rcpt-chain/v1\0");
const SPEC_KEYS = ["account", "action", "domain", "fields", "target_host", "tool_name", "verb", "workflow"];
const AT_ONCE = 250; // signatures that an engine is given before anybody waits for one

class Broken extends Error {
  constructor(kind, found) {
    super(kind);
    this.verdict = verdictOf(kind, found);
  }
}

function verdictOf(kind, found = {}) {
  const nothing = { detail: "", seq: null, length: null, operators: [], deciders: [], signers: [], receipt_kind: null, role: null };
  return { kind, ...nothing, stricter: null, ...found };
}

export function linkHash(session, seq, actionHash) {
  const sized = (bytes) => concat(littleEndian(bytes.length, 8), bytes);
  return blake3(concat(PREFIX, sized(utf8(session)), sized(littleEndian(seq, 8)), sized(utf8(actionHash))));
}

// The verdict on one session of plain action receipts, in order, each the bytes of one receipt.
export async function verifyActionChain(receipts, terms = {}, onProgress = () => {}) {
  return chainVerdict(await inWindows(receipts, (data) => judge(data, terms, true), onProgress), checkOrder);
}

// The verdict on one whole session of any kinds. With `roots` ({producer, decision}) every signature must be by the key
// that was valid for its role at its place.
export async function verifySession(receipts, terms = {}, { roots = null, onProgress = () => {} } = {}) {
  return sessionVerdict(await inWindows(receipts, (data) => judge(data, terms, false), onProgress), terms, roots);
}

function sessionVerdict(links, terms, roots = null) {
  const compat = Boolean(terms.compat);
  return chainVerdict(links, () => {
    checkOrder(links);
    if (!compat) checkDeciders(links);
    checkCourse(links, compat);
    if (roots) checkKeys(links, roots);
  });
}

// A heap of receipts, such as an export: every session in it as the chain it is, the rest one by one. All are judged in one
// go, however many sessions there are, and put in order afterwards.
export async function verifyCollection(receipts, terms = {}, onProgress = () => {}) {
  const sessions = new Map();
  const places = receipts.map((data, place) => {
    const { session, isLink } = belongsTo(data);
    if (session === null) return null;
    if (!sessions.has(session)) sessions.set(session, { places: [], isLifecycle: false });
    const found = sessions.get(session);
    found.places.push(place);
    found.isLifecycle ||= isLink;
    return found;
  });
  const judgeOne = (data, place) => (places[place] ? judge(data, terms, !places[place].isLifecycle) : verifyReceipt(data, terms));
  const judged = await inWindows(receipts, judgeOne, onProgress);
  const chains = [...sessions].map(([session_id, { places: of, isLifecycle }]) => {
    const links = of.map((place) => judged[place]);
    const verdict = isLifecycle ? sessionVerdict(links, terms) : chainVerdict(links, checkOrder);
    return { session_id, receipts: of.length, isLifecycle, verdict };
  });
  const standalone = judged.map((verdict, place) => ({ place, verdict })).filter(({ place }) => places[place] === null);
  return { sessions: chains, standalone };
}

// A first look, only to sort: the strict reading comes with the verdict.
function belongsTo(data) {
  try {
    const content = parseJson(data, "receipt", { compat: true, anyDepth: true }).get("content");
    const session = content.get("session_id");
    return { session: typeof session === "string" ? session : null, isLink: content.has("kind") && content.get("kind") !== "action" };
  } catch {
    return { session: null, isLink: false };
  }
}

// Many things at once, a window after the other; now and then a page may draw in between.
async function inWindows(items, work, onProgress) {
  const done = [];
  let drawn = performance.now();
  for (let start = 0; start < items.length; start += AT_ONCE) {
    const some = items.slice(start, start + AT_ONCE);
    for (const one of await Promise.all(some.map((item, at) => work(item, start + at)))) done.push(one);
    onProgress(some.length);
    if (performance.now() - drawn > 50) {
      await new Promise((resolve) => setTimeout(resolve));
      drawn = performance.now();
    }
  }
  return done;
}

function chainVerdict(links, check) {
  try {
    if (!links.length) throw new Broken("Empty");
    const at = links.findIndex((link) => link instanceof Broken);
    if (at >= 0) {
      if (links[at].verdict.kind === "Malformed") links[at].verdict.seq = at;
      throw links[at];
    }
    check(links);
    const by = (role) => [...new Set(links.filter((link) => link.role === role).map((link) => link.signer))];
    const signers = [...new Set(links.flatMap((link) => link.signers))];
    return verdictOf("Valid", { length: links.length, operators: by("producer"), deciders: by("decision"), signers });
  } catch (error) {
    if (error instanceof Broken) return error.verdict;
    throw error;
  }
}

// What a chain needs to know of a receipt that holds; a Broken when it does not.
async function judge(data, terms, onlyActions) {
  const { verdict, envelope, isDecision } = await examine(data, terms);
  const { detail, stricter } = verdict;
  if (envelope === null) return new Broken("Malformed", { detail, stricter });
  const content = envelope.get("content");
  const kind = kindOf(content);
  const seq = content.get("seq") ?? 0;
  if (onlyActions && kind !== "action") {
    return new Broken("WrongChainKind", { detail: kind, seq, receipt_kind: kind });
  }
  if (verdict.kind === "RoleViolation") {
    const { role } = signingRule(content);
    return new Broken("RoleViolation", { detail, seq, receipt_kind: kind, role, stricter });
  }
  if (verdict.kind !== "Valid") return new Broken("ContentTamper", { detail: verdict.kind, seq, stricter });
  return {
    session: content.get("session_id") ?? null,
    seq: content.get("seq") ?? null,
    prev: content.get("prev_receipt_hash") ?? null,
    actionHash: content.get("action_hash"),
    kind,
    role: isDecision ? "decision" : "producer",
    signer: verdict.signers[0],
    signers: verdict.signers,
    spec: onlyActions ? null : actionSpec(content.get("action"), Boolean(terms.compat)),
    rotation: kind === "key_rotation" ? (content.get("key_rotation") ?? null) : null,
  };
}

// What groups an action's links: the hash of what it is, whatever its classification, mandate or result.
function actionSpec(action, compat) {
  const descriptor = new Map(SPEC_KEYS.map((key) => [key, action.get(key) ?? null]));
  return blake3(concat(PREFIX, canonical(descriptor, compat)));
}

function checkOrder(links) {
  let want = null;
  links.forEach((link, position) => {
    const seq = link.seq ?? position;
    const why = misplaced(link, position, links[0].session, want);
    if (why) throw new Broken("LinkBroken", { detail: `receipt ${seq} ${why}`, seq });
    want = linkHash(link.session, seq, link.actionHash);
  });
}

function misplaced({ session, seq, prev }, position, first, want) {
  if (session === null || seq === null) return "has no place in a chain";
  if (session !== first) return "belongs to another session";
  if (seq !== position) return `stands at place ${position}`;
  if (want === null) return prev ? "is the first, yet names a predecessor" : null;
  return prev === want ? null : "does not name the receipt before it";
}

// Whoever acts does not decide: no key signs in both roles anywhere in one session.
function checkDeciders(links) {
  const producers = new Set(links.filter(({ role }) => role === "producer").map(({ signer }) => signer));
  links.forEach(({ role, signer, kind }, seq) => {
    if (role === "decision" && producers.has(signer)) {
      const detail = "the decision is signed by the session's own operator";
      throw new Broken("RoleViolation", { detail, seq, receipt_kind: kind, role, stricter: "decision-key" });
    }
  });
}

const TRANSITIONS = {
  unknown: { suspended: "suspended", action: "gated" },
  suspended: { approved: "approved", escalated: "escalated", denied: "ended", expired: "ended" },
  escalated: { approved: "approved", escalated: "escalated", denied: "ended", expired: "ended" },
  approved: { completed: "ended" },
  gated: { completed: "ended" },
  ended: {},
};

function checkCourse(links, compat) {
  const states = new Map();
  links.forEach(({ kind, spec }, seq) => {
    if (kind === "key_rotation") return;
    const state = states.get(spec) ?? "unknown";
    const isBare = state === "unknown" && kind === "completed"; // the reference lets this pass
    const after = compat && isBare ? "ended" : TRANSITIONS[state][kind];
    if (!after) {
      const isDouble = state === "ended" && ["denied", "expired", "completed"].includes(kind);
      const detail = `an action that is ${state} cannot become ${kind}`;
      const found = { detail, seq, receipt_kind: kind, stricter: isBare ? "approved-spec" : null };
      throw new Broken(isDouble ? "DoubleTerminal" : "IllegalTransition", found);
    }
    states.set(spec, after);
  });
}

function checkKeys(links, roots) {
  const valid = { producer: roots.producer, decision: roots.decision ?? null };
  links.forEach((link, seq) => {
    const misused = (detail) => {
      throw new Broken("KeyNotValidAtPosition", { detail, seq, receipt_kind: link.kind, role: link.role });
    };
    const wrong = (key) => {
      const expected = key === null ? "no key has this role" : `the key valid there is ${key}`;
      misused(`receipt ${seq} is signed by ${link.signer}, and ${expected}`);
    };
    if (link.signer !== valid[link.role]) wrong(valid[link.role]);
    if (link.kind !== "key_rotation") return;
    if (link.rotation === null) misused(`receipt ${seq} is a rotation that names no keys`);
    const [role, outgoing, incoming] = ["role", "outgoing_public_key", "incoming_public_key"].map((key) => link.rotation.get(key));
    if (outgoing !== link.signer || role !== link.role) wrong(outgoing);
    valid[role] = incoming;
  });
}
