/** The parts that projects of every framework share: a module that answers, and servers that go on from one try to the next. */
import { type Project, program } from "../setup.ts";

/** The module that streams. */
export const answer = program.esm.replace("answer().then(console.log);", "export { answer };");
/** Puts the answer into the page's title, from a module beside answer.js. */
export const show =
  "answer().then((text) => { document.title = text; }, (error) => { document.title = String(error); });";
/** Answers a request with it. */
export const respond = "answer().then((text) => new Response(text), (error) => new Response(String(error)))";

/** The file at its address, and no spare: puts the answer into the page's title where the engine came from there. */
export const showFrom = (path: string): string => `answer().then((text) => {
  const paths = performance.getEntriesByType("resource").map(({ name }) => new URL(name).pathname);
  const isThere = paths.includes("${path}") && !paths.some((path) => path.includes("spare"));
  document.title = isThere ? text : "not from there: " + paths.filter((path) => /wasm|spare/.test(path));
}, (error) => { document.title = String(error); });`;

type Start = (port: string) => [string, ...string[]];

const builds = new WeakMap<Project, Map<string, Promise<unknown>>>();

/** One build for several tries. */
export function once(project: Project, name: string, build: () => Promise<unknown>): Promise<unknown> {
  const done = builds.get(project) ?? new Map<string, Promise<unknown>>();
  builds.set(project, done);
  const promise = done.get(name) ?? build();
  done.set(name, promise);
  return promise;
}

/**
 * Opens a page of a framework's server in Chromium, or reads what a route says; the server goes on for tries with the same command
 * and build.
 * @param path of a route, or of a page where it begins with a slash; "" is the first page
 */
export function serves(project: Project, start: Start, path: string, build = ""): Promise<string> {
  const isPage = path === "" || path.startsWith("/");
  return project.kept(`${build} ${start("PORT").join(" ")}`, start, async (url) =>
    isPage ? project.titleOf(url + path.slice(1), 120_000) : (await fetch(url + path)).text(),
  );
}

/** Builds once, and then does the same with what was built. */
export const builtThenServes =
  (build: [string, ...string[]], start: Start, path: string) =>
  async (project: Project): Promise<string> => {
    const [command, ...args] = build;
    await once(project, build.join(" "), () => {
      project.stop();
      return project.run(command, args);
    });
    return serves(project, start, path);
  };
