import test from "ava";
import { countWindows, coverWithWindows } from "../lib/clap/windows.js";

async function* inChunks(samples: Float32Array, size: number) {
  for (let start = 0; start < samples.length; start += size) {
    yield samples.slice(start, start + size);
  }
}

async function cover(total: number, size: number, hop: number, chunk: number) {
  const samples = Float32Array.from({ length: total }, (_, i) => i);
  const found: (readonly [number, number])[] = [];
  for await (const window of coverWithWindows(inChunks(samples, chunk), size, hop)) {
    const { start } = window;
    found.push([start, start + window.samples.length]);
    for (const [i, value] of window.samples.entries()) {
      if (value !== start + i) throw new Error(`${value} at ${start + i}`);
    }
  }
  return found;
}

test("a clip of up to one window is a window as it is", async (t) => {
  t.deepEqual(await cover(1, 10, 5, 4), [[0, 1]]);
  t.deepEqual(await cover(9, 10, 5, 4), [[0, 9]]);
  t.deepEqual(await cover(10, 10, 5, 4), [[0, 10]]);
  t.deepEqual(await cover(0, 10, 5, 4), []);
});

test("the last window of a longer clip ends where the clip ends", async (t) => {
  t.deepEqual(await cover(11, 10, 5, 4), [
    [0, 10],
    [1, 11],
  ]);
  t.deepEqual(await cover(20, 10, 5, 4), [
    [0, 10],
    [5, 15],
    [10, 20],
  ]);
  t.deepEqual(await cover(23, 10, 10, 4), [
    [0, 10],
    [10, 20],
    [13, 23],
  ]);
});

test("windows do not depend on where the chunks begin, and leave nothing out", async (t) => {
  for (const total of [7, 10, 13, 29, 30, 31, 64]) {
    for (const hop of [1, 3, 5, 10]) {
      const wanted = await cover(total, 10, hop, total);
      for (const chunk of [1, 2, 7, 10, 11, 100]) {
        t.deepEqual(await cover(total, 10, hop, chunk), wanted, `${total} ${hop} ${chunk}`);
      }
      t.is(wanted.length, countWindows(total, 10, hop));
      t.is(wanted[0]?.[0], 0);
      t.is(wanted.at(-1)?.[1], total);
      wanted.slice(1).forEach(([start], i) => t.true(start <= wanted[i]![1]));
    }
  }
});
