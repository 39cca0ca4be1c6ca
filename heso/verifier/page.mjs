// The page: what was brought, the verdicts on it, and what they do not prove. Text of receipts only ever becomes text.

import { verifyCollection } from "./chain.mjs";
import { engineName } from "./ed25519.mjs";
import { canonical } from "./json.mjs";
import { examine } from "./receipt.mjs";
import { checkReveals } from "./reveal.mjs";
import { isTar, readTar } from "./tar.mjs";

const BUNDLED = /(^|\/)(README|VERIFY\.sh|verify\.html|verifier\/[^/]+|policies\/[^/]+)$/; // what a bundle is known to hold besides
const MOST_SHOWN = 200;
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
const HIDDEN = /[\p{Cc}\p{Cf}\p{Zl}\p{Zp}\p{Cn}\p{Co}]/gu;

const $ = (id) => document.getElementById(id);

function el(tag, attributes = {}, ...children) {
  const element = document.createElement(tag);
  for (const [name, value] of Object.entries(attributes)) element.setAttribute(name, value);
  element.append(...children);
  return element;
}

// Foreign text, its invisible characters named.
function visible(text) {
  const parts = [];
  let from = 0;
  for (const { 0: char, index } of text.matchAll(HIDDEN)) {
    if (char === "\n") continue;
    const code = char.codePointAt(0).toString(16).toUpperCase().padStart(4, "0");
    parts.push(text.slice(from, index), el("span", { class: "hidden-char" }, `U+${code}`));
    from = index + char.length;
  }
  return [...parts, text.slice(from)];
}

const shown = (value) => (typeof value === "string" ? value : new TextDecoder().decode(canonical(value, true)));

// What was brought, sorted: receipts, sidecars, keys that are known. A bundle's own word for its keys is only a word.
function sort(files, isBundle) {
  const found = { receipts: [], sidecars: [], trust: new Map(), words: new Map(), ignored: [] };
  for (const file of files) {
    if (isTar(file.bytes)) {
      for (const inner of readTar(file.bytes)) sortOne(inner, found, found.words);
    } else {
      sortOne(file, found, isBundle ? found.words : found.trust);
    }
  }
  return found;
}

function sortOne({ name, bytes }, found, keys) {
  const whole = new TextDecoder().decode(bytes);
  let value;
  try {
    value = JSON.parse(whole);
  } catch {
    value = undefined; // lines, or nothing of ours
  }
  if (value?.reveals) found.sidecars.push(bytes);
  else if (value?.keys && typeof value.keys === "object") for (const [key, who] of Object.entries(value.keys)) keys.set(key, String(who));
  else if (Array.isArray(value)) found.receipts.push(...splitArray(whole));
  else if (value?.content || /\.json$/.test(name) || !name) found.receipts.push(...(value === undefined ? splitLines(whole) : [bytes]));
  else if (/\.jsonl?$|\.ndjson$/.test(name)) found.receipts.push(...splitLines(whole));
  else if (!BUNDLED.test(name)) found.ignored.push(name);
}

const utf8 = (text) => new TextEncoder().encode(text);
const splitLines = (whole) => whole.split("\n").filter((line) => line.trim()).map(utf8);

// The items of an array, each as it was written.
function splitArray(whole) {
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
  return items.filter((item) => item.trim()).map(utf8);
}

const stateOf = (isValid, keys, trust) => (!isValid ? "invalid" : keys.every((key) => trust.has(key)) ? "known" : "unknown");
const MARKS = { known: "Valid, signed by keys you know", unknown: "Valid, but whose keys these are is for you to know", invalid: "Not valid" };

function signersList(keys, { trust, words }) {
  const about = (key) => (words.has(key) ? ` (the bundle calls it ${words.get(key)}; not in your trust.json)` : " (not in your trust.json)");
  return keys.map((key) => el("div", {}, el("code", {}, key), ...visible(trust.has(key) ? ` ${trust.get(key)}` : about(key))));
}

function stepsList(verdict) {
  const list = el("ol", { class: "steps" });
  STEPS.forEach((step, index) => {
    const number = index + 1;
    const [how, word] = number < verdict.step ? ["", "holds"] : number === verdict.step ? ["failed", verdict.kind] : ["skipped", "not reached"];
    list.append(el("li", how ? { class: how } : {}, `${step}: ${word}`));
  });
  return list;
}

function notProven(content, verdict) {
  const missing = [];
  if (verdict.trusted_time === null) missing.push("when this happened: the time in it is the operator's word");
  missing.push("that the action had the effect it names: the receipt was signed before it ran");
  if (verdict.trust_level === "L0") missing.push("that a person agreed: nobody but the operator signed");
  missing.push("that nothing was left out before or after it, unless its whole session is here");
  return missing;
}

function facts(content, found, verdict) {
  const action = content.get("action");
  const policy = content.get("policy");
  const rows = [
    ["what", `${action.get("verb")} ${action.get("tool_name")}`],
    ["kind", content.get("kind") ?? "action"],
    ["decision", `${policy.get("decision_path")}: ${policy.get("rule_display")}`],
    ["workflow", action.get("workflow")],
    ["account", action.get("account")],
    ["at (operator's word)", content.get("captured_at")],
    ["action hash", content.get("action_hash")],
  ];
  const list = el("dl", {});
  for (const [name, value] of rows) list.append(el("dt", {}, name), el("dd", {}, ...visible(shown(value))));
  for (const [name, value] of action.get("fields")) list.append(el("dt", {}, ...visible(name)), el("dd", {}, ...visible(shown(value))));
  list.append(el("dt", {}, "signed by"), el("dd", {}, ...signersList(verdict.signers, found)));
  return list;
}

async function receiptCard(data, found, terms, title) {
  const { verdict, envelope } = await examine(data, terms);
  const state = stateOf(verdict.kind === "Valid", verdict.signers, found.trust);
  const card = el("article", { class: state }, el("h2", {}, ...visible(title)));
  const about = verdict.detail ? `: ${verdict.detail}` : "";
  const level = verdict.trust_level ? ` ${verdict.trust_level}` : "";
  card.append(el("p", {}, el("span", { class: "mark" }, MARKS[state]), ` (${verdict.kind}${level}`, ...visible(about), ")"));
  if (verdict.stricter) card.append(el("p", {}, `The format's reference would take it; this verifier's rule ${verdict.stricter} does not.`));
  if (envelope) card.append(facts(envelope.get("content"), found, verdict));
  card.append(el("details", state === "invalid" ? { open: "" } : {}, el("summary", {}, "The steps"), stepsList(verdict)));
  if (verdict.kind === "Valid") {
    const missing = notProven(envelope.get("content"), verdict).map((text) => el("li", {}, text));
    card.append(el("details", {}, el("summary", {}, "What this does not prove"), el("ul", {}, ...missing)));
    for (const sidecar of found.sidecars) card.append(...revealed(envelope.get("content"), sidecar));
  }
  return card;
}

function revealed(content, sidecar) {
  if (!content.has("redaction")) return [];
  try {
    const rows = checkReveals(content, sidecar).map(({ field_path, value_json }) => [el("dt", {}, ...visible(field_path)), el("dd", {}, ...visible(value_json))]);
    return [el("p", {}, "The sidecar opens what was hidden:"), el("dl", {}, ...rows.flat())];
  } catch (error) {
    return [el("p", { class: "failed" }, ...visible(error.message))];
  }
}

function sessionCard({ session_id, receipts, verdict }, found) {
  const keys = [...verdict.operators, ...verdict.deciders];
  const state = stateOf(verdict.kind === "Valid", keys, found.trust);
  const card = el("article", { class: state }, el("h2", {}, "Session ", ...visible(session_id)));
  const about = verdict.detail ? `: ${verdict.detail}` : "";
  card.append(el("p", {}, el("span", { class: "mark" }, MARKS[state]), ` (${verdict.kind}`, ...visible(about), `), ${receipts} receipts`));
  const links = el("ol", { class: "chain", "aria-label": "The chain" });
  for (let seq = 0; seq < Math.min(receipts, MOST_SHOWN); seq += 1) {
    const isBroken = verdict.seq !== null && Number(verdict.seq) === seq;
    links.append(el("li", isBroken ? { class: "failed" } : {}, isBroken ? `${seq} broken here` : String(seq)));
  }
  if (receipts > MOST_SHOWN) links.append(el("li", {}, `and ${receipts - MOST_SHOWN} more`));
  card.append(links);
  if (keys.length) card.append(el("dl", {}, el("dt", {}, "signed by"), el("dd", {}, ...signersList(keys, found))));
  return card;
}

let newest = 0;

async function verify(files, isBundle = false) {
  const mine = (newest += 1);
  const found = sort(files, isBundle);
  const terms = { compat: $("compat").checked };
  const total = found.receipts.length;
  $("results").replaceChildren();
  let done = 0;
  const progress = (more) => {
    done += more;
    if (mine === newest) $("status").textContent = `${done} of ${total} receipts checked`;
  };
  performance.mark("read");
  const { sessions, standalone } = await verifyCollection(found.receipts, terms, progress);
  performance.mark("checked");
  const cards = sessions.map((session) => sessionCard(session, found));
  const some = found.receipts.slice(0, MOST_SHOWN);
  for (const [place, data] of some.entries()) cards.push(await receiptCard(data, found, terms, `Receipt ${place + 1}`));
  if (mine !== newest) return;
  const verdicts = [...sessions, ...standalone].map(({ verdict }) => verdict.kind === "Valid");
  const bad = verdicts.filter((isValid) => !isValid).length;
  const ignored = found.ignored.length ? ` Not read: ${found.ignored.join(", ")}.` : "";
  const more = total > MOST_SHOWN ? ` The first ${MOST_SHOWN} are shown one by one.` : "";
  const summary = total ? `${total} receipts in ${sessions.length} sessions; ${bad ? `${bad} do not hold` : "all hold"}.` : "There is no receipt in it.";
  $("status").textContent = summary + more + ignored;
  $("results").replaceChildren(...cards);
}

const load = async (list) => Promise.all([...list].map(async (file) => ({ name: file.name, bytes: new Uint8Array(await file.arrayBuffer()) })));

$("input").addEventListener("submit", (event) => {
  event.preventDefault();
  verify([{ name: "", bytes: utf8($("text").value) }]);
});
$("files").addEventListener("change", async (event) => verify(await load(event.target.files)));
document.addEventListener("dragover", (event) => event.preventDefault());
document.addEventListener("drop", async (event) => {
  event.preventDefault();
  verify(await load(event.dataTransfer.files));
});
const evidence = $("evidence");
if (evidence) {
  const files = Object.entries(JSON.parse(evidence.textContent)).map(([name, text]) => ({ name, bytes: utf8(text) }));
  $("input").hidden = true;
  verify(files, true);
}
engineName().then((name) => ($("engine").textContent = `Signatures are checked by ${name}, behind libsodium's rules.`));
