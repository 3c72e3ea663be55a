import { execFileSync } from "node:child_process";
import {
  existsSync,
  mkdirSync,
  readFileSync,
  readdirSync,
  utimesSync,
  writeFileSync,
} from "node:fs";
import { join } from "node:path";
import { pathToFileURL } from "node:url";
import test from "ava";
import type { ExecutionContext } from "ava";
import { setup } from "../lib/runtime/setup.js";
import { makeMachine, writeFiles, writePip, writeProgram } from "./helpers/machine.js";
import type { Machine } from "./helpers/machine.js";
import { recordOf, torchFiles, writeWheel } from "./helpers/wheel.js";
import type { Files } from "./helpers/wheel.js";

const wheelFile = "torch-2.13.0+cpu-cp311-cp311-manylinux_2_28_x86_64.whl";

interface Prepared extends Machine {
  readonly wheel: string;
  readonly sha256: string;
}

function prepare(t: ExecutionContext, files: Files = torchFiles, record?: string): Prepared {
  const machine = makeMachine(t);
  const wheel = join(machine.folder, wheelFile);
  const sha256 = writeWheel(wheel, files, record);
  writePip(machine, { url: pathToFileURL(wheel).href, sha256 });
  return { ...machine, wheel, sha256 };
}

const installed = ({ cache }: Machine): string[] =>
  existsSync(join(cache, "libtorch")) ? readdirSync(join(cache, "libtorch")) : [];

async function rejects(t: ExecutionContext, machine: Prepared, message: RegExp, code = "E_SETUP") {
  const error = await t.throwsAsync(setup({ env: machine.env }), { message });
  t.is((error as Error & { code?: string }).code, code);
  t.deepEqual(installed(machine), []);
  t.false(existsSync(join(machine.cache, "setup.lock")));
}

test("a wheel that pip names is verified, extracted and then used in its place", async (t) => {
  const machine = prepare(t);
  const events: string[] = [];
  const first = await setup({
    env: machine.env,
    onProgress: ({ stage, step, totalSteps }) => {
      if (step === totalSteps) events.push(stage);
    },
  });
  t.true(first.installed);
  t.deepEqual(events, ["resolve", "verify", "extract"]);
  t.is(first.libtorch.path, join(machine.cache, "libtorch", "2.13.0", "torch"));
  const library = readFileSync(join(first.libtorch.path, "lib", "libtorch_cpu.so"));
  t.true(library.equals(torchFiles["torch/lib/libtorch_cpu.so"] as Buffer));
  t.false(existsSync(join(first.libtorch.path, "functional.py")));

  const second = await setup({ env: machine.env, headers: true });
  t.false(second.installed);
  t.is(second.libtorch.source, "cache");
  const third = await setup({ env: machine.env, force: true });
  t.true(third.installed);
  t.deepEqual(installed(machine), ["2.13.0"]);
});

test("a torch wheel named by the caller needs no pip", async (t) => {
  const machine = prepare(t);
  writeProgram(machine, "python3", "exit 1");
  const { libtorch, notes } = await setup({ env: machine.env, wheel: machine.wheel });
  t.is(libtorch.version, "2.13.0+cpu");
  t.is(notes.length, 1);
});

test("an installed Python torch is used in its place", async (t) => {
  const machine = prepare(t);
  const site = writeFiles(join(machine.folder, "site"), torchFiles);
  writeProgram(machine, "python3", `echo '${site}/torch'`);
  const { libtorch, installed: isInstalled, notes } = await setup({ env: machine.env });
  t.false(isInstalled);
  t.is(libtorch.source, "python");
  t.regex(notes.join(), /Python torch/);
});

test("two setups at once install once", async (t) => {
  const { env } = prepare(t);
  const results = await Promise.all([setup({ env }), setup({ env }), setup({ env })]);
  t.is(results.filter(({ installed: isInstalled }) => isInstalled).length, 1);
});

test("the lock and the folders of a setup that died are cleared away", async (t) => {
  const machine = prepare(t);
  mkdirSync(join(machine.cache, "libtorch", ".new-dead"), { recursive: true });
  const lock = join(machine.cache, "setup.lock");
  writeFileSync(lock, "");
  utimesSync(lock, 1, 1);
  t.true((await setup({ env: machine.env })).installed);
  t.deepEqual(installed(machine), ["2.13.0"]);
});

test("pip before 22.2 downloads by itself", async (t) => {
  const machine = prepare(t);
  writePip(machine, { url: "", isOld: true, downloads: machine.wheel });
  t.true((await setup({ env: machine.env })).installed);
  t.deepEqual(readdirSync(join(machine.cache, "downloads")), []);
});

test("a truncated wheel is refused", async (t) => {
  const machine = prepare(t);
  writeFileSync(machine.wheel, readFileSync(machine.wheel).subarray(0, 1_000_000));
  writePip(machine, { url: pathToFileURL(machine.wheel).href });
  await rejects(t, machine, /the wheel cannot be read/);
});

test("a wheel with another hash than pip told is refused", async (t) => {
  const machine = prepare(t);
  writePip(machine, { url: pathToFileURL(machine.wheel).href, sha256: "00" });
  await rejects(t, machine, /has SHA-256 \w+, not 00\./);
});

test("a file that differs from RECORD is refused", async (t) => {
  const other = recordOf({ ...torchFiles, "torch/version.py": "__version__ = '2.13.0+abc'\n" });
  await rejects(t, prepare(t, torchFiles, other), /version\.py in the wheel differs/);
});

test("a file that RECORD does not list, or lists and the wheel lacks, is refused", async (t) => {
  const more = { ...torchFiles, "torch/lib/libmore.so": "more" };
  await rejects(t, prepare(t, more, recordOf(torchFiles)), /does not list torch\/lib\/libmore\.so/);
  await rejects(t, prepare(t, torchFiles, recordOf(more)), /lacks 1 files of its RECORD/);
});

test("an entry that leaves the folder is refused", async (t) => {
  const machine = prepare(t, { ...torchFiles, "torch/lib/../../../../evil": "evil" });
  await rejects(t, machine, /cannot be read: invalid relative path/);
  t.false(existsSync(join(machine.cache, "evil")));
});

test("a wheel of another release, and a file that is no wheel, are refused", async (t) => {
  const other = { ...torchFiles, "torch/version.py": "__version__ = '2.12.0'\n" };
  await rejects(t, prepare(t, other), /version 2\.12\.0, not 2\.13\.0/);
  const machine = prepare(t);
  writeFileSync(machine.wheel, "no zip");
  writePip(machine, { url: pathToFileURL(machine.wheel).href });
  await rejects(t, machine, /the wheel cannot be read/);
});

test("without pip the error says how to go on by hand", async (t) => {
  const machine = prepare(t);
  writeProgram(machine, "python3", "exit 1");
  await rejects(t, machine, /pip answers through none of python3, python\. .*--wheel FILE/);
});

test("what pip complains of is told without addresses", async (t) => {
  const machine = prepare(t);
  const complaint = `echo "ERROR: none at https://u:p@host/x" >&2; exit 1`;
  const answer = `[ "$3" = --version ] || { ${complaint}; }`;
  writeProgram(machine, "python3", `[ "$1" = -m ] || exit 1\n${answer}`);
  await rejects(t, machine, /finds no torch==2\.13\.0: ERROR: none at <address>\./);
});

test("MUSICLDM_LIBTORCH with a wrong folder is an error, not skipped", async (t) => {
  const machine = prepare(t);
  const env = { ...machine.env, MUSICLDM_LIBTORCH: "/nowhere" };
  await t.throwsAsync(setup({ env }), { message: /MUSICLDM_LIBTORCH \/nowhere: no such folder/ });
});

test("an abort while extracting leaves nothing", async (t) => {
  const machine = prepare(t);
  const controller = new AbortController();
  const onProgress = ({ stage }: { stage: string }) => {
    if (stage === "verify") controller.abort();
  };
  const call = setup({ env: machine.env, signal: controller.signal, onProgress });
  const error = await t.throwsAsync(call);
  t.is((error as Error & { code?: string }).code, "E_ABORTED");
  t.deepEqual(installed(machine), []);
});

const isRoot = process.getuid?.() === 0;

(isRoot ? test : test.skip)("a full disk gives E_IO and leaves nothing", async (t) => {
  const machine = prepare(t);
  mkdirSync(machine.cache);
  execFileSync("mount", ["-t", "tmpfs", "-o", "size=1m", "tmpfs", machine.cache]);
  try {
    await rejects(t, machine, /no space left/i, "E_IO");
  } finally {
    execFileSync("umount", [machine.cache]);
  }
});
