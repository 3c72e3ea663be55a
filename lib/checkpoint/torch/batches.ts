/** Reads in flight: enough to hide their latency, few enough to leave others their turn. */
const batchSize = 64;

/** Run a task for each item, some at a time. */
export async function inBatches<T>(
  items: readonly T[],
  task: (item: T) => Promise<void>,
): Promise<void> {
  for (let first = 0; first < items.length; first += batchSize) {
    await Promise.all(items.slice(first, first + batchSize).map(task));
  }
}
