export { toFile, toStreamingFile } from "../../elsewhere.ts";
