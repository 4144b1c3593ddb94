/** The models there are. */
import OpenAI from "openai";

const client = new OpenAI();
for await (const model of client.models.list()) console.log(model.id);
const page = await client.models.list();
console.log(page.data.length, page.hasNextPage());
