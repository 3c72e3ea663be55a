import { existsSync, mkdirSync, readFileSync, statSync, writeFileSync } from "node:fs";
import { createServer } from "node:http";
import type { IncomingMessage, ServerResponse } from "node:http";
import type { AddressInfo } from "node:net";
import { join } from "node:path";
import test from "ava";
import type { ExecutionContext } from "ava";
import { setup } from "../lib/runtime/setup.js";
import { makeMachine, writePip } from "./helpers/machine.js";
import type { Machine } from "./helpers/machine.js";
import { torchFiles, writeWheel } from "./helpers/wheel.js";

const wheelFile = "torch-2.13.0+cpu-cp311-cp311-manylinux_2_28_x86_64.whl";

interface Remote extends Machine {
  readonly url: string;
  readonly wheel: string;
  readonly bytes: Buffer;
  readonly part: string;
  /** The Range header of each request, null where there was none. */
  readonly ranges: (string | null)[];
}

type Answer = (request: IncomingMessage, response: ServerResponse, bytes: Buffer) => void;

/** Send what the Range header asks for. */
const sendRange: Answer = (request, response, bytes) => {
  const start = Number(/bytes=(\d+)-/.exec(request.headers.range ?? "")?.[1] ?? 0);
  if (start >= bytes.length) {
    response.writeHead(416, { "content-range": `bytes */${bytes.length}` }).end();
    return;
  }
  const rest = bytes.subarray(start);
  const range = `bytes ${start}-${bytes.length - 1}/${bytes.length}`;
  const headers = { "content-length": rest.length, ...(start > 0 && { "content-range": range }) };
  response.writeHead(start > 0 ? 206 : 200, headers).end(rest);
};

async function serve(t: ExecutionContext, answer: Answer, name = wheelFile): Promise<Remote> {
  const machine = makeMachine(t);
  const wheel = join(machine.folder, "source.whl");
  const sha256 = writeWheel(wheel, torchFiles);
  const bytes = readFileSync(wheel);
  const ranges: (string | null)[] = [];
  const server = createServer((request, response) => {
    ranges.push(request.headers.range ?? null);
    answer(request, response, bytes);
  });
  await new Promise<void>((done) => server.listen(0, "127.0.0.1", done));
  t.teardown(() => {
    server.closeAllConnections();
    server.close();
  });
  const { port } = server.address() as AddressInfo;
  const url = `http://127.0.0.1:${port}/${encodeURIComponent(name)}`;
  writePip(machine, { url, sha256 });
  const part = join(machine.cache, "downloads", `${name}.part`);
  mkdirSync(join(machine.cache, "downloads"), { recursive: true });
  return { ...machine, url, wheel, bytes, part, ranges };
}

test("a wheel comes over HTTP, with progress in bytes, and leaves no download", async (t) => {
  const remote = await serve(t, sendRange);
  const steps: number[] = [];
  const result = await setup({
    env: remote.env,
    onProgress: ({ stage, step }) => {
      if (stage === "download") steps.push(step);
    },
  });
  t.true(result.installed);
  t.is(steps.at(-1), remote.bytes.length);
  t.deepEqual(
    steps,
    steps.toSorted((a, b) => a - b),
  );
  t.false(existsSync(remote.part));
  t.false(existsSync(remote.part.replace(".part", "")));
});

test("a download goes on where the last one stopped", async (t) => {
  const remote = await serve(t, sendRange);
  writeFileSync(remote.part, remote.bytes.subarray(0, 2_000_000));
  t.true((await setup({ env: remote.env })).installed);
  t.deepEqual(remote.ranges, ["bytes=2000000-"]);
});

test("a complete part needs no more bytes", async (t) => {
  const remote = await serve(t, sendRange);
  writeFileSync(remote.part, remote.bytes);
  t.true((await setup({ env: remote.env })).installed);
  t.deepEqual(remote.ranges, [`bytes=${remote.bytes.length}-`]);
});

test("a part of something else, and one that is too long, are thrown away", async (t) => {
  for (const length of [2_000_000, 9_000_000]) {
    const remote = await serve(t, sendRange);
    writeFileSync(remote.part, Buffer.alloc(length, 7));
    t.true((await setup({ env: remote.env })).installed);
    t.deepEqual(remote.ranges, [`bytes=${length}-`, null]);
  }
});

test("a server that ignores ranges sends everything again", async (t) => {
  const remote = await serve(t, (_request, response, bytes) => response.end(bytes));
  writeFileSync(remote.part, remote.bytes.subarray(0, 2_000_000));
  t.true((await setup({ env: remote.env })).installed);
});

test("a connection that breaks is taken up again", async (t) => {
  let requests = 0;
  const remote = await serve(t, (request, response, bytes) => {
    if (++requests > 1) return sendRange(request, response, bytes);
    response.writeHead(200, { "content-length": bytes.length });
    response.write(bytes.subarray(0, 1_500_000), () => setTimeout(() => response.destroy(), 200));
  });
  t.true((await setup({ env: remote.env })).installed);
  t.is(remote.ranges.length, 2);
  t.regex(remote.ranges[1] ?? "", /^bytes=\d+-$/);
});

test("where HTTP fails pip downloads, and the hash still counts", async (t) => {
  const remote = await serve(t, (_request, response) => response.writeHead(403).end());
  const pip = { url: remote.url, downloads: remote.wheel };
  writePip(remote, { ...pip, sha256: "00" });
  await t.throwsAsync(setup({ env: remote.env }), { message: /has SHA-256/ });
  writePip(remote, pip);
  t.true((await setup({ env: remote.env })).installed);
  t.is(remote.ranges.length, 6);
});

test("an abort keeps the part, and the next setup goes on from it", async (t) => {
  let isSlow = true;
  const remote = await serve(t, (request, response, bytes) => {
    if (!isSlow) return sendRange(request, response, bytes);
    response.writeHead(200, { "content-length": bytes.length });
    response.write(bytes.subarray(0, 1_500_000));
  });
  const controller = new AbortController();
  const call = setup({
    env: remote.env,
    signal: controller.signal,
    onProgress: ({ stage, step }) => {
      if (stage === "download" && step > 0) setTimeout(() => controller.abort(), 100);
    },
  });
  const error = await t.throwsAsync(call);
  t.is((error as Error & { code?: string }).code, "E_ABORTED");
  const { size } = statSync(remote.part);
  t.true(size > 0);
  isSlow = false;
  t.true((await setup({ env: remote.env })).installed);
  t.is(remote.ranges.at(-1), `bytes=${size}-`);
});

test("a CUDA build is refused before it is downloaded", async (t) => {
  const big: Answer = (_request, response, bytes) => {
    response.writeHead(200, { "content-length": 900_000_000 });
    response.write(bytes);
  };
  const remote = await serve(t, big, "torch-2.13.0-cp311-cp311-manylinux_2_28_x86_64.whl");
  await t.throwsAsync(setup({ env: remote.env }), { message: /is a CUDA build.*--index-url/ });
  t.false(existsSync(remote.part));
});
