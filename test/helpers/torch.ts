import { crc32 } from "node:zlib";

/** The bytes of pickle opcodes: text stands for itself, in Latin-1. */
export function opcodes(...parts: readonly (string | Buffer)[]): Buffer {
  return Buffer.concat(
    parts.map((part) => (typeof part === "string" ? Buffer.from(part, "latin1") : part)),
  );
}

export function textOp(value: string): Buffer {
  const bytes = Buffer.from(value);
  const length = Buffer.alloc(4);
  length.writeUInt32LE(bytes.length);
  return opcodes("X", length, bytes);
}

export function integerOp(value: number): Buffer {
  return opcodes(`I${value}\n`);
}

export function tupleOp(...parts: readonly (string | Buffer)[]): Buffer {
  return opcodes("(", ...parts, "t");
}

export interface TensorFields {
  readonly key?: string;
  readonly storage?: string;
  readonly elements?: number;
  readonly offset?: number;
  readonly shape?: readonly number[];
  readonly strides?: readonly number[];
  /** The piece of pickle with which old files describe a view of a storage. */
  readonly view?: Buffer;
}

/** How a pickle holds a tensor. */
export function tensorOp(fields: TensorFields = {}): Buffer {
  const { key = "0", storage = "FloatStorage", elements = 8, offset = 0 } = fields;
  const { shape = [2, 4], strides = [4, 1], view = Buffer.alloc(0) } = fields;
  return opcodes(
    "ctorch._utils\n_rebuild_tensor_v2\n(",
    tupleOp(
      textOp("storage"),
      `ctorch\n${storage}\n`,
      textOp(key),
      textOp("cpu"),
      integerOp(elements),
      view,
    ),
    "Q",
    integerOp(offset),
    tupleOp(...shape.map(integerOp)),
    tupleOp(...strides.map(integerOp)),
    "\x89}tR",
  );
}

/** A dict of text keys and pieces of pickle. */
export function dictOp(entries: Readonly<Record<string, Buffer>>): Buffer {
  const pairs = Object.entries(entries).flatMap(([key, value]) => [textOp(key), value]);
  return opcodes("}(", ...pairs, "u");
}

/** A whole pickle around one value. */
export function pickle(...parts: readonly (string | Buffer)[]): Buffer {
  return opcodes("\x80\x02", ...parts, ".");
}

export interface ZipEntry {
  readonly name: string;
  readonly data: Buffer;
  /** What the headers say in place of the truth. */
  readonly method?: number;
  readonly size?: number;
  readonly flags?: number;
  readonly offset?: number;
  readonly extra?: Buffer;
}

/** A zip file of stored entries, whatever its headers say. */
export function zipBytes(entries: readonly ZipEntry[], count = entries.length): Buffer {
  const local: Buffer[] = [];
  const central: Buffer[] = [];
  let position = 0;
  for (const entry of entries) {
    const header = entryHeader(entry);
    const name = Buffer.from(entry.name);
    local.push(Buffer.from("PK\x03\x04"), header, name, entry.data);
    central.push(...centralRecord(entry, header, entry.offset ?? position));
    position += 4 + header.length + name.length + entry.data.length;
  }
  const directory = Buffer.concat(central);
  const end = Buffer.alloc(22);
  end.write("PK\x05\x06", "latin1");
  end.writeUInt16LE(count & 0xffff, 8);
  end.writeUInt16LE(count & 0xffff, 10);
  end.writeUInt32LE(directory.length, 12);
  end.writeUInt32LE(position, 16);
  return Buffer.concat([...local, directory, end]);
}

function entryHeader({ name, data, method = 0, size, flags = 0 }: ZipEntry): Buffer {
  const header = Buffer.alloc(26);
  header.writeUInt16LE(45, 0);
  header.writeUInt16LE(flags, 2);
  header.writeUInt16LE(method, 4);
  header.writeUInt32LE(crc32(data), 10);
  header.writeUInt32LE(size ?? data.length, 14);
  header.writeUInt32LE(size ?? data.length, 18);
  header.writeUInt16LE(Buffer.byteLength(name), 22);
  return header;
}

function centralRecord(entry: ZipEntry, header: Buffer, offset: number): readonly Buffer[] {
  const { name, extra = Buffer.alloc(0) } = entry;
  const rest = Buffer.alloc(14);
  rest.writeUInt32LE(offset, 10);
  const described = Buffer.from(header);
  described.writeUInt16LE(extra.length, 24);
  return [Buffer.from("PK\x01\x02\x2d\x00"), described, rest, Buffer.from(name), extra];
}

/** A file as torch.save writes it, around any pickle and storages by key. */
export function torchZip(data: Buffer, storages: Readonly<Record<string, Buffer>> = {}): Buffer {
  return zipBytes([
    { name: "archive/data.pkl", data },
    { name: "archive/byteorder", data: Buffer.from("little") },
    ...Object.entries(storages).map(([key, bytes]) => ({
      name: `archive/data/${key}`,
      data: bytes,
    })),
    { name: "archive/version", data: Buffer.from("3\n") },
  ]);
}

/** A legacy file: its head, a pickle, the keys, then counts and storages. */
export function torchLegacy(
  data: Buffer,
  storages: readonly { key: string; count: number; bytes: Buffer }[] = [],
): Buffer {
  const counts = storages.map(({ count, bytes }) => {
    const length = Buffer.alloc(8);
    length.writeBigInt64LE(BigInt(count));
    return Buffer.concat([length, bytes]);
  });
  const magic = Buffer.from("8a0a6cfc9c46f9206aa85019", "hex");
  return opcodes(
    pickle(magic),
    pickle(integerOp(1001)),
    pickle(dictOp({ protocol_version: integerOp(1001), little_endian: Buffer.from([0x88]) })),
    data,
    pickle("](", ...storages.map(({ key }) => textOp(key)), "e"),
    ...counts,
  );
}
