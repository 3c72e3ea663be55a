import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import test from "ava";
import { Checkpoint } from "../lib/checkpoint/checkpoint.js";
import { parseClapConfig } from "../lib/checkpoint/config/clap.js";
import { readJson } from "../lib/checkpoint/files.js";
import { AudioTower } from "../lib/clap/audio-tower.js";
import { TextTower } from "../lib/clap/text-tower.js";
import { convertCheckpoint } from "../lib/musicldm/convert/convert.js";
import { memory } from "../lib/runtime/native.js";
import { writeSide } from "./helpers/conversion.js";
import { assertClose, openGolden } from "./helpers/golden.js";

const root = await mkdtemp(join(tmpdir(), "musicldm-embeddings-"));
const start = memory();

test.after.always("lifetime: no handle is left", async (t) => {
  await rm(root, { recursive: true, force: true });
  t.deepEqual(memory(), start);
});

for (const name of ["unfused", "fused"] as const) {
  test.serial(`a converted model embeds as laion_clap's does, ${name}`, async (t) => {
    const input = join(root, `${name}.safetensors`);
    const output = join(root, name);
    await writeSide(`conversion-clap-${name}`, "original.", input);
    const settings = { text: { num_attention_heads: 3 } };
    await convertCheckpoint({ input, output, settings });
    const file = join(output, "config.json");
    const { text, audio } = parseClapConfig(await readJson(file), file, "ClapModel").config;
    if (audio === null) return t.fail();
    using golden = await openGolden(`conversion-clap-${name}`);
    using checkpoint = await Checkpoint.open(join(output, "model.safetensors"));
    using texts = await TextTower.create(text);
    await texts.load(checkpoint);
    using read = await texts.forward(golden.get("input.ids"));
    await assertClose(t, [read.textEmbeds, golden.get("output.text")], 1e-5, "text");
    using tower = await AudioTower.create(audio);
    await tower.load(checkpoint);
    using heard = await tower.forward(golden.get("input.mel"), [true, true]);
    await assertClose(t, [heard.audioEmbeds, golden.get("output.audio")], 1e-5, "audio");
  });
}
