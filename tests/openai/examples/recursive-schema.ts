/** An answer whose shape contains itself: by `z.lazy`, and by a getter. */
import OpenAI from "openai";
import { zodFunction, zodResponseFormat } from "openai/helpers/zod";
import { z } from "zod/v4";

interface Folder {
  name: string;
  kind: "folder" | "file";
  children: Folder[];
  tags: { key: string; value: string }[];
}

const Folder: z.ZodType<Folder> = z.lazy(() =>
  z.object({
    name: z.string(),
    kind: z.enum(["folder", "file"]),
    children: z.array(Folder),
    tags: z.array(z.object({ key: z.string(), value: z.string() })),
  }),
);

const Comment = z.object({
  text: z.string(),
  get answers() {
    return z.array(Comment);
  },
  get about() {
    return Comment.nullable();
  },
});

const client = new OpenAI();
const messages: OpenAI.ChatCompletionMessageParam[] = [{ role: "user", content: "Make a folder for Letters" }];

const completion = await client.chat.completions.parse({
  model: "gpt-4o",
  messages,
  response_format: zodResponseFormat(Folder, "folder"),
});
console.dir(completion.choices[0]?.message.parsed, { depth: 10 });

const within = await client.chat.completions.parse({
  model: "gpt-4o",
  messages,
  response_format: zodResponseFormat(z.object({ first: Comment, folder: Folder }), "thread"),
});
console.log(within.choices[0]?.message.parsed?.first.text);
console.dir(within.choices[0]?.message.parsed, { depth: 10 });

const called = await client.chat.completions.parse({
  model: "gpt-4o",
  messages,
  tools: [zodFunction({ name: "write_comment", parameters: Comment })],
});
const call = called.choices[0]?.message.tool_calls?.[0];
console.dir(call?.type === "function" && call.function.parsed_arguments, { depth: 10 });
