/** The type of an imported `.wasm`, as the bundlers of workerd make it. */
declare module "*.wasm" {
  const module: WebAssembly.Module;
  export default module;
}
