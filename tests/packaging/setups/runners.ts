/** Runners of tests and TypeScript, and other ways to install. */
import { JEST_SETUP } from "../../../dist/doctor.js";
import { OK, type Project, program, type Setup } from "../setup.ts";

const body = program.esm.replace("answer().then(console.log);", "");

/** A test that fails by name, or prints what the program does. */
export const inVitest = `
import { expect, test } from "vitest";
${body}
test("streams", async () => {
  const said = await answer();
  console.log(said);
  expect(said).toBe(${JSON.stringify(OK)});
});
`;

/** As people write it for Jest without configuration: CommonJS. */
const jest = `${program.cjs.replace("answer().then(console.log);", "")}
test("streams", async () => {
  expect(await answer()).toBe(${JSON.stringify(OK)});
});
`;

const passes =
  (command: string, args: string[], env: NodeJS.ProcessEnv = {}) =>
  async (project: Project): Promise<string> => {
    await project.run(command, args, env);
    return OK;
  };

const withVitest = (environment: string) => passes("vitest", ["run", "--environment", environment]);

const typed = `${body.replace("async function answer()", "async function answer(): Promise<string>").replace('role: "user"', 'role: "user" as const')}
answer().then((text: string) => console.log(text));
`;

export const runners: Setup[] = [
  {
    name: "Vitest",
    packages: { vitest: "latest", jsdom: "latest", "happy-dom": "latest" },
    files: { "stream.test.js": inVitest },
    tries: { node: withVitest("node"), jsdom: withVitest("jsdom"), "happy-dom": withVitest("happy-dom") },
  },
  {
    name: "Vitest 3",
    packages: { vitest: "3", jsdom: "26" },
    files: { "stream.test.js": inVitest },
    tries: { node: withVitest("node"), jsdom: withVitest("jsdom") },
  },
  {
    name: "Jest 30",
    packages: { jest: "30", "jest-environment-jsdom": "30" },
    files: { "stream.test.cjs": jest },
    tries: {
      defaults: passes("jest", ["--testMatch=**/*.test.cjs"]),
    },
  },
  {
    name: "Jest 29",
    packages: { jest: "29" },
    files: { "stream.test.js": jest },
    manifest: { type: "commonjs" },
    tries: { defaults: passes("jest", []) },
  },
  {
    name: "Jest, its environment jsdom",
    packages: { jest: "30", "jest-environment-jsdom": "30" },
    files: {
      "stream.test.js": jest,
      "jest.config.js": `module.exports = { testEnvironment: "jsdom", testEnvironmentOptions: { customExportConditions: ["node", "node-addons"] },
        setupFiles: ["./web.js"] };`,
      "web.js": JEST_SETUP,
    },
    manifest: { type: "commonjs" },
    tries: { "with a line": passes("jest", []) },
    recipe:
      '`testEnvironmentOptions: { customExportConditions: ["node", "node-addons"] }`, and Node\'s `fetch` and streams put into jsdom by `setupFiles`: `npx chatwire doctor` prints the file',
  },
  {
    name: "ts-node",
    packages: { "ts-node": "latest", typescript: "5.9", "@types/node": "24" },
    files: {
      "stream.ts": `${typed}export {};`,
      "tsconfig.json": JSON.stringify({ compilerOptions: { module: "nodenext", target: "es2022", strict: true } }),
    },
    manifest: { type: "commonjs" },
    tries: {
      CommonJS: (project) => project.says("ts-node", ["stream.ts"]),
      "CommonJS, Node 20.0": async (project) => {
        await project.run("npm", [
          "install",
          "--no-save",
          "--prefer-offline",
          "--no-audit",
          "--no-fund",
          "node@20.0.0",
        ]);
        return project.says("node_modules/.bin/node", ["node_modules/ts-node/dist/bin.js", "stream.ts"]);
      },
    },
  },
  {
    name: "Nest",
    packages: {
      "@nestjs/core": "latest",
      "@nestjs/common": "latest",
      "@nestjs/cli": "latest",
      "@nestjs/platform-express": "latest",
      "reflect-metadata": "latest",
      rxjs: "7",
      typescript: "5.9",
      "@types/node": "24",
    },
    files: {
      "tsconfig.json": JSON.stringify({
        compilerOptions: {
          module: "commonjs",
          target: "es2022",
          outDir: "dist",
          experimentalDecorators: true,
          emitDecoratorMetadata: true,
          strict: true,
          skipLibCheck: true,
          esModuleInterop: true,
        },
      }),
      "nest-cli.json": JSON.stringify({ sourceRoot: "src" }),
      "src/main.ts": `
        import "reflect-metadata";
        import { Injectable, Module } from "@nestjs/common";
        import { NestFactory } from "@nestjs/core";
        ${typed.replace("answer().then((text: string) => console.log(text));", "")}
        @Injectable() class Asks { ask(): Promise<string> { return answer(); } }
        @Module({ providers: [Asks] }) class App {}
        (async () => {
          const app = await NestFactory.createApplicationContext(App, { logger: false });
          console.log(await app.get(Asks).ask());
        })();`,
    },
    manifest: { type: "commonjs" },
    tries: {
      CommonJS: async (project) => {
        await project.run("nest", ["build"]);
        return project.says("node", ["dist/main.js"]);
      },
    },
  },
  {
    name: "tsx",
    packages: { tsx: "latest" },
    files: { "stream.ts": typed, "stream.cts": program.cjs },
    tries: {
      ESM: (project) => project.says("tsx", ["stream.ts"]),
      CommonJS: (project) => project.says("tsx", ["stream.cts"]),
    },
  },
  {
    name: "Node's type stripping",
    packages: { node: "24" },
    files: { "stream.ts": typed },
    tries: { ESM: (project) => project.says("node_modules/.bin/node", ["stream.ts"]) },
  },
  {
    name: "pnpm",
    version: (project) => project.says("npx", ["--yes", "pnpm@latest", "--version"]),
    packages: {},
    files: { "stream.js": program.esm },
    install: (project) => project.run("npx", ["--yes", "pnpm@latest", "install", "--prefer-offline"]),
    tries: { Node: (project) => project.says("node", ["stream.js"]) },
  },
  {
    name: "Yarn PnP",
    version: (project) => project.says("npx", ["--yes", "--package=@yarnpkg/cli-dist", "yarn", "--version"]),
    files: { "stream.js": program.esm, "yarn.lock": "" },
    install: (project) =>
      project.run("npx", ["--yes", "--package=@yarnpkg/cli-dist", "yarn", "install"], {
        YARN_ENABLE_IMMUTABLE_INSTALLS: "false",
        YARN_ENABLE_TELEMETRY: "false",
        YARN_NODE_LINKER: "pnp",
      }),
    tries: {
      Node: (project) =>
        project.says("npx", ["--yes", "--package=@yarnpkg/cli-dist", "yarn", "node", "stream.js"], {
          YARN_ENABLE_TELEMETRY: "false",
        }),
    },
  },
];
