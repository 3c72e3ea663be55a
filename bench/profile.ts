import { callSync } from "../lib/runtime/native.js";
import type { Ours } from "./ours.js";
import type { Profile, Reference } from "./reference.js";
import type { StageName } from "./stages.js";

const profiled = ["text", "unet", "vae", "vocoder"] as const satisfies readonly StageName[];

/** Milliseconds of one run of each network, by kind of operator. */
export type StageProfiles = Readonly<Partial<Record<StageName, Profile>>>;

export interface Profiles {
  readonly ours: StageProfiles;
  readonly eager?: StageProfiles;
}

/** What the addon counts of one kind of kernel. */
interface OperatorTotal {
  readonly calls: number;
  readonly seconds: number;
}

const once = { repeats: 1, steps: 1 } as const;

/** Profile each network, after a run that loads and packs it. */
export async function profileStages(ours: Ours, eager: Reference | undefined): Promise<Profiles> {
  const own: Partial<Record<StageName, Profile>> = {};
  const theirs: Partial<Record<StageName, Profile>> = {};
  for (const stage of profiled) {
    await ours.run({ stage, ...once });
    own[stage] = await profileOurs(ours, stage);
    if (!eager) continue;
    await eager.run({ stage, ...once });
    theirs[stage] = await eager.profile(stage);
  }
  return { ours: own, ...(eager && { eager: theirs }) };
}

/** Time of our kernels; what libtorch's operators and everything between take is `other`. */
async function profileOurs(ours: Ours, stage: StageName): Promise<Profile> {
  callSync("kernels.reset_profile", []);
  const { wallSeconds } = await ours.run({ stage, ...once });
  const totals = callSync<Readonly<Record<string, OperatorTotal>>>("kernels.profile", []);
  const milliseconds = Object.entries(totals).map(([kind, { seconds }]) => [kind, 1000 * seconds]);
  const counted = Object.values(totals).reduce((sum, { seconds }) => sum + seconds, 0);
  return {
    ...(Object.fromEntries(milliseconds) as Profile),
    other: 1000 * (wallSeconds - counted),
  };
}
