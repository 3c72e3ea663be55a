// Direction of dependencies among the native folders: each folder names what it may include.
import path from "node:path";
import { read, report, sourceFiles } from "./files.mjs";

const models = ["clap", "latent", "diffusion", "audio"];
const base = ["runtime", "checkpoint", "tensor"];

/** Folder → folders that it may include. Only `mayUseNapi` may name N-API headers. */
const allowed = {
  runtime: [],
  checkpoint: ["runtime"],
  tensor: ["kernels", "runtime"],
  kernels: ["runtime"],
  nn: ["kernels", ...base],
  ...Object.fromEntries(models.map((model) => [model, [...models, "nn", "kernels", ...base]])),
  data: [...models, "nn", ...base],
  evaluation: [...models, "nn", ...base],
  training: [...models, "nn", "kernels", ...base],
  loader: ["runtime"],
};
const mayUseNapi = ["bindings", "loader"];

const files = sourceFiles(".cc", ".h", ".cu", ".cuh").filter((name) => name.startsWith("native/"));
const known = new Set(files);

function folderOf(name) {
  return name.split("/")[1];
}

/** Resolve an include to a file of the repository, or undefined for a foreign one. */
function resolve(from, included) {
  const places = [`native/${included}`, included, path.posix.join(path.dirname(from), included)];
  return places.find((place) => known.has(place));
}

function includesOf(name) {
  const lines = read(name).matchAll(/^[ \t]*#[ \t]*include[ \t]*(["<])([^">]+)[">]/gm);
  return [...lines].map(([, quote, included]) => ({ quote, included }));
}

function directionProblems(name) {
  const folder = folderOf(name);
  return includesOf(name).flatMap(({ quote, included }) => {
    if (/^(napi|node_api|js_native_api)/.test(included)) {
      return mayUseNapi.includes(folder) ? [] : [`${name}: N-API header outside bindings`];
    }
    const target = resolve(name, included);
    if (target === undefined) {
      return quote === '"' ? [`${name}: include "${included}" is no file of native/`] : [];
    }
    const to = folderOf(target);
    const isAllowed = to === folder || folder === "bindings" || allowed[folder]?.includes(to);
    return isAllowed ? [] : [`${name}: ${folder} must not include ${target}`];
  });
}

/** Depth-first search for include cycles. */
function cycleProblems(graph) {
  const done = new Set();
  const problems = [];
  const visit = (name, trail) => {
    if (trail.includes(name)) {
      problems.push(`include cycle: ${[...trail.slice(trail.indexOf(name)), name].join(" → ")}`);
    }
    if (done.has(name)) return;
    done.add(name);
    for (const next of graph.get(name) ?? []) visit(next, [...trail, name]);
  };
  for (const name of graph.keys()) visit(name, []);
  return problems;
}

function folderCycles(fileGraph) {
  const graph = new Map();
  for (const [name, targets] of fileGraph) {
    const folder = folderOf(name);
    const next = targets.map(folderOf).filter((target) => target !== folder);
    graph.set(folder, [...new Set([...(graph.get(folder) ?? []), ...next])]);
  }
  return cycleProblems(graph);
}

const graph = new Map(
  files.map((name) => {
    const targets = includesOf(name).map(({ included }) => resolve(name, included));
    return [name, targets.filter((target) => target !== undefined)];
  }),
);
report("native includes", [
  ...files.flatMap(directionProblems),
  ...cycleProblems(graph),
  ...folderCycles(graph),
]);
