// The engine's module as base64 text; empty where it was left out.
declare const text: string;
export default text;
