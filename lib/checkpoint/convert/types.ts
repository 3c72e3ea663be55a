/** The content of a configuration file. */
export type Json = Readonly<Record<string, unknown>>;
