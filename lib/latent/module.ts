export { Module } from "../nn/module.js";
export type { ModuleLoadOptions, ModulePlace, NamedTensors } from "../nn/module.js";
