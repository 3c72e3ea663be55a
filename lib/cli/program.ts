import { Command } from "commander";
import { packageVersion } from "../runtime/paths.js";
import { addClassify } from "./classify.js";
import { addConvert } from "./convert.js";
import { addDoctor } from "./doctor.js";
import { addEmbed } from "./embed.js";
import { addGenerate } from "./generate.js";
import { addInit } from "./init.js";
import { addInspect } from "./inspect.js";
import { addSearch } from "./search.js";
import type { Session } from "./session.js";
import { addSetup } from "./setup.js";
import { addVerify } from "./verify.js";

const examples = `
First steps:
  $ musicldm setup                                    obtain libtorch (once)
  $ musicldm init --preset debug ./model              a tiny random model, to try things out
  $ musicldm generate ./model "a calm piano melody" -o piano.wav
  $ musicldm inspect piano.wav                        prompt, seed and settings of the file
  $ musicldm classify ./clap a.wav --labels dog,rain  which label fits a sound

Exit codes: 0 done, 1 failed, 2 wrong usage, 130 interrupted, 141 output closed, 143 terminated.`;

/** Declare every verb; what a verb needs is loaded when it runs. Throws instead of exiting. */
export function buildProgram(session: Session): Command {
  const program = new Command("musicldm")
    .description(
      "Music from text and ears for sounds, on this machine: MusicLDM, AudioLDM and CLAP.",
    )
    .version(packageVersion(), "-V, --version", "print the version")
    .helpOption("-h, --help", "print this help")
    .configureHelp({ showGlobalOptions: false })
    .exitOverride()
    .showHelpAfterError("hint: run with --help for usage")
    .addHelpText("after", examples);
  addGenerate(program, session);
  addInit(program, session);
  addClassify(program, session);
  addEmbed(program, session);
  addSearch(program, session);
  addVerify(program, session);
  addInspect(program, session);
  addConvert(program, session);
  addSetup(program, session);
  addDoctor(program);
  return program;
}
