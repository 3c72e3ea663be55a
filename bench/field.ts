import type { Field } from "./compare.js";
import type { Inputs } from "./inputs.js";
import { onnxFolder } from "./model.js";
import type { Flags } from "./options.js";
import { Ours, SingleThreaded } from "./ours.js";
import { requirePackages } from "./peers.js";
import type { PeerName } from "./peers.js";
import { Meter } from "./rates.js";
import { Reference } from "./reference.js";
import type { Task } from "./stages.js";

export interface Setting {
  readonly flags: Flags;
  readonly task: Task;
  readonly threads: number;
  readonly torch: string;
  /** Folder for files in transit. */
  readonly scratch: string;
}

/** Everybody who is timed, opened, and what measures the machine meanwhile. */
export interface OpenField extends AsyncDisposable {
  readonly field: Field;
  readonly ours: Ours;
  readonly references: ReadonlyMap<PeerName, Reference>;
  readonly meter: Meter;
}

/** Open this library, and the peers that the flags ask for. */
export async function openField(setting: Setting, inputs: Inputs): Promise<OpenField> {
  const { flags, task, threads } = setting;
  const references = new Map<PeerName, Reference>();
  const close = async (): Promise<void> => {
    for (const reference of references.values()) await reference.close();
  };
  try {
    if (flags.reference) {
      await requirePackages(flags.python, flags.peers);
      for (const peer of flags.peers) {
        references.set(peer, await openReference(setting, inputs, peer));
      }
    }
    const ours = await Ours.open(inputs, task, flags.packing);
    const meter = new Meter(threads);
    const single = flags.scaling && threads > 1 ? new SingleThreaded(ours, threads) : undefined;
    const field = { ours, single, peers: references, betweenRounds: () => meter.measure() };
    const dispose = async (): Promise<void> => {
      ours.dispose();
      await close();
    };
    return { field, ours, references, meter, [Symbol.asyncDispose]: dispose };
  } catch (error) {
    await close();
    throw error;
  }
}

export async function openReference(
  { flags, task, threads, scratch }: Setting,
  inputs: Inputs,
  peer: PeerName,
): Promise<Reference> {
  const { python } = flags;
  const options = { peer, python, threads, onnxFolder: onnxFolder(task.folder) };
  return Reference.open(options, { task, inputs, folder: scratch });
}
