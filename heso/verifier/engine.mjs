// Node before 19 has WebCrypto only in a module of its own.
if (!globalThis.crypto) globalThis.crypto = (await import("node:crypto")).webcrypto;
