import { cpSync, existsSync } from "node:fs";
import { join } from "node:path";
import { Worker } from "node:worker_threads";
import test from "ava";
import type { ExecutionContext } from "ava";
import { MusicLDMError } from "../lib/runtime/errors.js";
import type { ErrorCode } from "../lib/runtime/errors.js";
import { findLibtorch, inspectLibtorch, listCandidates } from "../lib/runtime/libtorch.js";
import { findAddon, loadAddon, loadCuda, loadedLibtorch } from "../lib/runtime/loader.js";
import { makeMachine, writeFiles, writeProgram } from "./helpers/machine.js";
import { runScript } from "./helpers/script.js";
import { torchFiles } from "./helpers/wheel.js";

const wanted = { version: "2.13.0", cxx11Abi: true };

function failure(t: ExecutionContext, work: () => unknown, code: ErrorCode): MusicLDMError {
  const error = t.throws(work, { instanceOf: MusicLDMError });
  t.is(error.code, code);
  return error;
}

test("candidates are taken in order: variable, cache, Python", (t) => {
  const { env, cache, folder } = makeMachine(t);
  const site = writeFiles(join(folder, "site"), torchFiles);
  const machine = { folder, cache, env };
  writeProgram(machine, "python3", `echo '${site}/torch'`);
  t.is(findLibtorch(wanted, env).source, "python");
  writeFiles(join(cache, "libtorch", "2.13.0"), torchFiles);
  t.is(findLibtorch(wanted, env).source, "cache");
  const own = writeFiles(join(folder, "own"), torchFiles);
  t.is(findLibtorch(wanted, { ...env, MUSICLDM_LIBTORCH: own }).path, join(own, "torch"));
  const sources = listCandidates(wanted, { ...env, MUSICLDM_LIBTORCH: own });
  t.deepEqual(
    sources.map(({ source }) => source),
    ["environment", "cache", "python"],
  );
});

test("the Python of an active virtual environment comes first", (t) => {
  const machine = makeMachine(t);
  const site = writeFiles(join(machine.folder, "site"), torchFiles);
  const venv = { ...machine, folder: join(machine.folder, "venv") };
  writeProgram(venv, "python", `echo '${site}/torch'`);
  const env = { ...machine.env, VIRTUAL_ENV: venv.folder };
  t.is(findLibtorch(wanted, env).path, join(site, "torch"));
});

test("a folder may hold torch/lib or lib, or be lib; a release zip has build-version", (t) => {
  const { folder } = makeMachine(t);
  const site = writeFiles(folder, torchFiles);
  for (const path of [site, join(site, "torch"), join(site, "torch", "lib")]) {
    t.is(inspectLibtorch("environment", path).rejected, null, path);
  }
  const zip = join(folder, "libtorch");
  cpSync(join(site, "torch", "lib"), join(zip, "lib"), { recursive: true });
  writeFiles(zip, { "build-version": "2.13.0+cpu\n" });
  t.is(inspectLibtorch("environment", zip).version, "2.13.0+cpu");
  t.is(inspectLibtorch("environment", zip).rejected, null);
  const headers = inspectLibtorch("environment", zip, { ...wanted, headers: true });
  t.regex(headers.rejected ?? "", /no headers/);
});

test("another version or C++ ABI gives E_LIBTORCH_ABI with both sides", (t) => {
  const { env, folder } = makeMachine(t);
  const site = writeFiles(folder, torchFiles);
  const chosen = { ...env, MUSICLDM_LIBTORCH: site };
  const version = () => findLibtorch({ ...wanted, version: "2.14.1+cu130" }, chosen);
  t.regex(failure(t, version, "E_LIBTORCH_ABI").message, /2\.13\.0\+cpu, not 2\.14\.1/);
  writeFiles(site, { "torch/lib/libc10.so": "NS_14SourceLocationESs" });
  const abi = failure(t, () => findLibtorch(wanted, chosen), "E_LIBTORCH_ABI");
  t.regex(abi.message, /pre-C\+\+11 ABI, not the C\+\+11 ABI/);
});

test("without any libtorch the error lists what was looked at and what to do", (t) => {
  const { env, cache } = makeMachine(t);
  const none = failure(t, () => findLibtorch(wanted, env), "E_LIBTORCH");
  t.true(none.message.includes(join(cache, "libtorch", "2.13.0")));
  t.regex(none.message, /npx musicldm setup/);
});

test("a wrong MUSICLDM_LIBTORCH is named and nothing else is tried", (t) => {
  const { env, cache, folder } = makeMachine(t);
  writeFiles(join(cache, "libtorch", "2.13.0"), torchFiles);
  const chosen = { ...env, MUSICLDM_LIBTORCH: folder };
  const error = failure(t, () => findLibtorch(wanted, chosen), "E_LIBTORCH");
  t.regex(error.message, /no libc10\.so and no libtorch_cpu\.so under lib\//);
  t.false(error.message.includes(cache));
});

test("a missing addon gives E_ADDON with its place and what to do", (t) => {
  const { env } = makeMachine(t);
  const missing = () => findAddon({ ...env, MUSICLDM_ADDON: "/nowhere/musicldm.node" });
  t.regex(failure(t, missing, "E_ADDON").message, /\/nowhere\/musicldm\.node.*MUSICLDM_ADDON/);
});

test("a loader addon that is no library gives E_ADDON", (t) => {
  const { env, folder } = makeMachine(t);
  writeFiles(folder, { "musicldm.node": "", "musicldm_loader.node": "no library" });
  const broken = () => findAddon({ ...env, MUSICLDM_ADDON: folder });
  t.regex(failure(t, broken, "E_ADDON").message, /does not load/);
});

test("a libtorch that does not load gives E_LIBTORCH with the linker's reason", async (t) => {
  const { env, folder } = makeMachine(t);
  const site = writeFiles(folder, torchFiles);
  const script = `
    const { loadAddon } = await import("./lib/runtime/loader.ts");
    try {
      loadAddon();
    } catch ({ code, message }) {
      console.log(JSON.stringify({ code, message }));
    }`;
  const result = await runScript<{ code: string; message: string }>(script, {
    ...env,
    MUSICLDM_ADDON: findAddon().path,
    MUSICLDM_LIBTORCH: site,
  });
  t.is(result.code, "E_LIBTORCH");
  t.regex(result.message, /libc10\.so does not load: .*(too short|ELF)/);
});

test("the addon loads once per thread, in several threads and after their end", async (t) => {
  const { buildInfo, path } = findAddon();
  t.true(existsSync(path));
  t.is(buildInfo.napiVersion, 9);
  const worker = `
    const { parentPort } = require("node:worker_threads");
    const run = async () => {
      (await import("tsx/esm/api")).register();
      const { callSync } = await import(process.cwd() + "/lib/runtime/native.ts");
      parentPort.postMessage(callSync("runtime.info", []).torchVersion);
    };
    run();`;
  const inWorker = () =>
    new Promise<unknown>((settle, reject) => {
      const thread = new Worker(worker, { eval: true });
      thread.once("message", (version) => void thread.terminate().then(() => settle(version)));
      thread.once("error", reject);
    });
  t.is(await inWorker(), buildInfo.torchVersion);
  t.deepEqual(await Promise.all([inWorker(), inWorker()]), Array(2).fill(buildInfo.torchVersion));
  t.is(loadAddon(), loadAddon());
  t.is(loadedLibtorch()?.version?.replace(/\+.*/, ""), buildInfo.torchVersion);
  t.is(await inWorker(), buildInfo.torchVersion);
});

test("CUDA says why it is not there", (t) => {
  const status = loadCuda();
  if (status.available) t.is(status.reason, undefined);
  else t.regex(status.reason ?? "", /build without CUDA|no NVIDIA driver|\.so/);
  t.is(loadCuda(), status);
});
