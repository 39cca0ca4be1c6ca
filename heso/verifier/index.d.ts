/** A key pinned by whoever verifies: 44 characters of base64. */
export type PublicKey = string;

/** A transparency log that whoever verifies knows. */
export interface PinnedLog {
  origin: string;
  key: PublicKey;
  witnesses?: PublicKey[];
  isRequired?: boolean;
}

/** What the relying party brings. */
export interface Terms {
  /** The key that must have signed as operator. */
  operator?: PublicKey | null;
  log?: PinnedLog | null;
  /** Answer like the format's reference where it is laxer. */
  compat?: boolean;
  /** Reads an RFC 3161 token over this anchored hash against pinned roots, and gives its time; throws for any other. */
  time?: (token: Uint8Array, anchoredHash: string) => unknown;
}

export type Kind =
  | "Valid" | "WrongAlgorithm" | "Unsupported" | "HashMismatch" | "InvalidSignature" | "MalformedRedaction"
  | "TrustLevelMismatch" | "Malformed" | "SelfApproval" | "ThresholdNotMet" | "TimeAnchorUnverifiable" | "AnchorRequired"
  | "MandateRejected" | "RoleViolation" | "TransparencyUnverifiable" | "TransparencyRequired";

export type ChainKind =
  | "Valid" | "Empty" | "WrongChainKind" | "ContentTamper" | "RoleViolation" | "LinkBroken" | "IllegalTransition"
  | "DoubleTerminal" | "KeyNotValidAtPosition" | "Malformed";

/** The verdict on one receipt. `trust_level` is derived from the signatures and set only when Valid. `signers` are the keys
 * whose signatures hold, operator first. `stricter` names the rule of ours that the format's reference does not have. */
export interface Verdict {
  kind: Kind;
  /** The number of the first step that failed; 13 when none did. */
  step: number;
  /** Steps that were not taken, although the verdict is Valid: nobody pinned a log, or the reference does not take them. */
  skipped: number[];
  detail: string;
  trust_level: "L0" | "L1" | null;
  action_hash: string | null;
  signers: PublicKey[];
  stricter: string | null;
  trusted_time: unknown;
}

/** The verdict on a chain. `seq` is the place of the first fault; `length` is set when Valid. */
export interface ChainVerdict {
  kind: ChainKind;
  detail: string;
  seq: number | bigint | null;
  length: number | null;
  operators: PublicKey[];
  /** Every key whose signature holds anywhere in it, approvers' too. */
  signers: PublicKey[];
  deciders: PublicKey[];
  receipt_kind: string | null;
  role: "producer" | "decision" | null;
  stricter: string | null;
}

export interface Collection {
  sessions: { session_id: string; receipts: number; isLifecycle: boolean; verdict: ChainVerdict }[];
  standalone: { place: number; verdict: Verdict }[];
}

/** Called with how many more receipts are done. */
export type Progress = (more: number) => void;

/** The verdict on the bytes of one receipt. Never throws for any bytes. */
export function verifyReceipt(data: Uint8Array, terms?: Terms): Promise<Verdict>;

/** The verdict, and the receipt as it was read: objects are Maps. */
export function examine(data: Uint8Array, terms?: Terms): Promise<{ verdict: Verdict; envelope: Map<string, unknown> | null }>;

/** One session of plain action receipts, in order, each the bytes of one receipt. */
export function verifyActionChain(receipts: Uint8Array[], terms?: Terms, onProgress?: Progress): Promise<ChainVerdict>;

/** One whole session of any kinds. With `roots`, every signature must be by the key valid for its role at its place. */
export function verifySession(
  receipts: Uint8Array[],
  terms?: Terms,
  options?: { roots?: { producer: PublicKey; decision?: PublicKey | null } | null; onProgress?: Progress },
): Promise<ChainVerdict>;

/** A heap of receipts: every session as the chain it is, the rest one by one. */
export function verifyCollection(receipts: Uint8Array[], terms?: Terms, onProgress?: Progress): Promise<Collection>;

/** The reveals of a sidecar, once each opens its marker in a receipt's content. Throws `Malformed`. */
export function checkReveals(content: Map<string, unknown>, sidecar: Uint8Array): { field_path: string; value_json: string }[];

/** What the next receipt of the session names. */
export function linkHash(session: string, seq: number | bigint, actionHash: string): string;

/** BLAKE3, 64 lower-case hex characters. */
export function blake3(data: Uint8Array): string;

/** The value of a strict JSON text; objects are Maps. Throws `Malformed`. */
export function parseJson(bytes: Uint8Array, what: string, options?: { compat?: boolean }): unknown;

/** RFC 8785 bytes of such a value. */
export function canonical(value: unknown, compat?: boolean): Uint8Array;

/** Ed25519 by libsodium's rules. */
export function signatureHolds(key: Uint8Array, message: Uint8Array, signature: Uint8Array): Promise<boolean>;

/** `WebCrypto`, or `BigInt` where that does not know Ed25519. */
export function engineName(): Promise<"WebCrypto" | "BigInt">;

export function hashLeaf(value: Uint8Array): Promise<Uint8Array>;

/** Throws unless the leaf stands at `index` in the RFC 6962 tree of `size` leaves with this root. */
export function checkInclusion(
  leaf: Uint8Array,
  place: { index: number | bigint; size: number | bigint; proof: Uint8Array[]; root: Uint8Array },
): Promise<void>;

/** Throws unless the tree of `oldSize` leaves with the old root is the beginning of the other. */
export function checkConsistency(trees: {
  oldSize: number | bigint;
  oldRoot: Uint8Array;
  newSize: number | bigint;
  newRoot: Uint8Array;
  proof: Uint8Array[];
}): Promise<void>;

export class Malformed extends Error {
  rule: string | null;
}
