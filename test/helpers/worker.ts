import { Worker } from "node:worker_threads";

// Node 20 gives the TypeScript loader of its parent to no worker.
const loader = `Promise.all([import("tsx/esm/api"), import("node:worker_threads")]).then(
  ([{ register }, { workerData }]) => {
    register();
    return import(workerData.file);
  },
);`;

/** Start a file of this folder in a worker thread. */
export function startWorker(name: string, data: object): Worker {
  const file = new URL(`./${name}`, import.meta.url).href;
  return new Worker(loader, { eval: true, workerData: { file, ...data } });
}
