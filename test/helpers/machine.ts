import { chmodSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import type { ExecutionContext } from "ava";
import type { Files } from "./wheel.js";

/** A made-up machine: a temporary folder with a cache, and with programs of its own on PATH. */
export interface Machine {
  readonly folder: string;
  readonly cache: string;
  readonly env: Readonly<Record<string, string>>;
}

/** Make a machine whose Python programs answer nothing; it goes when the test ends. */
export function makeMachine(t: ExecutionContext): Machine {
  const folder = mkdtempSync(join(tmpdir(), "musicldm-"));
  t.teardown(() => rmSync(folder, { recursive: true, force: true }));
  const cache = join(folder, "cache");
  const env = { PATH: `${join(folder, "bin")}:/usr/bin:/bin`, MUSICLDM_CACHE: cache };
  const machine = { folder, cache, env };
  for (const name of ["python", "python3"]) writeProgram(machine, name, "exit 1");
  return machine;
}

/** Put a shell script on the machine's PATH. */
export function writeProgram({ folder }: Machine, name: string, script: string): void {
  const path = join(folder, "bin", name);
  mkdirSync(dirname(path), { recursive: true });
  writeFileSync(path, `#!/bin/sh\n${script}\n`);
  chmodSync(path, 0o755);
}

/** Write files under a folder; returns the folder. */
export function writeFiles(folder: string, files: Files): string {
  for (const [name, content] of Object.entries(files)) {
    mkdirSync(dirname(join(folder, name)), { recursive: true });
    writeFileSync(join(folder, name), content);
  }
  return folder;
}

export interface FakePip {
  readonly url: string;
  readonly sha256?: string;
  /** What `pip download` copies into its folder. */
  readonly downloads?: string;
  /** Answer `install --report` as pip before 22.2 does. */
  readonly isOld?: boolean;
}

/** Give the machine a `python3` whose pip resolves torch to one wheel. */
export function writePip(machine: Machine, pip: FakePip): void {
  const hashes = pip.sha256 === undefined ? {} : { sha256: pip.sha256 };
  const report = { install: [{ download_info: { url: pip.url, archive_info: { hashes } } }] };
  writeFiles(machine.folder, { "report.json": JSON.stringify(report) });
  const install = pip.isOld
    ? `echo "no such option: --report" >&2; exit 2`
    : `cat '${machine.folder}/report.json'`;
  const download = pip.downloads === undefined ? "exit 1" : `cp '${pip.downloads}' "$dest"`;
  writeProgram(
    machine,
    "python3",
    `[ "$1" = -m ] || exit 1
case "$3" in
  --version) ;;
  install) ${install} ;;
  download)
    while [ "$1" != --dest ]; do shift; done
    dest="$2"
    ${download} ;;
esac`,
  );
}
