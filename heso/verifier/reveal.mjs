// Opening what a receipt hides: commitment = BLAKE3(salt[32] ++ path ++ value_json), the text as it is in the sidecar.

import { blake3 } from "./blake3.mjs";
import { Malformed, concat, isDigest, unhex, utf8 } from "./bytes.mjs";
import { parseJson } from "./json.mjs";

const COMMIT_SCHEME = "salted-blake3/v1";

// The reveals of a sidecar, once each of them opens the marker of its path in a receipt's content. Throws `Malformed`.
export function checkReveals(content, sidecar) {
  const rows = parseSidecar(sidecar);
  const markers = content.get("redaction")?.get("markers") ?? [];
  for (const { path, salt, value } of rows) {
    const refuse = (why) => { throw new Malformed("reveal", why, { where: path }); };
    const here = markers.filter((one) => one.get("field_path") === path && one.get("algorithm") === COMMIT_SCHEME);
    if (!here.length) refuse("the receipt has no commitment here");
    const commitment = blake3(concat(salt, utf8(path), utf8(value)));
    const isKnown = here.some((one) => one.get("commitment") === commitment);
    if (!isKnown || !standsThere(content, path, commitment)) refuse("does not open the commitment");
  }
  return rows.map(({ path, value }) => ({ field_path: path, value_json: value }));
}

function parseSidecar(bytes) {
  const refuse = (why, where) => { throw new Malformed("reveal sidecar", why, { where }); };
  const value = parseJson(bytes, "reveal sidecar");
  const rows = value instanceof Map ? value.get("reveals") : null;
  if (!Array.isArray(rows)) refuse("no list `reveals`");
  return rows.map((row, index) => {
    const where = `reveals.${index}`;
    if (!(row instanceof Map)) refuse("must be an object", where);
    const [path, salt, json] = ["field_path", "salt_hex", "value_json"].map((key) => row.get(key));
    if (typeof path !== "string" || typeof json !== "string") refuse("field_path and value_json must be text", where);
    if (!isDigest(salt)) refuse("salt_hex must be 64 lower-case hex characters", where);
    return { path, salt: unhex(salt), value: json };
  });
}

// Whether the receipt shows this very commitment at the path. Below a hidden parent nothing can be seen, and that is right.
function standsThere(content, path, commitment) {
  const shows = (found) => found instanceof Map && found.size === 1 && found.get("_sd") === commitment;
  let found = content.get("action").get("fields");
  if (found.has(path)) return shows(found.get(path));
  for (const segment of path.split(".")) {
    if (!(found instanceof Map) || !found.has(segment)) return true;
    found = found.get(segment);
  }
  return shows(found);
}
