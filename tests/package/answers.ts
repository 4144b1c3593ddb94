/** JavaScript for a program under test that has no server: completions, chunks and a call to answer with, and a queue of answers. */
export const ANSWERS = `
const whole = (content) => JSON.stringify({ id: "1", object: "chat.completion", created: 1, model: "m",
  choices: [{ index: 0, message: { role: "assistant", content }, finish_reason: "stop" }] });
const chunk = (delta, finish_reason) => "data: " + JSON.stringify({ id: "1", choices: [{ index: 0, delta, finish_reason }] }) + "\\n\\n";
const call = { tool_calls: [{ index: 0, id: "a", type: "function", function: { name: "add", arguments: "{}" } }] };
const answers = [];
`;
