import { createRequire } from "node:module";

const manifest: unknown = createRequire(import.meta.url)("musicldm-native/package.json");

/** Version of this package. */
export const version = (manifest as { readonly version: string }).version;
