// Direction of dependencies in lib/: a layer may use its own row and the rows below it.
const layers = [
  ["cli", "server"],
  ["musicldm", "training", "evaluation", "data"],
  ["clap", "latent", "diffusion", "audio"],
  ["nn"],
  ["tensor", "checkpoint"],
  ["runtime"],
];

const folder = (names) => `^lib/(${names.join("|")})(/|\\.ts$)`;

const upward = layers.slice(1).map((names, index) => ({
  name: `${names.join("-")}-uses-nothing-above`,
  severity: "error",
  from: { path: folder(names) },
  to: { path: folder(layers.slice(0, index + 1).flat()) },
}));

/** @type {import('dependency-cruiser').IConfiguration} */
module.exports = {
  forbidden: [
    ...upward,
    {
      name: "no-cycle",
      severity: "error",
      from: { path: "^lib/" },
      to: { circular: true, viaOnly: { dependencyTypesNot: ["type-only"] } },
    },
    {
      name: "known-stem",
      comment: "a new folder of lib/ needs a place in the layers above",
      severity: "error",
      from: { path: "^lib/[^/]+/", pathNot: folder(layers.flat()) },
      to: {},
    },
    {
      name: "nothing-uses-the-entry",
      severity: "error",
      from: { path: "^lib/[^/]+/", pathNot: "^lib/(cli|server)/" },
      to: { path: "^lib/index\\.ts$" },
    },
    {
      name: "lib-stands-alone",
      severity: "error",
      from: { path: "^lib/" },
      to: { path: "^(test|bench|scripts|examples)/" },
    },
    {
      name: "no-unresolved",
      severity: "error",
      from: {},
      to: { couldNotResolve: true },
    },
    {
      name: "shipped-dependencies",
      severity: "error",
      from: { path: "^lib/" },
      to: {
        dependencyTypes: ["npm-dev", "npm-no-pkg", "npm-unknown"],
        dependencyTypesNot: ["type-only", "npm-peer"],
      },
    },
  ],
  options: {
    doNotFollow: { path: "node_modules" },
    tsConfig: { fileName: "tsconfig.json" },
    tsPreCompilationDeps: true,
    combinedDependencies: false,
    enhancedResolveOptions: { exportsFields: ["exports"], conditionNames: ["import", "default"] },
  },
};
