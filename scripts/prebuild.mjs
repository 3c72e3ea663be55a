#!/usr/bin/env node
// Writes prebuilds/<platform>-<arch>/ with prebuildify. What prebuildify calls in the place of
// node-gyp is this file again: it builds with cmake-js, so that no Node headers are downloaded,
// and puts the addons where prebuildify looks for them.
import { execFileSync } from "node:child_process";
import { copyFileSync, mkdirSync, rmSync } from "node:fs";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import prebuildify from "prebuildify";

const script = fileURLToPath(import.meta.url);
const root = join(dirname(script), "..");
const stage = join(root, "build", "prebuild");
const output = join(stage, "build", "Release");
const extras = join(stage, "extras");

function build() {
  execFileSync("npm", ["run", "--silent", "build:native"], { cwd: root, stdio: "inherit" });
  const release = join(root, "build", "Release");
  copyFileSync(join(release, "musicldm.node"), join(output, "musicldm.node"));
  copyFileSync(join(release, "musicldm_loader.node"), join(extras, "musicldm_loader.node"));
  execFileSync("strip", ["--strip-all", join(extras, "musicldm_loader.node")]);
}

function prebuild() {
  rmSync(stage, { recursive: true, force: true });
  for (const folder of [output, extras]) mkdirSync(folder, { recursive: true });
  const options = {
    cwd: stage,
    out: root,
    name: "musicldm",
    napi: true,
    strip: true,
    targets: [process.version],
    nodeGyp: script,
    artifacts: extras,
  };
  prebuildify(options, (error) => {
    if (error) throw error;
  });
}

if (process.argv[2] === "rebuild") build();
else prebuild();
