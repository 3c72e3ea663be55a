import { readFile } from "node:fs/promises";
import test from "ava";
import {
  Checkpoint,
  inspectCheckpoint,
  readTorchFile,
  TorchName,
  TorchObject,
  TorchTensor,
} from "../lib/checkpoint/index.js";
import type { TorchDict, TorchValue } from "../lib/checkpoint/index.js";
import { memory } from "../lib/runtime/native.js";
import { cli } from "./helpers/cli.js";

const goldens = "test/goldens/torch";
const start = memory();

test.after.always("lifetime: no handle is left", (t) => {
  t.deepEqual(memory(), start);
});

const dict = (value: TorchValue | undefined): TorchDict => {
  if (value instanceof Map) return value as TorchDict;
  throw new Error("Expected a dict");
};
const object = (value: TorchValue | undefined): TorchObject => {
  if (value instanceof TorchObject) return value;
  throw new Error("Expected an object");
};

for (const file of ["plain.pt", "plain-legacy.pt"]) {
  test.serial(`${file}: dtypes, strides and shared storages equal torch's own`, async (t) => {
    using torch = await Checkpoint.open(`${goldens}/${file}`);
    using plain = await Checkpoint.open(`${goldens}/plain.safetensors`);
    const names = plain.entries.map(({ name }) => name).sort();
    t.deepEqual(torch.entries.map(({ name }) => name).sort(), names);
    for (const { name, dtype, shape, bytes } of plain.entries) {
      const options = dtype === "F64" ? ({ dtype: "float32" } as const) : {};
      const entry = torch.entries.find((other) => other.name === name);
      t.like(entry, { dtype, shape, bytes });
      using actual = await torch.tensor(name, options);
      using expected = await plain.tensor(name, options);
      t.is(actual.dtype, expected.dtype);
      t.deepEqual(await actual.data(), await expected.data(), name);
      t.deepEqual(await torch.bytes(name, 0, bytes), await plain.bytes(name, 0, bytes), name);
    }
    const strided = torch.entries.filter(({ strides }) => strides !== null);
    t.deepEqual(strided.map(({ name }) => name).sort(), ["repeated", "steps", "transposed"]);
  });
}

for (const file of ["laion.pt", "laion-legacy.pt"]) {
  test.serial(`${file}: module. is stripped, the optimizer is data`, async (t) => {
    using checkpoint = await Checkpoint.open(`${goldens}/${file}`);
    t.deepEqual(
      checkpoint.entries.map(({ name }) => name),
      [
        ...["0.weight", "0.bias", "1.weight", "1.bias", "1.running_mean", "1.running_var"],
        ...["1.num_batches_tracked", "text_branch.embeddings.position_ids"],
      ],
    );
    t.deepEqual(checkpoint.metadata, { epoch: "15", name: "2022_12_11-lr_0.0001" });
    const extras = checkpoint.extras();
    t.deepEqual([...extras.keys()], ["epoch", "name", "optimizer"]);
    const optimizer = dict(extras.get("optimizer"));
    const [group] = optimizer.get("param_groups") as readonly TorchDict[];
    t.is(group?.get("lr"), 2.5e-5);
    t.deepEqual(group?.get("betas"), [0.9, 0.999]);
    const counts = dict(optimizer.get("counts"));
    t.is(counts.get("steps"), 7);
    t.is(counts.get("done"), true);
    t.is(object(counts.get("seen")).className, "numpy.ndarray");
    const moment = dict(dict(optimizer.get("state")).get(0)).get("exp_avg");
    t.true(moment instanceof TorchTensor && moment.path === "optimizer.state.0.exp_avg");
  });

  test.serial(`${file}: names as they are, and all tensors`, async (t) => {
    using raw = await Checkpoint.open(`${goldens}/${file}`, { names: "raw" });
    t.is(raw.entries[0]?.name, "module.0.weight");
    using all = await Checkpoint.open(`${goldens}/${file}`, { names: "all" });
    t.true(all.has("state_dict.module.0.weight"));
    using moment = await all.tensor("optimizer.state.0.exp_avg");
    t.deepEqual(moment.shape, [2, 3]);
  });
}

test.serial("objects of Lightning's files are records without behaviour", async (t) => {
  using content = await readTorchFile(`${goldens}/lightning.ckpt`);
  t.deepEqual(Object.keys(content.tensors), ["first_stage_model.weight"]);
  const { data } = content;
  t.is(data.get("global_step"), 2 ** 40);
  t.is(data.get("huge"), 2n ** 70n);
  t.deepEqual(data.get("raw"), new Uint8Array([0, 255]));
  const parameters = dict(data.get("hyper_parameters"));
  const config = object(parameters.get("config"));
  t.is(config.className, "omegaconf.dictconfig.DictConfig");
  t.is(dict(dict(config.state).get("_content")).get("sampling_rate"), 16000);
  const attributes = object(parameters.get("attributes"));
  t.is(attributes.entries?.get("lr"), 0.5);
  const namespace = object(parameters.get("arguments"));
  t.is(namespace.className, "argparse.Namespace");
  t.deepEqual(
    namespace.state,
    new Map<TorchValue, TorchValue>([
      ["batch", 4],
      ["name", "naïve"],
      ["path", [1, 2.5, true]],
    ]),
  );
  const [[callback, state] = []] = dict(data.get("callbacks"));
  t.true(callback instanceof TorchName && callback.name.endsWith(".ModelCheckpoint"));
  t.deepEqual(dict(state).get("scores"), new Set([1, 2]));
});

for (const file of [
  "small.bin",
  "small-legacy.bin",
  "protocol-4.pt",
  "protocol-5-legacy.pt",
  "protocol-1-legacy.pt",
]) {
  test.serial(`${file} reads in its protocol`, async (t) => {
    using content = await readTorchFile(`${goldens}/${file}`);
    t.deepEqual([...((await content.tensors["a"]?.floats()) ?? [])], [1, 2]);
    t.deepEqual([...((await content.tensors["b"]?.floats()) ?? [])], [3, 4]);
    t.is(content.data.size, 0);
  });
}

test.serial("HiFi-GAN's key and a tensor alone", async (t) => {
  using generator = await readTorchFile(`${goldens}/hifigan.pt`);
  t.deepEqual(generator.tensors["conv.weight_g"]?.shape, [2, 1, 1]);
  using alone = await readTorchFile(`${goldens}/tensor.pt`);
  t.deepEqual([...((await alone.tensors["tensor"]?.floats()) ?? [])], [7, 8]);
});

test.serial("dtypes that tensors do not have are listed, and refused by name", async (t) => {
  using checkpoint = await Checkpoint.open(`${goldens}/odd-dtypes.pt`);
  const dtypes = checkpoint.entries.map(({ dtype }) => dtype);
  t.deepEqual(dtypes, ["U16", "C64", "F8_E4M3", "F32"]);
  for (const name of ["u16", "c64", "f8"]) {
    const error = await t.throwsAsync(checkpoint.tensor(name), { code: "E_CHECKPOINT" });
    t.regex(error?.message ?? "", /dtype of tensor.*(U16|C64|F8_E4M3)/);
  }
  using ok = await checkpoint.tensor("ok");
  t.is(await ok.item(), 5);
  using plain = await Checkpoint.open(`${goldens}/plain.pt`);
  await t.throwsAsync(plain.tensor("f64"), { code: "E_DTYPE" });
});

test.serial("inspect describes a torch file without loading it", async (t) => {
  const report = await inspectCheckpoint(`${goldens}/laion.pt`);
  t.is(report.kind, "file");
  t.is(report.tensors, 8);
  const [component] = report.components;
  t.is(component?.metadata["epoch"], "15");
  t.is(component?.dtypes["F32"]?.tensors, 6);
});

test.serial("the command line describes a torch file", async (t) => {
  const { code, stdout, stderr } = await cli(["inspect", `${goldens}/laion.pt`, "--tensors"]);
  t.is(code, 0, stderr);
  t.regex(stdout.toString(), /8 tensors.*metadata epoch = 15.*0\.weight F32 \[2, 3\]/s);
});

test.serial("torch files open together with others, as shards of one model", async (t) => {
  const paths = [`${goldens}/small.bin`, `${goldens}/hifigan.pt`, `${goldens}/plain.safetensors`];
  using checkpoint = await Checkpoint.open(paths);
  t.is(checkpoint.entries.find(({ name }) => name === "conv.weight_g")?.file, 1);
  const twice = Checkpoint.open([paths[0] ?? "", `${goldens}/small-legacy.bin`]);
  await t.throwsAsync(twice, { code: "E_CHECKPOINT", message: /also in/ });
});

test.serial("invalid input", async (t) => {
  await t.throwsAsync(readTorchFile(`${goldens}/absent.pt`), { code: "E_IO" });
  await t.throwsAsync(readTorchFile(goldens), { code: "E_IO" });
  const names = "some" as "all";
  const open = Checkpoint.open(`${goldens}/plain.pt`, { names });
  await t.throwsAsync(open, { code: "E_ARGUMENT", message: /plain, raw, all/ });
  const signal = AbortSignal.abort();
  await t.throwsAsync(Checkpoint.open(`${goldens}/plain.pt`, { signal }), { code: "E_ABORTED" });
  const bytes = await readFile(`${goldens}/small.bin`);
  t.is(bytes.subarray(0, 2).toString(), "PK");
});
