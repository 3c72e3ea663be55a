import type { Clap } from "../clap/clap.js";
import type { MusicLDM } from "../musicldm/musicldm.js";
import type { GenerationResult } from "../musicldm/types.js";
import type { CallOptions } from "../runtime/abort.js";
import { setThreads } from "../runtime/native.js";
import { deliver, deliveryNames, listItems, planDelivery, refuseExisting } from "./deliver.js";
import type { Delivery, EditNotes } from "./deliver.js";
import type { GenerateFlags } from "./generate.js";
import { createProgress } from "./progress.js";
import { readLatents, readRequest } from "./request.js";
import type { Request } from "./request.js";
import { print, printJson } from "./session.js";
import type { Session } from "./session.js";

/** Run `generate`: check everything that can be checked, open the model, generate, write. */
export async function runGenerate(
  words: readonly string[],
  flags: GenerateFlags,
  session: Session,
): Promise<void> {
  const startedAt = performance.now();
  const delivery = planDelivery(flags);
  const request = await readRequest(words, flags);
  checkNames(request, delivery);
  if (flags.threads !== undefined) setThreads(flags.threads);
  const progress = await createProgress(flags.quiet === true);
  const call = { signal: session.signal, onProgress: progress.report };
  using result = disposable(
    await compute(request, flags, call).finally(() => {
      progress.stop();
    }),
  );
  const { prompts, count } = result.settings;
  const names = deliveryNames(delivery, listItems(prompts, count, result.seeds));
  refuseExisting(delivery, names);
  await deliver(result, delivery, names, editNotes(flags));
  await report(result, names, flags, (performance.now() - startedAt) / 1000);
}

/** Check the names before the work; seeds that are drawn later stand as 0. */
function checkNames({ options }: Request, delivery: Delivery): void {
  const { prompt = [], seed, count = 1 } = options;
  const prompts = typeof prompt === "string" ? [prompt] : prompt;
  const total = prompts.length * count;
  const first = typeof seed === "number" ? seed : 0;
  const seeds = Array.isArray(seed) ? seed : Array.from({ length: total }, (_, i) => first + i);
  refuseExisting(delivery, deliveryNames(delivery, listItems(prompts, count, seeds)));
}

async function compute(
  request: Request,
  flags: GenerateFlags,
  call: CallOptions,
): Promise<GenerationResult> {
  const { MusicLDM } = await import("../musicldm/musicldm.js");
  const { device, dtype, attentionHeads, packing } = flags;
  using model = await MusicLDM.fromPretrained(request.model, {
    ...call,
    ...(device && { device }),
    ...(dtype && { dtype }),
    ...(attentionHeads && { attentionHeads }),
    ...(packing && { packing }),
  });
  if (flags.rerankBy === undefined) return await apply(model, request, flags, call);
  const { Clap } = await import("../clap/clap.js");
  using clap = await Clap.fromPretrained(flags.rerankBy, {
    ...call,
    ...(device && { device }),
    ...(dtype && { dtype }),
    ...(packing && { packing }),
  });
  return await apply(model, request, flags, call, clap);
}

async function apply(
  model: MusicLDM,
  request: Request,
  { latents: file, rerank = false }: GenerateFlags,
  call: CallOptions,
  clap?: Clap,
): Promise<GenerationResult> {
  if (request.kind === "edit") return model.edit({ ...request.options, ...call });
  const options = { ...request.options, ...call, rerank: clap ? { clap } : rerank };
  if (file === undefined) return model.generate(options);
  using latents = await readLatents(file);
  return await model.generate({ ...options, latents });
}

function disposable(result: GenerationResult): GenerationResult & Disposable {
  const release = (): void => {
    result.mel?.dispose();
    result.latents?.dispose();
  };
  return { ...result, [Symbol.dispose]: release };
}

function editNotes({ audio, strength, mask, latents }: GenerateFlags): EditNotes {
  return {
    ...(latents !== undefined && { latentsFile: latents }),
    ...(audio !== undefined && { audio }),
    ...(strength !== undefined && { strength }),
    ...(mask && { mask }),
  };
}

async function report(
  result: GenerationResult,
  names: readonly string[],
  flags: GenerateFlags,
  elapsedSeconds: number,
): Promise<void> {
  const { seeds, scores, sampleRate, settings, warnings } = result;
  if (flags.json) {
    const items = seeds.map((seed, i) => ({
      path: flags.outputKind === "waveform" ? names[i] : names[0],
      prompt: settings.prompts[Math.floor(i / settings.count)],
      seed,
      ...(scores && { score: scores[i] }),
      samples: result.waveforms[i]?.length ?? null,
    }));
    const { saveLatents = null } = flags;
    return printJson({ items, sampleRate, settings, warnings, saveLatents, elapsedSeconds });
  }
  if (flags.quiet) return;
  for (const warning of warnings) process.stderr.write(`warning: ${warning}\n`);
  const isStream = names.includes("-");
  const files = names.filter((name) => name !== "-");
  const fit = scores ? `, scores ${scores.map((score) => score.toFixed(3)).join(", ")}` : "";
  const summary = `Seeds ${seeds.join(", ")}${fit}, ${elapsedSeconds.toFixed(1)} s`;
  if (isStream) process.stderr.write(`${summary}\n`);
  else await print([...files.map((name) => `Wrote ${name}`), summary].join("\n"));
}
