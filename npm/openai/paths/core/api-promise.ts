export { APIPromise } from "../../api-promise.ts";
