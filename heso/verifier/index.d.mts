// TypeScript looks here for the types of index.mjs.
export * from "./index.js";
