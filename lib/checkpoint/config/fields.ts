import { z } from "zod";
import { MusicLDMError, show } from "../../runtime/errors.js";
import type { ErrorDetails } from "../../runtime/errors.js";

/** Beyond this a width is a defect of the file, not a model. */
export const maxWidth = 16_384;

/** A whole number of `minimum`..`maximum`. */
export function whole(minimum: number, maximum: number) {
  const error = `an integer in ${minimum}..${maximum}`;
  return z.int({ error }).min(minimum, { error }).max(maximum, { error });
}

/** A number of channels or features. */
export function width() {
  return whole(1, maxWidth);
}

/** A finite number of `minimum`..`maximum`. */
export function real(minimum: number, maximum: number) {
  const error = `a number in ${minimum}..${maximum}`;
  return z.number({ error }).min(minimum, { error }).max(maximum, { error });
}

/** The epsilon of a normalisation. */
export function epsilon() {
  return real(1e-30, 1);
}

/** A probability, such as that of dropout. */
export function probability() {
  return real(0, 1);
}

/** A list of 1..`most` items. */
export function listOf<T extends z.ZodType>(item: T, most: number) {
  const error = `a list of 1..${most}`;
  return z.array(item, { error }).min(1, { error }).max(most, { error });
}

export function flag() {
  return z.boolean({ error: "true or false" });
}

/** The activation inside a projection. */
export const activation = z.enum(["relu", "gelu"], { error: '"relu" or "gelu"' });

/** The values of a setting that this library implements. */
export function only<const T extends z.util.Literal>(...values: readonly T[]) {
  const names = values.map((value) => show(value)).join(" or ");
  return z.literal(values, { error: `${names} (nothing else is implemented)` });
}

/** A setting of the configuration that is wrong in itself or beside the others. */
export interface Problem {
  readonly key: string;
  /** What was expected, in words. */
  readonly expected: string;
  readonly value: unknown;
}

/** Throw `E_CONFIG` listing every problem, where there is any. */
export function throwProblems(file: string, problems: readonly Problem[]): void {
  if (problems.length === 0) return;
  const lines = problems.map(
    ({ key, expected, value }) =>
      `Expected ${expected} for ${key} in ${file} but received ${show(value)}`,
  );
  const details: ErrorDetails = { file, keys: problems.map(({ key }) => key) };
  throw new MusicLDMError("E_CONFIG", lines.join("\n"), details);
}

/** A validated configuration with every default filled in. */
export interface Parsed<T> {
  readonly config: T;
  /** Keys of the file that the model class does not have; they are ignored. */
  readonly unknownKeys: readonly string[];
}

/** Validate the JSON of a configuration file. Errors: `E_CONFIG` naming each key and value. */
export function parseFields<S extends z.ZodObject>(
  schema: S,
  json: unknown,
  file: string,
): Parsed<z.infer<S>> {
  const result = schema.safeParse(json);
  if (!result.success) {
    throwProblems(
      file,
      result.error.issues.map(({ path, message }) => ({
        key: path.length === 0 ? "the configuration" : path.map(String).join("."),
        expected: path.length === 0 ? "an object" : message,
        value: valueAt(json, path),
      })),
    );
  }
  const known = new Set(Object.keys(schema.shape));
  const keys = Object.keys(json as object);
  const unknownKeys = keys.filter((key) => !key.startsWith("_") && !known.has(key));
  return { config: result.data as z.infer<S>, unknownKeys };
}

function valueAt(json: unknown, path: readonly PropertyKey[]): unknown {
  return path.reduce<unknown>(
    (value, key) =>
      typeof value === "object" && value !== null && Object.hasOwn(value, key)
        ? (value as Record<PropertyKey, unknown>)[key]
        : undefined,
    json,
  );
}
