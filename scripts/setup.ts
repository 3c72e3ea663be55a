// Makes sure that there is a libtorch to compile against; needs no build of this repository.
import { setup } from "../lib/runtime/setup.js";
import type { ProgressEvent } from "../lib/runtime/abort.js";

let shown = "";

function show({ stage, step, totalSteps }: ProgressEvent): void {
  const tenths = totalSteps > 0 ? Math.floor((10 * step) / totalSteps) : 0;
  const line = `libtorch: ${stage} ${10 * tenths} %`;
  if (line !== shown) process.stderr.write(`${line}\n`);
  shown = line;
}

const { notes } = await setup({ headers: true, onProgress: show });
for (const note of notes) process.stderr.write(`${note}\n`);
