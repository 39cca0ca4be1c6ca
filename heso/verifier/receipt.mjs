// The verdict on one receipt: a numbered list, and the first failure decides.
//
//    (1) parse and schema              Malformed
//    (2) envelope algorithm            WrongAlgorithm
//    (3) action version                Unsupported
//    (4) action hash                   HashMismatch
//    (5) signature roles               Malformed
//    (6) signatures                    Malformed, InvalidSignature, SelfApproval, ThresholdNotMet, RoleViolation
//    (7) trust level                   TrustLevelMismatch
//    (8) redaction markers             MalformedRedaction
//    (9) time anchor present           TimeAnchorUnverifiable
//   (10) time anchor required          AnchorRequired
//   (11) payment mandate               MandateRejected
//   (12) transparency log, if pinned   TransparencyUnverifiable, TransparencyRequired
//   (13)                               Valid

import { blake3 } from "./blake3.mjs";
import { Malformed, concat, isDigest, unbase64, utf8 } from "./bytes.mjs";
import { signatureHolds } from "./ed25519.mjs";
import { canonical, parseJson } from "./json.mjs";
import { checkTransparency } from "./log.mjs";
import { readReceipt } from "./shapes.mjs";

const OPERATOR_DOMAIN = "heso-action/v1\0";
const APPROVER_DOMAIN = "heso-approval/v1\0";
const SUSPEND_DOMAIN = "heso-action-suspend/v1\0";
const DECISION_DOMAIN = "heso-action-decision/v1\0";
const PLACEHOLDER_DECISION_KEY = "6kpsY+KcUgq+9VB7Ey7F+ZVHdq6+vnuSQh7qaRRG0iw=";
const MOST_SIGNED_BYTES = 16 * 1024 * 1024;
const MOST_SIGNATURES = 512;
const COMMIT_SCHEME = "salted-blake3/v1";

// What the record of a decision link says.
const DECISION_OF_KIND = { approved: "approved", denied: "rejected", expired: "rejected", escalated: "escalated" };
const decisionOf = (kind) => (Object.hasOwn(DECISION_OF_KIND, kind) ? DECISION_OF_KIND[kind] : undefined);

// A step said no. `rule` names a rule of ours that the format's reference does not have.
export class Refused extends Error {
  constructor(kind, detail = "", rule = null) {
    super(detail);
    Object.assign(this, { kind, detail, rule });
  }
}

export const kindOf = (content) => content.get("kind") ?? "action";
const isLink = (content) => kindOf(content) !== "action";
const ifLink = (content) => (isLink(content) ? "lifecycle-links" : null);
const without = (map, ...keys) => new Map([...map].filter(([key]) => !keys.includes(key)));

// The verdict on the bytes of one receipt. `terms`: operator (a pinned key), log (a pinned log), compat, time (a function
// that reads RFC 3161 tokens). Never throws for any bytes.
export async function verifyReceipt(data, terms = {}) {
  const { verdict } = await examine(data, terms);
  return verdict.kind === "RoleViolation" ? { ...verdict, kind: "Malformed" } : verdict;
}

// The verdict, and beside it the receipt as it was read: null when it could not be.
export async function examine(data, terms = {}) {
  const examined = await examineInFull(data, terms);
  if (examined.verdict.stricter) {
    const lenient = await examineInFull(data, { ...terms, compat: true });
    if (lenient.verdict.kind !== "Valid") examined.verdict.stricter = null;
  }
  return examined;
}

async function examineInFull(data, terms) {
  const compat = Boolean(terms.compat);
  let envelope;
  try {
    envelope = readReceipt(parseJson(data, "receipt", { compat }), compat); // (1)
  } catch (error) {
    if (!(error instanceof Malformed)) throw error;
    return { verdict: verdictOf("Malformed", { detail: error.message, stricter: error.rule }), envelope: null };
  }
  const claimed = envelope.get("content").get("action_hash");
  const action_hash = isDigest(claimed) ? claimed : null;
  const progress = { step: 2 };
  try {
    return await check(envelope, terms, compat, progress);
  } catch (error) {
    if (!(error instanceof Refused)) throw error;
    const { kind, detail, rule: stricter } = error;
    return { verdict: verdictOf(kind, { detail, action_hash, stricter, step: progress.step }), envelope };
  }
}

// `step` is the number of the first step that failed, 13 when none did; `skipped` are steps that nobody asked for.
function verdictOf(kind, found) {
  return { kind, step: 1, skipped: [], detail: "", trust_level: null, action_hash: null, signers: [], stricter: null, trusted_time: null, ...found };
}

async function check(envelope, terms, compat, progress) {
  const content = envelope.get("content");
  const signatures = envelope.get("signatures");
  const asReference = compat && isLink(content);
  if (!asReference) checkNames(envelope, content, progress); // (2), (3)
  progress.step = 4;
  const bytes = checkHash(content, compat); // (4)
  let signed, trusted_time = null;
  progress.step = 6;
  if (asReference) {
    signed = await checkLinkAsReference(content, bytes, signatures);
    checkPin(signed, terms.operator);
  } else {
    progress.step = 5;
    checkRoles(signatures, ifLink(content)); // (5)
    progress.step = 6;
    signed = await checkSignatures(content, bytes, signatures, compat); // (6)
    checkPin(signed, terms.operator);
    trusted_time = await checkContent(content, signed, terms, compat, progress); // (7) to (11)
  }
  progress.step = 12;
  if (terms.log) await checkLog(envelope, terms.log); // (12)
  const { level, signers, role } = signed;
  const skipped = [...(asReference ? [2, 3, 5, 7, 8, 9, 10, 11] : []), ...(terms.log ? [] : [12])];
  const action_hash = content.get("action_hash");
  return { verdict: verdictOf("Valid", { step: 13, skipped, trust_level: level, action_hash, signers, trusted_time }), envelope, isDecision: role === "decision" };
}

function checkNames(envelope, content, progress) {
  if (envelope.get("alg") !== "heso-action/v2+ed25519") {
    throw new Refused("WrongAlgorithm", envelope.get("alg").slice(0, 80), ifLink(content));
  }
  progress.step = 3;
  if (content.get("action_version") !== "heso-action/2.0") {
    throw new Refused("Unsupported", content.get("action_version").slice(0, 80), ifLink(content));
  }
}

function checkHash(content, compat) {
  let bytes;
  try {
    bytes = canonical(without(content, "action_hash"), compat);
  } catch (error) {
    if (!(error instanceof Malformed)) throw error;
    throw new Refused("Malformed", error.message, error.rule);
  }
  if (blake3(bytes) !== content.get("action_hash")) throw new Refused("HashMismatch");
  return bytes;
}

function checkRoles(signatures, rule) {
  for (const entry of signatures) {
    const role = entry.get("key_id");
    if (!["operator", "approver"].includes(role)) {
      throw new Refused("Malformed", `unknown signature role '${role.slice(0, 40)}'`, rule);
    }
  }
}

function checkEffort(bytes, signatures) {
  if (signatures.length > MOST_SIGNATURES || bytes.length * signatures.length > MOST_SIGNED_BYTES) {
    const why = `${signatures.length} signatures over ${bytes.length} bytes are more than is read`;
    throw new Refused("Malformed", why, "size");
  }
}

async function checkSignatures(content, bytes, signatures, compat) {
  checkEffort(bytes, signatures);
  const of = (role) => signatures.filter((entry) => entry.get("key_id") === role);
  const [operators, approvers] = [of("operator"), of("approver")];
  if (isLink(content)) return checkLink(content, bytes, signatures);
  if (content.has("multi_approval")) return checkQuorum(content, operators, approvers, compat);
  return checkSingle(content, bytes, operators, approvers, compat);
}

async function checkSingle(content, bytes, operators, approvers, compat) {
  if (operators.length !== 1) throw new Refused("Malformed", `${operators.length} operator signatures, not one`);
  if (approvers.length > 1) throw new Refused("Malformed", "more than one approver signature");
  const operator = await checkEntry(operators[0], OPERATOR_DOMAIN, bytes);
  if (!approvers.length) return { signers: [operator], level: "L0", role: "producer" };
  const approver = await checkEntry(approvers[0], APPROVER_DOMAIN, bytes);
  if (approver === operator) throw new Refused("SelfApproval");
  if (!compat) checkApprovalSaysSo(content.get("approver_decision"), approver);
  return { signers: [operator, approver], level: "L1", role: "producer" };
}

function checkApprovalSaysSo(record, approver) {
  const refuse = (why) => { throw new Refused("Malformed", why, "approval-record"); };
  if (!record) refuse("an approver signed, but there is no approver_decision");
  if (record.get("decision") !== "approved") refuse(`the approver's record says ${record.get("decision")}`);
  if (record.get("approver_identity") !== approver) refuse("the approver's record names another key");
}

async function checkQuorum(content, operators, approvers, compat) {
  const refuse = (why) => { throw new Refused("Malformed", why); };
  const quorum = content.get("multi_approval");
  const threshold = quorum.get("threshold");
  if (content.has("approver_decision")) refuse("both approver_decision and multi_approval");
  if (threshold < 1) refuse("a threshold of nobody");
  if (operators.length !== 1) refuse(`${operators.length} operator signatures, not one`);
  const legOf = (records) => {
    const leg = without(content, "action_hash").set("multi_approval", new Map(quorum).set("approvers", records));
    return canonical(leg, compat);
  };
  const operator = await checkEntry(operators[0], OPERATOR_DOMAIN, legOf([]));
  const records = quorum.get("approvers");
  if (approvers.length !== records.length) refuse("as many approver signatures as records are needed");
  const keys = new Set();
  for (const entry of approvers) {
    const key = entry.get("public_key");
    const record = records.find((one) => one.get("approver_identity") === key);
    if (!record) refuse("an approver signed without a record");
    if (keys.has(key)) refuse("an approver signed twice");
    if (key === operator) throw new Refused("SelfApproval");
    if (!quorum.get("roster").includes(key)) refuse("an approver is not on the roster");
    if (record.get("decision") !== "approved") refuse(`an approver's record says ${record.get("decision")}`);
    keys.add(await checkEntry(entry, APPROVER_DOMAIN, legOf([record])));
  }
  if (keys.size < threshold) throw new Refused("ThresholdNotMet", `have=${keys.size} need=${threshold}`);
  return { signers: [operator, ...keys], level: "L1", role: "producer" };
}

// Who signs a lifecycle link, under which domain, and the level it then has.
export function signingRule(content) {
  const decision = { role: "decision", domain: DECISION_DOMAIN, level: "L1" };
  const producer = { role: "producer", domain: OPERATOR_DOMAIN, level: "L0" };
  const kind = kindOf(content);
  if (decisionOf(kind)) return decision;
  if (kind === "suspended") return { ...producer, domain: SUSPEND_DOMAIN };
  if (kind !== "key_rotation") return producer;
  const isDecision = content.get("key_rotation")?.get("role") === "decision";
  return { ...(isDecision ? decision : producer), level: content.get("trust_level") };
}

// A lifecycle link, in full: one signature, by the right role, over a content that fits its kind.
async function checkLink(content, bytes, signatures) {
  const rule = signingRule(content);
  const kind = kindOf(content);
  const refuse = (why, name = "lifecycle-links") => { throw new Refused("Malformed", why, name); };
  checkBlocks(content, kind, refuse);
  const wanted = rule.role === "producer" ? "operator" : "approver";
  if (signatures.length !== 1) refuse(`a lifecycle link carries one signature, not ${signatures.length}`);
  const [entry] = signatures;
  if (rule.role === "decision" && (await holds(entry, OPERATOR_DOMAIN, bytes))) {
    throw new Refused("RoleViolation", "signed as the operator, not as a decision");
  }
  const key = await checkEntry(entry, rule.domain, bytes);
  if (entry.get("key_id") !== wanted) refuse(`signed in the role '${entry.get("key_id")}', not '${wanted}'`);
  if (kind === "key_rotation" && content.get("key_rotation").get("outgoing_public_key") !== key) {
    refuse("a rotation is signed by the key that goes");
  }
  if (rule.role === "decision") checkDecisionKey(content, key);
  return { signers: [key], level: rule.level, role: rule.role };
}

function checkBlocks(content, kind, refuse) {
  for (const [owner, block] of [["suspended", "suspension"], ["key_rotation", "key_rotation"]]) {
    if (content.has(block) !== (kind === owner)) {
      refuse(`a ${kind} link ${kind === owner ? "without its" : "with a"} ${block} block`);
    }
  }
  if (content.has("multi_approval")) refuse(`a ${kind} link with a quorum`);
  const said = content.get("approver_decision")?.get("decision");
  if (said !== decisionOf(kind)) refuse(`a ${kind} link whose record says ${said ?? "nothing"}`, "decision-record");
}

function checkDecisionKey(content, key) {
  if (key === PLACEHOLDER_DECISION_KEY) {
    const why = "the decision is signed by the placeholder key, whose secret everybody knows";
    throw new Refused("RoleViolation", why, "placeholder-key");
  }
  if (key === content.get("agent_identity")) {
    throw new Refused("RoleViolation", "the decision is signed by the operator's own key", "decision-key");
  }
}

// A lifecycle link as the format's reference checks it: some signature holds under the kind's domain.
async function checkLinkAsReference(content, bytes, signatures) {
  checkEffort(bytes, signatures);
  const rule = signingRule(content);
  const under = async (domain) => {
    const kept = await Promise.all(signatures.map((entry) => holds(entry, domain, bytes)));
    return signatures.filter((_, at) => kept[at]).map((entry) => entry.get("public_key"));
  };
  const [holding, asOperator] = [await under(rule.domain), await under(OPERATOR_DOMAIN)];
  if (!holding.length) {
    if (rule.role === "decision" && asOperator.length) {
      throw new Refused("RoleViolation", "signed as the operator, not as a decision");
    }
    throw new Refused("Malformed", "no signature holds under the domain of its kind");
  }
  const [key] = holding;
  if (rule.role === "decision" && asOperator.includes(key)) {
    throw new Refused("RoleViolation", "the decision key also signed as the operator");
  }
  return { signers: [key], level: content.get("trust_level"), role: rule.role };
}

// The key of a signature that holds.
async function checkEntry(entry, domain, bytes) {
  const refuse = (why) => { throw new Refused("InvalidSignature", `${entry.get("key_id")}: ${why}`); };
  if (entry.get("algorithm") !== "Ed25519") refuse("unsupported algorithm");
  let key, signature;
  try {
    key = unbase64(entry.get("public_key"), "public key", 32);
    signature = unbase64(entry.get("signature"), "signature", 64);
  } catch (error) {
    refuse(error.message);
  }
  if (!(await signatureHolds(key, concat(utf8(domain), bytes), signature))) refuse("does not verify");
  return entry.get("public_key");
}

async function holds(entry, domain, bytes) {
  try {
    return Boolean(await checkEntry(entry, domain, bytes));
  } catch (error) {
    if (error instanceof Refused) return false;
    throw error;
  }
}

function checkPin({ role, signers }, operator) {
  if (operator != null && role !== "decision" && signers[0] !== operator) {
    throw new Refused("InvalidSignature", `the operator is ${signers[0]}, not the pinned key`);
  }
}

async function checkContent(content, signed, terms, compat, progress) {
  const rule = ifLink(content);
  const level = content.get("trust_level");
  progress.step = 7;
  if (level !== signed.level) { // (7)
    throw new Refused("TrustLevelMismatch", `embedded=${level} derived=${signed.level}`, rule);
  }
  progress.step = 8;
  const redaction = content.get("redaction");
  if (redaction && !hasSoundMarkers(redaction)) throw new Refused("MalformedRedaction", "", rule); // (8)
  progress.step = 9;
  const time = content.has("time_anchor") ? await checkTimeAnchor(content, terms.time, rule, compat) : null; // (9)
  progress.step = 10;
  if (content.has("anchor_policy") && time === null) throw new Refused("AnchorRequired", "", rule); // (10)
  progress.step = 11;
  const action = content.get("action");
  const mandate = action.get("mandate")?.get("verdict") ?? "valid";
  if (action.get("verb") === "payment" && mandate !== "valid") throw new Refused("MandateRejected", mandate, rule); // (11)
  return time;
}

async function checkTimeAnchor(content, readToken, rule, compat) {
  const refuse = (why) => { throw new Refused("TimeAnchorUnverifiable", why, rule); };
  if (!readToken) refuse("no time authority's root is pinned");
  const anchor = content.get("time_anchor");
  if (anchor.get("kind") !== "rfc3161") refuse(`anchors of kind '${anchor.get("kind").slice(0, 40)}' are not known`);
  if (anchor.get("anchored_hash") !== blake3(canonical(without(content, "action_hash", "time_anchor"), compat))) {
    refuse("it is about another content");
  }
  try {
    return await readToken(unbase64(anchor.get("token_b64"), "token"), anchor.get("anchored_hash"));
  } catch (error) {
    return refuse(error.message);
  }
}

function hasSoundMarkers(record) {
  const isDropped = record.get("mode") === "destructive";
  return record.get("markers").every((marker) => {
    const [scheme, commitment] = [marker.get("algorithm"), marker.get("commitment")];
    return isDropped ? scheme !== COMMIT_SCHEME && commitment === "" : scheme === COMMIT_SCHEME && isDigest(commitment);
  });
}

async function checkLog(envelope, log) {
  let found;
  try {
    found = await checkTransparency(envelope, log);
  } catch (error) {
    if (!(error instanceof Malformed)) throw error;
    throw new Refused("TransparencyUnverifiable", error.message);
  }
  if (log.isRequired && !found) throw new Refused("TransparencyRequired", `no proof from the log ${log.origin}`);
}
