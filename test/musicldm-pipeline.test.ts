import test from "ava";
import { readSafetensors } from "../lib/checkpoint/safetensors.js";
import { MusicLDM } from "../lib/musicldm/musicldm.js";
import type { GenerateOptions } from "../lib/musicldm/types.js";
import type { SolverName } from "../lib/diffusion/plan.js";
import { Tensor } from "../lib/tensor/tensor.js";
import { assertClose } from "./helpers/golden.js";

/** A run of the Python pipeline. */
interface Case {
  readonly prompt: string | readonly string[];
  readonly negative: string | readonly string[] | null;
  readonly steps: number;
  readonly guidance: number;
  readonly seconds: number | null;
  readonly eta: number;
  readonly waveforms: number;
  readonly scheduler: string;
  readonly options: { readonly use_karras_sigmas?: boolean; readonly algorithm_type?: string };
  readonly seed?: number;
}

const solvers: Readonly<Record<string, SolverName>> = {
  DDIMScheduler: "ddim",
  PNDMScheduler: "pndm",
  LMSDiscreteScheduler: "lms",
  EulerDiscreteScheduler: "euler",
  EulerAncestralDiscreteScheduler: "euler-ancestral",
  HeunDiscreteScheduler: "heun",
  DPMSolverMultistepScheduler: "dpmsolver++",
  UniPCMultistepScheduler: "unipc",
};

function optionsOf(run: Case): GenerateOptions {
  const isSde = run.options.algorithm_type === "sde-dpmsolver++";
  return {
    prompt: run.prompt,
    ...(run.negative !== null && { negativePrompt: run.negative }),
    scheduler: isSde ? "dpmsolver++-sde" : solvers[run.scheduler]!,
    ...(run.options.use_karras_sigmas && { sigmas: "karras" }),
    steps: run.steps,
    guidanceScale: run.guidance,
    eta: run.eta,
    count: run.waveforms,
    intermediates: true,
    ...(run.seed !== undefined && { seed: run.seed }),
  };
}

/** 0.04 s is below this library's minimum, and below what a waveform needs to be heard. */
const tooShort = ["shortest"];

for (const name of ["musicldm", "audioldm"]) {
  test(`${name}: latents, mels and waveforms equal the Python pipeline's`, async (t) => {
    using golden = await readSafetensors(`test/goldens/pipeline-${name}.safetensors`);
    using model = await MusicLDM.fromPretrained(`test/goldens/${name}-tiny`);
    const { tensors, metadata } = golden;
    const cases = JSON.parse(metadata["cases"]!) as Record<string, Case>;
    for (const [key, run] of Object.entries(cases)) {
      if (tooShort.includes(key)) continue;
      const latents = tensors[`input.latents.${key}`]!;
      const result = await model.generate({ ...optionsOf(run), latents });
      using mel = await result.mel!.unsqueeze(1);
      await assertClose(t, [result.latents!, tensors[`output.latents.${key}`]!], 1e-4, key);
      await assertClose(t, [mel, tensors[`output.mel.${key}`]!], 1e-4, `${key} mel`);
      const waves = tensors[`output.wave.${key}`]!;
      const samples = Math.min(waves.shape[1]!, result.waveforms[0]!.length);
      using wanted = await waves.slice(1, 0, samples);
      const clips = result.waveforms.map((wave) => [...wave.subarray(0, samples)]);
      using actual = await Tensor.from(clips);
      await assertClose(t, [actual, wanted], 1e-4, `${key} waveform`);
      result.mel!.dispose();
      result.latents!.dispose();
    }
  });
}
