import type { Profile, Reference } from "./reference.js";
import type { StageName } from "./stages.js";

const profiled = ["text", "unet", "vae", "vocoder"] as const satisfies readonly StageName[];

/** Milliseconds of one run of each network, by kind of operator. */
export type Profiles = Readonly<Record<(typeof profiled)[number], Profile>>;

export async function profileStages(reference: Reference): Promise<Profiles> {
  const profiles: Partial<Record<StageName, Profile>> = {};
  for (const stage of profiled) {
    // The first run loads the network and is slow.
    await reference.run({ stage, repeats: 1, steps: 1 });
    profiles[stage] = await reference.profile(stage);
  }
  return profiles as Profiles;
}
