import { createHash } from "node:crypto";
import { writeFileSync } from "node:fs";
import { crc32, deflateRawSync } from "node:zlib";

export type Files = Readonly<Record<string, string | Buffer>>;

/** The least that counts as a libtorch of the C++11 ABI. */
export const torchFiles: Files = {
  "torch/version.py": "__version__ = '2.13.0+cpu'\n",
  "torch/lib/libc10.so": "NS_14SourceLocationENSt7__cxx1112basic_string",
  "torch/lib/libtorch_cpu.so": Buffer.alloc(3_000_000, "libtorch"),
  "torch/lib/libtorch.so": "",
  "torch/include/ATen/ATen.h": "#pragma once\n",
  "torch/functional.py": "is not extracted",
};

const recordName = "torch-2.13.0+cpu.dist-info/RECORD";

/** The RECORD of a wheel with these files. */
export function recordOf(files: Files): string {
  const lines = Object.entries(files).map(([name, content]) => {
    const digest = createHash("sha256").update(content).digest("base64url");
    return `${name},sha256=${digest},${Buffer.byteLength(content)}`;
  });
  return [...lines, `${recordName},,`, ""].join("\n");
}

/** Write a wheel; returns its SHA-256. */
export function writeWheel(path: string, files: Files, record = recordOf(files)): string {
  const bytes = zip({ ...files, [recordName]: record });
  writeFileSync(path, bytes);
  return createHash("sha256").update(bytes).digest("hex");
}

/** Make a zip file (PKWARE APPNOTE 4.3). */
function zip(files: Files): Buffer {
  const locals: Buffer[] = [];
  const centrals: Buffer[] = [];
  let offset = 0;
  for (const [name, content] of Object.entries(files)) {
    const plain = Buffer.from(content);
    const packed = deflateRawSync(plain, { level: 0 });
    const fields = Buffer.alloc(26);
    fields.writeUInt16LE(20, 0);
    fields.writeUInt16LE(8, 4);
    fields.writeUInt32LE(crc32(plain), 10);
    fields.writeUInt32LE(packed.length, 14);
    fields.writeUInt32LE(plain.length, 18);
    fields.writeUInt16LE(Buffer.byteLength(name), 22);
    const local = Buffer.concat([Buffer.from("PK\x03\x04"), fields, Buffer.from(name), packed]);
    const tail = Buffer.alloc(14);
    tail.writeUInt32LE(offset, 10);
    const version = Buffer.from([20, 0]);
    centrals.push(
      Buffer.concat([Buffer.from("PK\x01\x02"), version, fields, tail, Buffer.from(name)]),
    );
    locals.push(local);
    offset += local.length;
  }
  return Buffer.concat([...locals, ...centrals, endOfZip(centrals, offset)]);
}

function endOfZip(centrals: readonly Buffer[], offset: number): Buffer {
  const end = Buffer.alloc(22);
  end.write("PK\x05\x06", "latin1");
  end.writeUInt16LE(centrals.length, 8);
  end.writeUInt16LE(centrals.length, 10);
  end.writeUInt32LE(
    centrals.reduce((sum, part) => sum + part.length, 0),
    12,
  );
  end.writeUInt32LE(offset, 16);
  return end;
}
