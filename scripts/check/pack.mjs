// What `npm pack` would ship: its size without prebuilds, and no file that must stay outside.
import { execFileSync } from "node:child_process";
import { report } from "./files.mjs";

const maximumBytes = 5_000_000;
const addonBytes = 25_000_000;

const required = ["package.json", "README.md", "LICENSE", "CMakeLists.txt", "binding.gyp"];
const forbidden = [
  /^(test|bench|scripts|shared|build|build-cuda|node_modules|\.ci)\//,
  /\.(safetensors|pt|ckpt|bin|wav|flac|mp3|tgz|zip|map|tsbuildinfo)$/,
  /(^|\/)lib(torch|c10|gomp)[^/]*\.so/,
  /(^|\/)\.[^/]+$/,
];

const args = ["pack", "--dry-run", "--json", "--ignore-scripts"];
const output = execFileSync("npm", args, { encoding: "utf8", stdio: ["ignore", "pipe", "ignore"] });
const [{ files }] = JSON.parse(output);

const main = files.filter(({ path }) => !path.startsWith("prebuilds/"));
const bytes = main.reduce((sum, { size }) => sum + size, 0);
const tooBig = files.filter(({ path, size }) => path.endsWith(".node") && size > addonBytes);

console.log(`${main.length} files, ${(bytes / 1e6).toFixed(2)} MB unpacked without prebuilds`);
report("package contents", [
  ...(bytes > maximumBytes ? [`${bytes} bytes unpacked, at most ${maximumBytes}`] : []),
  ...tooBig.map(({ path, size }) => `${path}: ${size} bytes, at most ${addonBytes}`),
  ...main
    .filter(({ path }) => path.endsWith(".node") || forbidden.some((rule) => rule.test(path)))
    .map(({ path }) => `${path}: must not be in the package`),
  ...required
    .filter((name) => !files.some(({ path }) => path === name))
    .map((name) => `${name}: missing from the package`),
]);
