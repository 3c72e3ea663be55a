/**
 * Compare solvers, step counts and savings on a small trained model: the distance to the solution
 * of 1000 Heun steps, in latents and in decoded log-mels, against the time that the UNet's passes
 * would take at full size. See docs/solvers.md.
 *
 * The model is trained once and kept in the per-user cache.
 *
 * Usage: npm run bench:quality -- [--train 1500] [--items 8] [--rounds 5] [--threads 2]
 *          [--steps 5,10,15,20,25,50,100,200] [--saved 5,10,15,20,25,50,100,200]
 */
import { parseArgs } from "node:util";
import { setThreads } from "../../lib/runtime/native.js";
import { Costs } from "./costs.js";
import { openTrained } from "./model.js";
import { Problem } from "./runs.js";
import { branches } from "./savings.js";
import { printCosts, printSavings, printSolvers, Study } from "./tables.js";

const everyCount = "5,10,15,20,25,50,100,200";
const { values } = parseArgs({
  options: {
    train: { type: "string", default: "1500" },
    items: { type: "string", default: "8" },
    rounds: { type: "string", default: "5" },
    threads: { type: "string", default: "2" },
    steps: { type: "string", default: everyCount },
    saved: { type: "string", default: everyCount },
  },
});
const counts = (list: string): readonly number[] =>
  list === "" ? [] : list.split(",").map(Number);

setThreads(Number(values.threads));
const costs = await Costs.measure(branches, Number(values.rounds));
// The small network's layers are too small to share: a second thread only costs.
setThreads(1);
using model = await openTrained(Number(values.train));
printCosts(costs);
using problem = await Problem.create(model, Number(values.items));
const study = new Study(problem, costs);
if (values.steps !== "") await printSolvers(study, counts(values.steps));
if (values.saved !== "") await printSavings(study, counts(values.saved));
