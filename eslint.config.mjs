import js from "@eslint/js";
import tseslint from "typescript-eslint";

const plainScripts = ["**/*.{js,mjs,cjs}"];
const ignored = ["node_modules/**", "build*/**", "dist/**", "prebuilds/**", "test/fixtures/**"];

export default tseslint.config(
  { ignores: ignored },
  js.configs.recommended,
  ...tseslint.configs.recommendedTypeChecked,
  {
    languageOptions: { parserOptions: { projectService: true } },
    linterOptions: { noInlineConfig: true, reportUnusedDisableDirectives: "error" },
    rules: {
      "@typescript-eslint/consistent-type-imports": "error",
      "@typescript-eslint/prefer-readonly": "error",
      "@typescript-eslint/no-unused-vars": [
        "error",
        { argsIgnorePattern: "^_", varsIgnorePattern: "^_", ignoreRestSiblings: true },
      ],
      "@typescript-eslint/switch-exhaustiveness-check": [
        "error",
        { considerDefaultExhaustiveForUnions: true },
      ],
      "@typescript-eslint/restrict-template-expressions": ["error", { allowNumber: true }],
      "@typescript-eslint/require-await": "off",
      "max-lines-per-function": ["error", 60],
      "max-params": ["error", 5],
      // A promise that leaves a `try` or a scope with `using` unawaited outlives what it needs.
      "@typescript-eslint/return-await": ["error", "error-handling-correctness-only"],
      eqeqeq: "error",
      "no-console": "error",
      "no-restricted-syntax": [
        "error",
        { selector: "ExportDefaultDeclaration", message: "Export by name." },
      ],
    },
  },
  {
    files: plainScripts,
    ...tseslint.configs.disableTypeChecked,
  },
  {
    files: plainScripts,
    languageOptions: { globals: { console: "readonly", process: "readonly", module: "writable" } },
    rules: { "no-console": "off" },
  },
  {
    files: ["*.config.{js,mjs}"],
    rules: { "no-restricted-syntax": "off" },
  },
  {
    files: ["bench/**", "examples/**", "lib/cli/**"],
    rules: { "no-console": "off" },
  },
);
