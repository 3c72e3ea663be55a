import { execFile } from "node:child_process";
import { promisify } from "node:util";

/** What runs the reference's networks. */
export const peerNames = ["eager", "compile", "onnx"] as const;
export type PeerName = (typeof peerNames)[number];

export const peerTitles: Readonly<Record<PeerName, string>> = {
  eager: "PyTorch eager",
  compile: "torch.compile, frozen weights",
  onnx: "ONNX Runtime",
};

const common = ["torch", "diffusers", "transformers", "safetensors"] as const;

const own: Readonly<Record<PeerName, readonly string[]>> = {
  eager: [],
  compile: [],
  onnx: ["onnxruntime", "onnx", "onnxscript"],
};

/** Python packages that a peer imports. */
export function packagesOf(peer: PeerName): readonly string[] {
  return [...common, ...own[peer]];
}

const findMissing = [
  "import importlib.util, json, sys",
  "missing = [name for name in sys.argv[1:] if importlib.util.find_spec(name) is None]",
  "print(json.dumps(missing))",
].join("\n");

/** The interpreter lacks packages; the message says what to install. */
export class MissingPackages extends Error {}

/** Check that the interpreter has what the peers need. Errors: `MissingPackages`. */
export async function requirePackages(python: string, peers: readonly PeerName[]): Promise<void> {
  const wanted = [...new Set(peers.flatMap(packagesOf))];
  const { stdout } = await promisify(execFile)(python, ["-c", findMissing, ...wanted]);
  const missing = JSON.parse(stdout) as readonly string[];
  if (missing.length === 0) return;
  const possible = peers.filter((peer) => !packagesOf(peer).some((it) => missing.includes(it)));
  const instead = possible.length > 0 ? `, or pass --peers ${possible.join(",")}` : "";
  throw new MissingPackages(
    `Expected ${wanted.join(", ")} for ${peers.join(", ")} but ${python} lacks ` +
      `${missing.join(", ")}; run: ${python} -m pip install ${missing.join(" ")}${instead}`,
  );
}
