import type { AudioMetadata } from "./types.js";

/** Tags as a container holds them: names in capitals, values as text. */
export type Tags = ReadonlyMap<string, string>;

/** Names that one kind of container gives to the fields. */
export interface TagNames {
  readonly title: string;
  readonly software: string;
  readonly date: string;
  readonly settings: string;
}

/** RIFF INFO (Multimedia Programming Interface and Data Specifications 1.0, 1991). */
export const infoNames: TagNames = {
  title: "INAM",
  software: "ISFT",
  date: "ICRD",
  settings: "ICMT",
};

/** Vorbis comments (RFC 9639, section 8.6). */
export const vorbisNames: TagNames = {
  title: "TITLE",
  software: "ENCODER",
  date: "DATE",
  settings: "COMMENT",
};

/** Lay metadata out as tags; settings become JSON. NUL ends a text in RIFF, so it is left out. */
export function toTags(metadata: AudioMetadata, names: TagNames): Map<string, string> {
  const { title, software, date, settings } = metadata;
  const tags = new Map<string, string>();
  const put = (name: string, value: string | undefined): void => {
    const text = value?.replaceAll("\0", "");
    if (text) tags.set(name, text);
  };
  put(names.title, title);
  put(names.software, software);
  put(names.date, date);
  put(names.settings, settings && JSON.stringify(settings));
  return tags;
}

/** Read metadata out of tags; a comment that is not a JSON object is kept as `comment`. */
export function fromTags(tags: Tags, names: TagNames): AudioMetadata {
  const title = tags.get(names.title);
  const software = tags.get(names.software);
  const date = tags.get(names.date);
  const comment = tags.get(names.settings);
  return {
    ...(title !== undefined && { title }),
    ...(software !== undefined && { software }),
    ...(date !== undefined && { date }),
    ...(comment !== undefined && { settings: parseSettings(comment) }),
  };
}

function parseSettings(comment: string): Readonly<Record<string, unknown>> {
  try {
    const value: unknown = JSON.parse(comment);
    if (typeof value === "object" && value !== null && !Array.isArray(value)) return { ...value };
  } catch {
    // Another program's comment.
  }
  return { comment };
}
