import type { Command } from "commander";
import type { DoctorReport } from "../runtime/doctor.js";
import { exitCodes } from "./failure.js";
import { print, printJson } from "./session.js";

const notes = `
Exit code 0 means that models can run on the CPU, 1 that something is missing.`;

/** Declare `doctor`. */
export function addDoctor(program: Command): void {
  program
    .command("doctor")
    .summary("report what is installed, what is missing, and why")
    .description("Report on addon, libtorch, devices, threads and caches.")
    .option("--json", "print one JSON document")
    .option("--verbose", "print stack traces")
    .addHelpText("after", notes)
    .action(async ({ json }: { readonly json?: boolean }) => {
      const { doctor } = await import("../runtime/doctor.js");
      const report = await doctor();
      if (json) await printJson(report);
      else await print(describe(report).join("\n"));
      if (!report.ok) process.exitCode = exitCodes.failed;
    });
}

function row(name: string, ...values: readonly (string | null | undefined)[]): string {
  return `${name.padEnd(10)} ${values.filter((value) => value).join(", ") || "not found"}`;
}

function describe(report: DoctorReport): string[] {
  const { node, addon, libtorch, threads, caches } = report;
  const mebibytes = (caches.bytes / 2 ** 20).toFixed(0);
  const label = (name: string, value: string | null) => value && `${name} ${value}`;
  return [
    row("node", node.version, `${node.platform}-${node.arch}`),
    row("addon", addon.path, label("version", addon.path && addon.version)),
    row("libtorch", libtorch.path, libtorch.version, label("ABI", libtorch.abi)),
    row("arithmetic", libtorch.blas, label("oneDNN", libtorch.onednn), libtorch.cpuCapability),
    ...report.devices.map(({ name, available, reason }) =>
      row(name, available ? "available" : `unavailable: ${reason ?? "unknown"}`),
    ),
    row("threads", `${threads.intraOp ?? "?"} of ${threads.hardware}`),
    row("caches", caches.path, `${mebibytes} MiB`),
    ...report.candidates.flatMap(({ path, source, rejected }) =>
      rejected ? [`rejected   ${path} (${source}): ${rejected}`] : [],
    ),
    ...report.problems.map(({ code, message }) => `problem    ${message} [${code}]`),
    report.ok ? "Models can run." : "Models cannot run yet: see the problems above.",
  ];
}
