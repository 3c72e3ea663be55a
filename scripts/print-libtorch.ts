// Prints the folder of a libtorch that can be compiled against; CMakeLists.txt asks it.
import { findLibtorch } from "../lib/runtime/libtorch.js";
import { supportedTorch } from "../lib/runtime/paths.js";

const wanted = { version: supportedTorch, cxx11Abi: true, headers: true };
process.stdout.write(`${findLibtorch(wanted).path}\n`);
