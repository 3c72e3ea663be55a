import { ddim } from "./ddim.js";
import { dpmSolver, dpmSolverSde } from "./dpmsolver.js";
import { euler } from "./euler.js";
import { eulerAncestral } from "./euler-ancestral.js";
import { heun } from "./heun.js";
import { lms } from "./lms.js";
import { pndm } from "./pndm.js";
import type { Solver, SolverName } from "./solver.js";
import { unipc } from "./unipc.js";

export { solverNames } from "./solver.js";
export type { SolverName } from "./solver.js";

/** Every solver by its name; the references are beside each and in docs/solvers.md. */
export const solvers: Readonly<Record<SolverName, Solver>> = {
  ddim,
  pndm,
  lms,
  euler,
  "euler-ancestral": eulerAncestral,
  heun,
  "dpmsolver++": dpmSolver,
  "dpmsolver++-sde": dpmSolverSde,
  unipc,
};
