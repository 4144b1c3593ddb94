/** Arguments of a tool as an object. */
import OpenAI from "openai";
import { zodFunction } from "openai/helpers/zod";
import { z } from "zod/v4";

const Query = z.object({
  table_name: z.enum(["orders", "customers"]),
  columns: z.array(z.string()),
  limit: z.number().int(),
});

const client = new OpenAI();
const completion = await client.chat.completions.parse({
  model: "gpt-4o",
  messages: [{ role: "user", content: "Query the orders table" }],
  tools: [zodFunction({ name: "query", description: "Query a table", parameters: Query })],
});
const call = completion.choices[0]?.message.tool_calls?.[0];
if (call?.type === "function") {
  const args = call.function.parsed_arguments as z.infer<typeof Query>;
  console.log(args, args.table_name);
}
