import { intervalGrid, levelOfSigma, type SigmaGrid } from "../grid.js";
import { ageDenoised, combine, denoisedHistory, lambdaAt } from "./multistep.js";
import { at, update, type Solver, type SolverSettings, type SolverStep } from "./solver.js";

/**
 * Unified predictor-corrector of order 1 to 3 on the prediction of the clean sample: Zhao et al.
 * 2023 (arXiv 2302.04867), algorithms 5 to 8. Each evaluation first corrects the state that it was
 * made at, then predicts the next one; it costs no evaluation beyond the predictor's.
 */
export const unipc: Solver = (schedule, settings) => {
  const grid = intervalGrid(schedule, settings, true);
  const { startStep, solverOrder } = settings;
  const count = grid.timesteps.length;
  const orderAt = (i: number) =>
    Math.min(solverOrder, i + 1, settings.lowerOrderFinal ? count - startStep - i : solverOrder);
  const steps = grid.timesteps.slice(startStep).map((timestep, i): SolverStep => {
    const index = startStep + i;
    const corrects = i > 0 && !settings.disabledCorrectors.includes(index - 1);
    const correct = corrects ? [correction(grid, index, orderAt(i - 1), settings)] : [];
    const keep = i + 1 < count - startStep ? [update("kept", { x: 1 })] : [];
    const predict = prediction(grid, index, orderAt(i), settings);
    const level = levelOfSigma(at(grid.sigmas, index));
    const aging = ageDenoised(i, solverOrder + 1);
    return { timestep, level, updates: [...correct, ...keep, predict, ...aging] };
  });
  const finalLevel = levelOfSigma(at(grid.sigmas, count));
  return { initialScale: 1, startLevel: steps[0]!.level, steps, order: 1, finalLevel };
};

/** UniP: from node `index` to the next one, by the predictions there and before. */
function prediction(grid: SigmaGrid, index: number, order: number, settings: SolverSettings) {
  const interval = { grid, from: index, order, bend: settings.solverType };
  return update("x", unify(interval, "x", denoisedHistory, undefined));
}

/** UniC: redo the interval that led to node `index`, now that the prediction there is known. */
function correction(grid: SigmaGrid, index: number, order: number, settings: SolverSettings) {
  const interval = { grid, from: index - 1, order, bend: settings.solverType };
  return update("x", unify(interval, "kept", denoisedHistory.slice(1), "denoised"));
}

interface Interval {
  readonly grid: SigmaGrid;
  readonly from: number;
  readonly order: number;
  readonly bend: SolverSettings["solverType"];
}

/**
 * The update that both halves share. `past` names the predictions at `from` and before it, `end`
 * the one at the end of the interval, where it is known.
 */
function unify(
  { grid, from, order, bend }: Interval,
  state: string,
  past: readonly string[],
  end: string | undefined,
): Record<string, number> {
  // Notation: h = λ' − λ, z = −h, φ = e^z − 1, B = φ (bh2) or z (bh1), m0 the prediction at `from`;
  // x' = (s'/s)·x − α'·(φ·m0 + B·Σ ρ_k·(m_k − m0)/r_k), r_k = (λ_k − λ)/h.
  const h = lambdaAt(grid, from + 1) - lambdaAt(grid, from);
  const [phi, base] = [Math.expm1(-h), past[0]!];
  const nodes = past.slice(1, order).map((name, j) => {
    return { name, r: (lambdaAt(grid, from - j - 1) - lambdaAt(grid, from)) / h };
  });
  if (end !== undefined) nodes.push({ name: end, r: 1 });
  const next = levelOfSigma(at(grid.sigmas, from + 1));
  const ratio = next.sigma / levelOfSigma(at(grid.sigmas, from)).sigma;
  const start = { [state]: ratio, [base]: -next.alpha * phi };
  if (nodes.length === 0) return start;
  const scale = bend === "bh1" ? -h : phi;
  const weights = interpolationWeights(
    nodes.map((node) => node.r),
    moments(-h, scale),
  );
  const differences = nodes.map(({ name, r }, k) => {
    return [(-next.alpha * scale * weights[k]!) / r, { [name]: 1, [base]: -1 }] as const;
  });
  return combine([1, start], ...differences);
}

/** b_i = i!·φ_{i+1}(z)·z / B for i = 1, 2, 3: what the weighted powers of r_k must add up to. */
function moments(z: number, scale: number): readonly number[] {
  const first = Math.expm1(z) / z - 1;
  const second = first / z - 1 / 2;
  const third = second / z - 1 / 6;
  return [first / scale, (2 * second) / scale, (6 * third) / scale];
}

/** Solve Σ_k ρ_k·r_k^(i−1) = b_i through the Lagrange polynomials of the nodes r_k. */
function interpolationWeights(nodes: readonly number[], b: readonly number[]): number[] {
  if (nodes.length === 1) return [1 / 2]; // the paper's choice, independent of h
  return nodes.map((node, k) => {
    const others = nodes.filter((_, j) => j !== k);
    const powers = others.reduce<number[]>(
      (polynomial, other) => {
        const scale = 1 / (node - other);
        return [...polynomial, 0].map((coefficient, i) => {
          return scale * ((polynomial[i - 1] ?? 0) - other * coefficient);
        });
      },
      [1],
    );
    return powers.reduce((sum, coefficient, i) => sum + coefficient * b[i]!, 0);
  });
}
