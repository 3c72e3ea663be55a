import test from "ava";
import { parseVocoderConfig } from "../lib/checkpoint/config/vocoder.js";
import { Vocoder } from "../lib/latent/vocoder.js";
import { assertClose, openGolden } from "./helpers/golden.js";

// The vocoder has every convolution in time: strided transposed ones, and dilated ones whose
// padding of 25 is many times around a circle of one frame.
for (const frames of [1, 2, 9]) {
  test.serial(`a circle of ${frames} frames is the same as several turns of it`, async (t) => {
    using golden = await openGolden("vocoder-16k");
    using vocoder = await Vocoder.create(parseVocoderConfig(golden.config, "golden").config);
    await vocoder.load(golden.under("weight."));
    using once = await golden.get("input.mel.single").slice(0, 0, frames);
    using often = await once.repeat([12, 1]);
    using wave = await vocoder.vocode(once, { circular: true });
    using waves = await vocoder.vocode(often, { circular: true });
    using wanted = await wave.repeat([12]);
    t.is(wave.size, frames * vocoder.hopSamples);
    await assertClose(t, [waves, wanted], 1e-5, `${frames} frames`);
  });
}
