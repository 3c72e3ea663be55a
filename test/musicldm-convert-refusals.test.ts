import { spawnSync } from "node:child_process";
import { mkdir, mkdtemp, readdir, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import test from "ava";
import type { ExecutionContext } from "ava";
import { writeSafetensors } from "../lib/checkpoint/safetensors.js";
import { convertCheckpoint } from "../lib/musicldm/convert/convert.js";
import type { ConvertOptions } from "../lib/musicldm/convert/types.js";
import { MusicLDMError } from "../lib/runtime/errors.js";
import type { ErrorCode } from "../lib/runtime/errors.js";
import { memory } from "../lib/runtime/native.js";
import { Tensor } from "../lib/tensor/tensor.js";
import { writeSide } from "./helpers/conversion.js";

const root = await mkdtemp(join(tmpdir(), "musicldm-refusals-"));
const start = memory();
const input = join(root, "laion.safetensors");
const settings = { text: { num_attention_heads: 3 } };

test.before(() => writeSide("conversion-clap-unfused", "original.", input));

test.after.always("lifetime: no handle is left", async (t) => {
  await rm(root, { recursive: true, force: true });
  t.deepEqual(memory(), start);
});

/** Expect a failure that names those things and leaves nothing at the output. */
async function refuses(
  t: ExecutionContext,
  options: Partial<ConvertOptions>,
  code: ErrorCode,
  ...parts: readonly string[]
): Promise<MusicLDMError | undefined> {
  const before = await readdir(root);
  const output = join(root, "never");
  const error = await t.throwsAsync<MusicLDMError>(
    convertCheckpoint({ input, output, settings, ...options }),
    { instanceOf: MusicLDMError },
  );
  t.is(error?.code, code, error?.message);
  for (const part of parts) t.true(error?.message.includes(part), `${part}: ${error?.message}`);
  t.deepEqual(await readdir(root), before);
  return error;
}

test.serial("a layout that nobody published", async (t) => {
  const path = join(root, "other.safetensors");
  using tensor = await Tensor.zeros([2]);
  await writeSafetensors(path, { "a.weight": tensor, "b.weight": tensor });
  await refuses(t, { input: path }, "E_CHECKPOINT", "a.weight, b.weight", "HiFi-GAN");
  await refuses(t, { input: join(root, "absent.pt") }, "E_IO", "absent.pt");
  await refuses(t, { input: root }, "E_CHECKPOINT", "weights");
});

test.serial("unknown, missing and misshapen tensors are listed together", async (t) => {
  const path = join(root, "damaged.safetensors");
  using seven = await Tensor.zeros([7, 4]);
  await writeSide("conversion-clap-unfused", "original.", path, (tensors) => {
    tensors["audio_branch.surprise"] = seven;
    tensors["audio_branch.layers.0.blocks.0.attn.qkv.weight"] = seven;
  });
  const names = ["audio_branch.surprise: unknown", "attn.qkv.weight: cannot become"];
  const error = await refuses(t, { input: path }, "E_CHECKPOINT", ...names);
  t.is((error?.details["names"] as readonly string[]).length, 2);
});

test.serial("a tensor that a network needs is named", async (t) => {
  const path = join(root, "short.safetensors");
  await writeSide("conversion-clap-unfused", "original.", path, (tensors) => {
    delete tensors["text_branch.encoder.layer.1.output.dense.bias"];
    delete tensors["text_branch.pooler.dense.weight"];
  });
  const names = ["text_model.encoder.layer.1.output.dense.bias", "text_model.pooler.dense.weight"];
  await refuses(t, { input: path }, "E_CHECKPOINT", ...names);
  await writeSide("conversion-clap-unfused", "original.", path, (tensors) => {
    delete tensors["audio_branch.patch_embed.proj.weight"];
  });
  await refuses(t, { input: path }, "E_CHECKPOINT", "patch_embed.proj.weight");
});

test.serial("settings that do not fit name their key", async (t) => {
  await refuses(t, { settings: { text: { num_attention_heads: 5 } } }, "E_CONFIG", "heads");
  const wrong = { unets: {} } as unknown as ConvertOptions["settings"];
  await refuses(t, { settings: wrong }, "E_ARGUMENT", "unets");
});

test.serial("options that mean nothing", async (t) => {
  await refuses(t, { to: "ldm" }, "E_ARGUMENT", "huggingface");
  await refuses(t, { to: "onnx" as "ldm" }, "E_ARGUMENT", "onnx");
  await refuses(t, { dtype: "int8" as "float16" }, "E_ARGUMENT", "int8");
  await refuses(t, { input: "" }, "E_ARGUMENT", "input");
  await refuses(t, { tokenizers: "x" } as Partial<ConvertOptions>, "E_ARGUMENT", "tokenizers");
  await refuses(t, { tokenizer: root }, "E_IO", "tokenizer.json");
});

test.serial("an output that is there stays, unless forced", async (t) => {
  const output = join(root, "occupied");
  await mkdir(output);
  await writeFile(join(output, "notes.txt"), "mine");
  await refuses(t, { output }, "E_IO", "force");
  await convertCheckpoint({ input, output, settings, force: true });
  t.true((await readdir(output)).includes("notes.txt"));
  const file = join(root, "occupied.safetensors");
  await writeFile(file, "mine");
  await refuses(t, { input: output, output: file, to: "laion" }, "E_IO", "force");
  await refuses(t, { input: output, output: root, to: "laion" }, "E_IO", "file");
  await refuses(t, { input: output }, "E_ARGUMENT", "laion");
});

test.serial("a full disk leaves nothing", async (t) => {
  const disk = join(root, "disk");
  await mkdir(disk);
  const mount = spawnSync("mount", ["-t", "tmpfs", "-o", "size=64k", "tmpfs", disk]);
  if (mount.status !== 0) return t.pass("mounting needs privileges");
  try {
    const probe = await writeFile(join(disk, "probe"), new Uint8Array(2 ** 18)).catch(() => null);
    if (probe === undefined) return t.pass("this kernel does not bound a tmpfs");
    await rm(join(disk, "probe"));
    await refuses(t, { output: join(disk, "model") }, "E_IO");
    t.deepEqual(await readdir(disk), []);
  } finally {
    spawnSync("umount", [disk]);
  }
});

test.serial("a file where a folder should be", async (t) => {
  await refuses(t, { output: join(input, "model") }, "E_IO");
});

test.serial("an abort leaves nothing", async (t) => {
  const aborted = AbortSignal.abort();
  await refuses(t, { signal: aborted }, "E_ABORTED");
  const controller = new AbortController();
  const onProgress = (): void => controller.abort();
  await refuses(t, { signal: controller.signal, onProgress }, "E_ABORTED");
});
