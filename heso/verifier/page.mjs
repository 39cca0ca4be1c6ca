// The page: what was brought, the verdicts on it, and what they do not prove. Text of receipts only ever becomes text.

import { verifyCollection } from "./chain.mjs";
import { engineName } from "./ed25519.mjs";
import { canonical } from "./json.mjs";
import { examine } from "./receipt.mjs";
import { checkReveals } from "./reveal.mjs";
import { isTar, readTar } from "./tar.mjs";

// What a bundle is known to hold besides.
const BUNDLED = /^(README|VERIFY\.sh|verify\.html|verifier\/\w+\.mjs|policies\/[0-9a-f]{64}\.toml)$/;
const MOST_SHOWN = 200;
const LONGEST = 20_000; // characters of one value that are shown
const STEPS = [
  "it is a receipt of this format, strictly",
  "the envelope's algorithm",
  "the format's version",
  "the hash of the content",
  "the roles of the signatures",
  "every signature holds",
  "the trust level is what was signed",
  "hidden values are marked as they should be",
  "a trusted time, if there is one, can be checked",
  "a trusted time, if demanded, is there",
  "a payment's mandate",
  "the transparency log, if one is pinned",
];
// As heso.core.visible: controls, formats, what is unassigned, and what is drawn as nothing.
const HIDDEN = /[\p{Cc}\p{Cf}\p{Cn}\p{Co}\p{Zl}\p{Zp}\u034f\u115f\u1160\u17b4\u17b5\u180b-\u180d\u2800\u3164\uffa0\ufe00-\ufe0f\u{e0100}-\u{e01ef}]/gu;
const BLANK_LINE = /^[ \t\r\v\f]*$/;

const $ = (id) => document.getElementById(id);

function el(tag, attributes = {}, ...children) {
  const element = document.createElement(tag);
  for (const [name, value] of Object.entries(attributes)) element.setAttribute(name, value);
  element.append(...children);
  return element;
}

// Foreign text in an element of its own, its invisible characters named; it turns no text around it.
function visible(text) {
  const whole = el("bdi");
  const some = text.slice(0, LONGEST);
  let from = 0;
  for (const { 0: char, index } of some.matchAll(HIDDEN)) {
    const code = char.codePointAt(0).toString(16).toUpperCase().padStart(4, "0");
    whole.append(some.slice(from, index), el("span", { class: "hidden-char" }, char === "\n" ? "\u21b5" : `U+${code}`));
    if (char === "\n") whole.append("\n");
    from = index + char.length;
  }
  whole.append(some.slice(from));
  if (text.length > LONGEST) whole.append(el("b", {}, ` and ${text.length - LONGEST} characters more`));
  return whole;
}

const quoted = (text) => el("q", {}, visible(text));

const shown = (value) => (typeof value === "string" ? value : new TextDecoder().decode(canonical(value, true)));

// Keys are known from a trust.json that came by itself, or was pasted, and stay known while the page is open; what a bundle
// claims of its own keys is only a claim.
const known = new Map();

// What was brought, sorted.
function sort(files, isBundle) {
  const found = { receipts: [], sidecars: [], trust: known, claims: new Map(), ignored: [] };
  for (const file of files) {
    const inner = isTar(file.bytes) ? [...readTar(file.bytes)] : null;
    if (!inner) sortOne(file, found, !isBundle && ["trust.json", ""].includes(file.name));
    else for (const one of inner) sortOne(one, found, false);
  }
  return found;
}

function sortOne({ name, bytes }, found, isTrust) {
  const value = parsed(bytes);
  let isRead = true;
  const [only, ...others] = value && typeof value === "object" ? Object.keys(value) : [];
  const areKeys = !others.length && ["keys", "claimed"].includes(only); // a receipt with keys beside it is a receipt
  if (areKeys) addKeys(isTrust && only === "keys" ? found.trust : found.claims, value[only]);
  else if (Array.isArray(value?.reveals)) found.sidecars.push(bytes);
  else if (Array.isArray(value)) pushAll(found.receipts, splitArray(bytes));
  else if (value !== undefined && (value?.content || !/l$/.test(name))) found.receipts.push(bytes);
  else if (!name || /\.(jsonl?|ndjson)$/.test(name)) pushAll(found.receipts, splitLines(bytes));
  else isRead = BUNDLED.test(name);
  if (!isRead) found.ignored.push(name);
}

function parsed(bytes) {
  try {
    return JSON.parse(new TextDecoder("utf-8", { fatal: true, ignoreBOM: true }).decode(bytes));
  } catch {
    return undefined; // lines, or nothing of ours
  }
}

function addKeys(map, keys) {
  if (typeof keys !== "object") return;
  for (const [key, who] of Object.entries(keys ?? {})) if (typeof who === "string") map.set(key, who);
}

function pushAll(list, items) {
  for (const item of items) list.push(item);
}

const utf8 = (text) => new TextEncoder().encode(text);

// Bytes are split as bytes: what is no UTF-8, or has a mark in front, must come to the verifier as it is.
const latin1 = (bytes) => {
  let text = "";
  for (let at = 0; at < bytes.length; at += 8192) text += String.fromCharCode(...bytes.subarray(at, at + 8192));
  return text;
};
const unlatin1 = (text) => Uint8Array.from(text, (char) => char.charCodeAt(0));
const splitLines = (bytes) => latin1(bytes).split("\n").filter((line) => !BLANK_LINE.test(line)).map(unlatin1);

// The items of an array, each as it was written.
function splitArray(bytes) {
  const whole = latin1(bytes);
  const items = [];
  let [depth, start, inText] = [0, -1, false];
  for (let at = 0; at < whole.length; at += 1) {
    const char = whole[at];
    if (inText) {
      if (char === "\\") at += 1;
      else if (char === '"') inText = false;
    } else if (char === '"') {
      inText = true;
    } else if (char === "[" || char === "{") {
      depth += 1;
      if (depth === 1) start = at + 1;
    } else if (char === "]" || char === "}") {
      depth -= 1;
      if (depth === 0) items.push(whole.slice(start, at));
    } else if (char === "," && depth === 1) {
      items.push(whole.slice(start, at));
      start = at + 1;
    }
  }
  return items.filter((item) => item.trim()).map(unlatin1);
}

const stateOf = (isValid, keys, trust) => (!isValid ? "invalid" : keys.every((key) => trust.has(key)) ? "known" : "unknown");
const MARKS = { known: "Valid, signed by keys you know", unknown: "Valid, but whose keys these are is for you to know", invalid: "Not valid" };

function signersList(keys, { trust, claims }) {
  if (!keys.length) return el("span", {}, "nobody: no signature was found to hold");
  const lines = keys.map((key) => {
    const line = el("div", {}, el("code", {}, key));
    if (trust.has(key)) line.append(" known to you as ", quoted(trust.get(key)));
    else if (claims.has(key)) line.append(" not known to you; the bundle claims it is ", quoted(claims.get(key)));
    else line.append(" not known to you");
    return line;
  });
  return el("div", {}, ...lines);
}

function stepsList(verdict) {
  const list = el("ol", { class: "steps" });
  STEPS.forEach((step, index) => {
    const number = index + 1;
    let [how, word] = ["", "holds"];
    if (verdict.skipped.includes(number)) [how, word] = ["skipped", "not checked"];
    else if (number === verdict.step) [how, word] = ["failed", verdict.kind];
    else if (number > verdict.step) [how, word] = ["skipped", "not reached"];
    list.append(el("li", how ? { class: how } : {}, `${step}: ${word}`));
  });
  return list;
}

function notProven(verdict) {
  const missing = [];
  if (verdict.trusted_time === null) missing.push("when this happened: the time in it is the operator's word");
  missing.push("that the action had the effect it names: the receipt was signed before it ran");
  if (verdict.signers.length < 2) missing.push("that anybody else agreed: one key alone signed this receipt");
  missing.push("that nothing was left out before or after it, unless its whole session is here");
  return missing;
}

function rows(pairs, name = (text) => text) {
  const list = el("dl");
  for (const [key, value] of pairs) list.append(el("dt", {}, name(key)), el("dd", {}, value instanceof Node ? value : visible(shown(value))));
  return list;
}

const code = (text) => el("code", {}, visible(text));
const SHOWN_APART = ["action", "policy", "action_hash", "captured_at", "kind", "action_version", "agent_identity", "trust_level"];
const OF_ACTION = ["verb", "tool_name", "workflow", "account", "fields"];

// What this page says; then, apart, what the action was called with, and whatever else the receipt holds. A name in there
// cannot stand in for one of the page's own.
function facts(content, found, verdict) {
  const [action, policy] = [content.get("action"), content.get("policy")];
  const parts = [
    rows([
      ["what", `${action.get("verb")} ${action.get("tool_name")}`],
      ["kind", content.get("kind") ?? "action"],
      ["decision", `${policy.get("decision_path")}: ${policy.get("rule_display")}`],
      ["workflow", action.get("workflow")],
      ["account", action.get("account")],
      ["at (operator's word)", content.get("captured_at")],
      ["action hash", content.get("action_hash")],
      ["signed by", signersList(verdict.signers, found)],
    ]),
  ];
  const fields = [...action.get("fields")];
  if (fields.length) parts.push(el("h3", {}, "What it was called with"), rows(fields.slice(0, MOST_SHOWN), code));
  if (fields.length > MOST_SHOWN) parts.push(el("p", {}, `and ${fields.length - MOST_SHOWN} more`));
  const rest = [...[...action].filter(([key]) => !OF_ACTION.includes(key)), ...[...content].filter(([key]) => !SHOWN_APART.includes(key))];
  if (rest.length) parts.push(el("h3", {}, "What else it says"), rows(rest, code));
  return parts;
}

async function receiptCard(data, found, terms, title) {
  const { verdict, envelope } = await examine(data, terms);
  const state = stateOf(verdict.kind === "Valid", verdict.signers, found.trust);
  const card = el("article", { class: state }, el("h2", {}, title));
  const level = verdict.trust_level ? ` ${verdict.trust_level}` : "";
  const line = el("p", {}, el("span", { class: "mark" }, MARKS[state]), ` (${verdict.kind}${level}`);
  line.append(...(verdict.detail ? [": ", visible(verdict.detail)] : []), ")");
  card.append(line);
  if (verdict.stricter) card.append(el("p", {}, `The format's reference would take it; this verifier's rule ${verdict.stricter} does not.`));
  if (terms.compat) card.append(el("p", { class: "mark" }, "Judged like the format's reference, which is laxer."));
  if (envelope) card.append(...facts(envelope.get("content"), found, verdict));
  card.append(el("details", state === "invalid" ? { open: "" } : {}, el("summary", {}, "The steps"), stepsList(verdict)));
  if (verdict.kind === "Valid") {
    const missing = notProven(verdict).map((text) => el("li", {}, text));
    card.append(el("details", {}, el("summary", {}, "What this does not prove"), el("ul", {}, ...missing)));
    for (const sidecar of found.sidecars) card.append(...revealed(envelope.get("content"), sidecar));
  }
  return card;
}

function revealed(content, sidecar) {
  if (!content.has("redaction")) return [];
  try {
    const opened = checkReveals(content, sidecar).map(({ field_path, value_json }) => [field_path, value_json]);
    return [el("h3", {}, "What the sidecar opens"), rows(opened, code)];
  } catch (error) {
    return [el("p", { class: "failed" }, visible(error.message))];
  }
}

function sessionCard({ session_id, receipts, verdict }, found) {
  const state = stateOf(verdict.kind === "Valid", verdict.signers, found.trust);
  const card = el("article", { class: state }, el("h2", {}, "Session ", quoted(session_id)));
  const line = el("p", {}, el("span", { class: "mark" }, MARKS[state]), ` (${verdict.kind}`);
  line.append(...(verdict.detail ? [": ", visible(verdict.detail)] : []), `), ${receipts} receipts`);
  card.append(line);
  const links = el("ol", { class: "chain", "aria-label": "The chain" });
  for (let seq = 0; seq < Math.min(receipts, MOST_SHOWN); seq += 1) {
    const isBroken = verdict.seq !== null && Number(verdict.seq) === seq;
    links.append(el("li", isBroken ? { class: "failed" } : {}, isBroken ? `${seq} broken here` : String(seq)));
  }
  if (receipts > MOST_SHOWN) links.append(el("li", {}, `and ${receipts - MOST_SHOWN} more`));
  card.append(links);
  if (verdict.signers.length) card.append(rows([["signed by", signersList(verdict.signers, found)]]));
  return card;
}

let newest = 0;

// Whatever was there before is gone before anything new is looked at: no old answer stands beside a new question.
async function verify(load, isBundle = false) {
  const mine = (newest += 1);
  const say = (...parts) => mine === newest && $("status").replaceChildren(...parts);
  $("results").replaceChildren();
  say("Checking...");
  try {
    await verifyFiles(sort(await load(), isBundle), say, () => mine === newest);
  } catch (error) {
    if (mine === newest) $("results").replaceChildren();
    say("This could not be read, so nothing was checked: ", visible(String(error?.message ?? "unknown")));
  }
}

async function verifyFiles(found, say, isNewest) {
  const terms = { compat: $("compat").checked };
  const total = found.receipts.length;
  let done = 0;
  performance.mark("read");
  const { sessions, standalone } = await verifyCollection(found.receipts, terms, (more) => say(`${(done += more)} of ${total} receipts checked`));
  performance.mark("checked");
  const fails = ({ verdict }) => verdict.kind !== "Valid";
  const bad = [...sessions, ...standalone].filter(fails).length;
  // What does not hold comes first, so that no number of others hides it.
  const cards = [...sessions].sort((a, b) => fails(b) - fails(a)).slice(0, MOST_SHOWN).map((session) => sessionCard(session, found));
  const failed = new Set(standalone.filter(fails).map(({ place }) => place));
  const order = [...failed, ...[...found.receipts.keys()].filter((place) => !failed.has(place)).slice(0, MOST_SHOWN)].slice(0, MOST_SHOWN);
  for (const place of order) cards.push(await receiptCard(found.receipts[place], found, terms, `Receipt ${place + 1}`));
  if (!isNewest()) return;
  const parts = [total ? `${total} receipts in ${sessions.length} sessions; ${bad ? `${bad} do not hold` : "all hold"}.` : "There is no receipt in it."];
  if (total > MOST_SHOWN) parts.push(` ${MOST_SHOWN} are shown one by one.`);
  if (found.trust.size) parts.push(` ${found.trust.size} keys are known to you.`);
  if (found.ignored.length) parts.push(" Not read: ", visible(found.ignored.join(", ")), ".");
  $("results").replaceChildren();
  for (const card of cards) $("results").append(card);
  say(...parts);
}

const read = (list) => Promise.all([...list].map(async (file) => ({ name: file.name, bytes: new Uint8Array(await file.arrayBuffer()) })));

$("input").addEventListener("submit", (event) => {
  event.preventDefault();
  verify(async () => [{ name: "", bytes: utf8($("text").value) }]);
});
$("files").addEventListener("change", (event) => verify(() => read(event.target.files)));
document.addEventListener("dragover", (event) => event.preventDefault());
document.addEventListener("drop", (event) => {
  event.preventDefault();
  const { files } = event.dataTransfer;
  verify(() => read(files));
});
const evidence = $("evidence");
if (evidence) {
  const files = Object.entries(JSON.parse(evidence.textContent)).map(([name, text]) => ({ name, bytes: utf8(text) }));
  $("input").hidden = true;
  verify(async () => files, true);
}
engineName().then((name) => ($("engine").textContent = `Signatures are checked by ${name}, behind libsodium's rules.`));
