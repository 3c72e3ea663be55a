import { join } from "node:path";
import test from "ava";
import type { DoctorReport } from "../lib/runtime/doctor.js";
import { findAddon } from "../lib/runtime/loader.js";
import { makeMachine, writeFiles } from "./helpers/machine.js";
import { runScript } from "./helpers/script.js";
import { torchFiles } from "./helpers/wheel.js";

const script = `
  const { doctor } = await import("./lib/runtime/doctor.ts");
  console.log(JSON.stringify(await doctor()));`;

const report = (env: Readonly<Record<string, string | undefined>>) =>
  runScript<DoctorReport>(script, env);

test("a complete installation is reported in full", async (t) => {
  const { ok, addon, libtorch, devices, threads, node } = await report(process.env);
  t.true(ok);
  t.is(node.version, process.versions.node);
  t.regex(addon.path ?? "", /musicldm\.node$/);
  t.is(addon.napi, 9);
  t.regex(libtorch.version ?? "", /^\d+\.\d+\.\d+/);
  for (const name of ["path", "blas", "onednn", "cpuCapability", "abi"] as const) {
    t.truthy(libtorch[name], name);
  }
  t.deepEqual(devices[0], { name: "cpu", available: true });
  t.is(devices[1]?.name, "cuda");
  t.true(devices[1]?.available === true || (devices[1]?.reason ?? "").length > 0);
  t.true((threads.intraOp ?? 0) >= 1);
  t.true(threads.hardware >= 1);
});

test("without an addon the rest is still reported", async (t) => {
  const { env, cache } = makeMachine(t);
  writeFiles(join(cache, "libtorch", "2.13.0"), torchFiles);
  const { ok, addon, devices, caches, candidates, problems } = await report({
    ...env,
    MUSICLDM_ADDON: "/nowhere",
  });
  t.false(ok);
  t.is(addon.path, null);
  t.deepEqual(
    problems.map(({ code }) => code),
    ["E_ADDON"],
  );
  t.deepEqual(
    devices.map(({ available }) => available),
    [false, false],
  );
  t.regex(devices[0]?.reason ?? "", /E_ADDON/);
  t.is(candidates[0]?.rejected, null);
  t.is(caches.path, cache);
  t.true(caches.bytes > 3e6);
});

test("without libtorch each place that was looked at has its reason", async (t) => {
  const { env } = makeMachine(t);
  const { ok, addon, libtorch, candidates, problems } = await report({
    ...env,
    MUSICLDM_ADDON: findAddon().path,
    MUSICLDM_LIBTORCH: "/nowhere",
  });
  t.false(ok);
  t.truthy(addon.path);
  t.is(libtorch.path, null);
  t.is(problems[0]?.code, "E_LIBTORCH");
  t.deepEqual(
    candidates.map(({ source, rejected }) => [source, rejected]),
    [
      ["environment", "no such folder"],
      ["cache", "no such folder"],
    ],
  );
});
