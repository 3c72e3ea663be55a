import type { Sampler } from "../../lib/musicldm/quality.js";
import type { Costs } from "./costs.js";
import type { Outcome, Problem } from "./runs.js";
import { contenders, describe, savings, standard, stepsWithin } from "./savings.js";

/** A run beside the uncached run that takes the same time. */
interface Comparison {
  readonly sampler: Sampler;
  readonly outcome: Outcome;
  readonly rivalSteps: number;
  readonly rival: Outcome;
}

/** Runs samplers, each once. */
export class Study {
  readonly #problem: Problem;
  readonly #costs: Costs;
  readonly #done = new Map<string, Promise<Outcome>>();

  constructor(problem: Problem, costs: Costs) {
    this.#problem = problem;
    this.#costs = costs;
  }

  async run(sampler: Sampler): Promise<Outcome> {
    const key = JSON.stringify(sampler);
    const outcome = this.#done.get(key) ?? this.#problem.measure(sampler, this.#costs);
    this.#done.set(key, outcome);
    return outcome;
  }

  /** Put a saving beside the run of the standard solver with as many steps as it costs. */
  async compare(saving: Partial<Sampler>, steps: number): Promise<Comparison> {
    const sampler = { ...standard, ...saving, steps };
    const outcome = await this.run(sampler);
    const rivalSteps = Math.max(1, Math.round(outcome.cost));
    return {
      sampler,
      outcome,
      rivalSteps,
      rival: await this.run({ ...standard, steps: rivalSteps }),
    };
  }
}

function printRows(header: readonly string[], rows: readonly (readonly string[])[]): void {
  const line = (cells: readonly string[]): string => `| ${cells.join(" | ")} |`;
  console.log([line(header), line(header.map(() => "---")), ...rows.map(line)].join("\n"));
  console.log("");
}

const errors = ({ latents, mel }: Outcome): string => `${latents.toFixed(3)} / ${mel.toFixed(2)}`;

export function printCosts({ unitSeconds, entries }: Costs): void {
  console.log(`A whole guided pass at full size: ${unitSeconds.toFixed(2)} s\n`);
  const rows = entries.map(([name, units]) => [name, units.toFixed(3)]);
  printRows(["pass", "time"], rows);
}

/** Errors of every solver at equal numbers of evaluations. */
export async function printSolvers(study: Study, counts: readonly number[]): Promise<void> {
  const rows: string[][] = [];
  for (const contender of contenders) {
    const { scheduler, sigmas = "leading" } = contender;
    const cells = [scheduler, scheduler === "pndm" ? "leading" : sigmas];
    for (const count of counts) {
      const steps = stepsWithin(contender, count);
      cells.push(errors(await study.run({ ...contender, steps })));
    }
    rows.push(cells);
  }
  printRows(["solver", "grid", ...counts.map(String)], rows);
}

/** Every saving at every step count, and whether it is worth its error. */
export async function printSavings(study: Study, counts: readonly number[]): Promise<void> {
  const rows: string[][] = [];
  for (const saving of savings) {
    for (const steps of counts) {
      const { outcome, rival, rivalSteps } = await study.compare(saving, steps);
      const isNearer = outcome.latents < rival.latents && outcome.mel < rival.mel;
      rows.push([
        ...[describe(saving), String(steps), outcome.cost.toFixed(1), errors(outcome)],
        ...[`${rivalSteps}: ${errors(rival)}`, isNearer ? "**nearer**" : "no"],
      ]);
    }
  }
  const header = ["saving", "steps", "time", "latents / mel dB", "no saving, equal time"];
  printRows([...header, "nearer?"], rows);
}
