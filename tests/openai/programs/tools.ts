/** `runTools`, whole and streamed. */
import type { ChatCompletionRunner } from "openai/resources/chat/completions";
import { z } from "zod";
import type { Context, Programs } from "../compare.ts";
import { call, callPieces, calls, completion, hello, refuses, says, streams, streamsCalls } from "../said.ts";
import { printEvents } from "./emitter.ts";

const parameters = { type: "object" as const, properties: { city: { type: "string" as const } } };

/** A tool that takes text. */
const weather = (print: (...values: unknown[]) => void) => ({
  type: "function" as const,
  function: {
    name: "weather",
    description: "The weather",
    parameters,
    function: (args: string) => {
      print("weather is asked", args);
      return { sunny: true };
    },
  },
});

/** The same that takes what `parse` gives. */
const parsing = (print: (...values: unknown[]) => void) => ({
  type: "function" as const,
  function: {
    name: "weather",
    description: "The weather",
    parameters,
    strict: true,
    parse: JSON.parse as (text: string) => { city: string },
    function: async ({ city }: { city: string }) => {
      print("weather is asked", city);
      return `Sunny in ${city}`;
    },
  },
});

const asksParis = () => calls(call("weather", { city: "Paris" }));

type Finals =
  | "finalContent"
  | "finalMessage"
  | "finalFunctionToolCall"
  | "finalFunctionToolCallResult"
  | "totalUsage"
  | "allChatCompletions"
  | "messages";

/** Prints all finals of a run. */
async function printRun(run: Pick<ChatCompletionRunner<unknown>, Finals>, { print }: Context) {
  print(
    await run.finalContent(),
    await run.finalMessage(),
    await run.finalFunctionToolCall(),
    await run.finalFunctionToolCallResult(),
    await run.totalUsage(),
    run.allChatCompletions().length,
    run.messages,
  );
}

export const tools: Programs = {
  "text arguments": async (context) => {
    context.answers(asksParis(), says("It is sunny."));
    const run = context.client().chat.completions.runTools({ ...hello, tools: [weather(context.print)] });
    printEvents(run, context);
    await printRun(run, context);
  },
  "parsed arguments": async (context) => {
    context.answers(asksParis(), says("It is sunny."));
    const run = context.client().chat.completions.runTools({ ...hello, tools: [parsing(context.print)] });
    printEvents(run, context);
    await printRun(run, context);
  },
  "no tool is called": async (context) => {
    context.answers(says("No need."));
    const run = context.client().chat.completions.runTools({ ...hello, tools: [weather(context.print)] });
    printEvents(run, context);
    context.print(await run.finalContent());
  },
  "several calls at once": async (context) => {
    context.answers(
      calls(call("weather", { city: "Paris" }, "c1"), call("weather", { city: "Rome" }, "c2")),
      says("Both are sunny."),
    );
    const run = context.client().chat.completions.runTools({ ...hello, tools: [parsing(context.print)] });
    context.print(await run.finalContent(), run.messages);
  },
  "they run at the same time": async ({ client, answers, print }) => {
    answers(calls(call("slow", {}, "c1"), call("slow", {}, "c2")), says("ok"));
    let most = 0;
    let now = 0;
    const slow = async () => {
      most = Math.max(most, ++now);
      await new Promise((resolve) => setTimeout(resolve, 30));
      now--;
      return "done";
    };
    const tool = { type: "function" as const, function: { name: "slow", description: "", parameters, function: slow } };
    await client()
      .chat.completions.runTools({ ...hello, tools: [tool] })
      .done();
    print(most);
  },
  "parallel_tool_calls: false runs one after the other": async ({ client, answers, print }) => {
    answers(calls(call("slow", {}, "c1"), call("slow", {}, "c2")), says("ok"));
    let most = 0;
    let now = 0;
    const slow = async () => {
      most = Math.max(most, ++now);
      await new Promise((resolve) => setTimeout(resolve, 20));
      now--;
      return "done";
    };
    const tool = { type: "function" as const, function: { name: "slow", description: "", parameters, function: slow } };
    await client()
      .chat.completions.runTools({ ...hello, parallel_tool_calls: false, tools: [tool] })
      .done();
    print(most);
  },
  "a forced choice ends after the tool": async (context) => {
    context.answers(asksParis(), says("never asked"));
    const run = context.client().chat.completions.runTools({
      ...hello,
      tool_choice: { type: "function", function: { name: "weather" } },
      tools: [parsing(context.print)],
    });
    printEvents(run, context);
    context.print(await run.finalFunctionToolCallResult(), run.messages);
  },
  "another than the forced one": async (context) => {
    context.answers(calls(call("other", {})), asksParis());
    const other = {
      type: "function" as const,
      function: { name: "other", description: "", parameters, function: () => "x" },
    };
    const run = context.client().chat.completions.runTools({
      ...hello,
      tool_choice: { type: "function", function: { name: "weather" } },
      tools: [other, weather(context.print)],
    });
    await run.done();
    context.print(run.messages);
  },
  "a tool there is not": async (context) => {
    context.answers(calls(call("nothing", {})), says("Sorry"));
    const run = context.client().chat.completions.runTools({ ...hello, tools: [weather(context.print)] });
    context.print(await run.finalContent(), run.messages);
  },
  "arguments that cannot be parsed": async (context) => {
    context.answers(calls(call("weather", "{oops")), says("Sorry"));
    const run = context.client().chat.completions.runTools({ ...hello, tools: [parsing(context.print)] });
    await run.finalContent();
    context.print(run.messages.length, run.messages.at(-2)?.role);
  },
  "a tool that throws": async (context) => {
    context.answers(asksParis(), says("never asked"));
    const failing = () => {
      throw new Error("no weather today");
    };
    const tool = { ...weather(context.print), function: { ...weather(context.print).function, function: failing } };
    const run = context.client().chat.completions.runTools({ ...hello, tools: [tool] });
    printEvents(run, context);
    await context.printResult(run.finalContent());
  },
  "what tools may give": async (context) => {
    context.answers(calls(call("a", {}), call("b", {}), call("c", {}), call("d", {})), says("ok"));
    const tool = (name: string, value: unknown) => ({
      type: "function" as const,
      function: { name, description: "", parameters, function: () => value },
    });
    const run = context.client().chat.completions.runTools({
      ...hello,
      tools: [tool("a", "text"), tool("b", { n: [1] }), tool("c", null), tool("d", undefined)],
    });
    await run.done();
    context.print(run.messages);
  },
  "a function without a name of its own": async ({ client, answers, print }) => {
    answers(calls(call("getTime", {})), says("ok"));
    function getTime() {
      return "noon";
    }
    const tool = { type: "function" as const, function: { description: "", parameters, function: getTime } };
    print(
      await client()
        .chat.completions.runTools({ ...hello, tools: [tool] })
        .finalFunctionToolCallResult(),
    );
  },
  "the runner as second argument": async ({ client, answers, print }) => {
    answers(asksParis(), says("ok"));
    const tool = {
      type: "function" as const,
      function: {
        name: "weather",
        description: "",
        parameters,
        function: (_: string, runner: { messages: object[]; abort(): void }) => {
          print(runner.messages.length, typeof runner.abort);
          return "fine";
        },
      },
    };
    const run = client().chat.completions.runTools({ ...hello, tools: [tool] });
    print(await run.finalContent());
  },
  "a tool that aborts": async ({ client, answers, printResult, run: { asked }, print }) => {
    answers(asksParis(), says("never asked"));
    const tool = {
      type: "function" as const,
      function: {
        name: "weather",
        description: "",
        parameters,
        function: (_: string, runner: { abort(): void }) => runner.abort(),
      },
    };
    const run = client().chat.completions.runTools({ ...hello, tools: [tool] });
    await printResult(run.finalContent());
    print(run.aborted, asked.length);
  },
  toolContext: async ({ client, answers, print }) => {
    answers(asksParis(), says("ok"));
    const tool = {
      type: "function" as const,
      function: {
        name: "weather",
        description: "",
        parameters,
        function: (_: string, __: unknown, context: { user: string }) => `for ${context.user}`,
      },
    };
    const run = client().chat.completions.runTools({ ...hello, tools: [tool], toolContext: { user: "me" } });
    print(await run.finalFunctionToolCallResult());
  },
  maxChatCompletions: async (context) => {
    context.answers(asksParis());
    const run = context
      .client()
      .chat.completions.runTools({ ...hello, tools: [weather(context.print)] }, { maxChatCompletions: 2 });
    await context.printResult(run.done());
    context.print(run.messages.length, run.allChatCompletions().length);
  },
  "ten turns, and no more": async ({ client, answers, run: { asked }, print }) => {
    answers(asksParis());
    const run = client().chat.completions.runTools({ ...hello, tools: [weather(() => {})] });
    await run.done();
    print(asked.length);
    asked.length = 0;
  },
  afterCompletion: async (context) => {
    context.answers(asksParis(), says("ok"));
    const run = context.client().chat.completions.runTools(
      { ...hello, tools: [weather(context.print)] },
      {
        afterCompletion: async (completion, runner) => {
          context.print("after", completion.choices[0]?.finish_reason, runner.messages.length);
          if (completion.choices[0]?.finish_reason === "tool_calls")
            runner.messages.push({ role: "user", content: "Quick!" });
        },
      },
    );
    context.print(await run.finalContent());
  },
  "afterCompletion that aborts": async ({ client, answers, printResult, print }) => {
    answers(asksParis(), says("never asked"));
    const run = client().chat.completions.runTools(
      { ...hello, tools: [weather(print)] },
      { afterCompletion: (_, runner) => runner.abort() },
    );
    await printResult(run.done());
  },
  refused: async (context) => {
    context.answers(refuses(401));
    const run = context.client().chat.completions.runTools({ ...hello, tools: [weather(context.print)] });
    printEvents(run, context);
    await context.printResult(run.finalContent());
  },
  "refused in the second turn": async (context) => {
    context.answers(asksParis(), refuses(500));
    const run = context.client().chat.completions.runTools({ ...hello, tools: [weather(context.print)] });
    await context.printResult(run.finalContent());
    context.print(run.messages.length);
  },
  "aborted by the caller's signal": async ({ client, answers, printResult }) => {
    const controller = new AbortController();
    answers(() => {
      controller.abort();
      return { wait: Number.POSITIVE_INFINITY };
    });
    const run = client().chat.completions.runTools(
      { ...hello, tools: [weather(() => {})] },
      { signal: controller.signal },
    );
    await printResult(run.finalContent());
  },
  "n above 1": async ({ client, printResult }) => {
    await printResult(
      client()
        .chat.completions.runTools({ ...hello, n: 2, tools: [weather(() => {})] })
        .done(),
    );
  },
  zodFunction: async (context) => {
    context.answers(calls(call("weather", { city: "Paris" })), says("ok"));
    const tool = context.lib.zod.zodFunction({
      name: "weather",
      description: "The weather",
      parameters: z.object({ city: z.string() }),
      function: ({ city }) => `Sunny in ${city}`,
    });
    const run = context.client().chat.completions.runTools({ ...hello, tools: [tool] });
    printEvents(run, context);
    context.print(await run.finalContent(), run.messages);
  },
  "zodFunction of openai itself": async ({ client, answers, print }) => {
    answers(calls(call("weather", { city: "Paris" })), says("ok"));
    const { zodFunction } = await import("openai/helpers/zod");
    const parameters = z.object({ city: z.string() });
    const tool = zodFunction({ name: "weather", parameters, function: ({ city }) => `Sunny in ${city}` });
    print(
      await client()
        .chat.completions.runTools({ ...hello, tools: [tool] })
        .finalFunctionToolCallResult(),
    );
  },
  "zodFunction whose arguments do not fit": async ({ client, answers, lib, print }) => {
    answers(calls(call("weather", { city: 7 })), says("Sorry"));
    const parameters = z.object({ city: z.string() });
    const tool = lib.zod.zodFunction({ name: "weather", parameters, function: () => "never" });
    const run = client().chat.completions.runTools({ ...hello, tools: [tool] });
    print(await run.finalContent(), run.messages.at(-2));
  },
  "zodFunction without a function": async ({ client, answers, lib, printResult }) => {
    answers(says("ok"));
    const tool = lib.zod.zodFunction({ name: "weather", parameters: z.object({}) });
    await printResult(
      client()
        .chat.completions.runTools({ ...hello, tools: [tool] } as never)
        .done(),
    );
  },
  ParsingToolFunction: async ({ client, answers, lib, print }) => {
    answers(asksParis(), says("ok"));
    const tool = new lib.completions.ParsingToolFunction({
      name: "weather",
      description: "",
      parameters,
      parse: JSON.parse,
      function: ({ city }: { city: string }) => city,
    });
    print(
      await client()
        .chat.completions.runTools({ ...hello, tools: [tool] })
        .finalFunctionToolCallResult(),
    );
  },
  "a format for the last answer": async ({ client, answers, lib, print }) => {
    answers(asksParis(), says('{"sunny":true}'));
    const response_format = lib.zod.zodResponseFormat(z.object({ sunny: z.boolean() }), "weather");
    const run = client().chat.completions.runTools({ ...hello, response_format, tools: [weather(() => {})] });
    print((await run.finalChatCompletion()).choices[0]?.message.parsed);
  },
  "calls without ids": async ({ client, answers, print }) => {
    answers(calls(call("weather", { city: "Paris" }, "")), says("ok"));
    const run = client().chat.completions.runTools({ ...hello, tools: [weather(() => {})] });
    await run.done();
    const [, asking, result] = run.messages as { tool_calls?: { id: string }[]; tool_call_id?: string }[];
    print(asking?.tool_calls?.[0]?.id === result?.tool_call_id, asking?.tool_calls?.[0]?.id !== "");
  },
  "fields of answers are not sent back": async ({ client, answers }) => {
    const odd = {
      content: null,
      tool_calls: [{ ...call("weather", {}), index: 0 }],
      annotations: [],
      parsed: 1,
      extra: 2,
    };
    answers({ json: completion(odd) }, says("ok"));
    await client()
      .chat.completions.runTools({ ...hello, tools: [weather(() => {})] })
      .done();
  },
  "a streamed run": async (context) => {
    context.answers(streamsCalls(callPieces("weather", ['{"city":', '"Paris"}'])), streams("It ", "is."));
    const run = context.client().chat.completions.runTools({ ...hello, stream: true, tools: [parsing(context.print)] });
    printEvents(run, context);
    context.print(await run.finalContent(), await run.finalChatCompletion(), run.messages);
  },
  "a streamed run, iterated": async ({ client, answers, print }) => {
    answers(streamsCalls(callPieces("weather", ['{"city":', '"Paris"}'])), streams("It ", "is."));
    const run = client().chat.completions.runTools({ ...hello, stream: true, tools: [parsing(print)] });
    for await (const one of run) print(one.choices[0]?.delta);
    print(await run.finalFunctionToolCallResult());
  },
  "a streamed run with zodFunction": async (context) => {
    context.answers(streamsCalls(callPieces("weather", ['{"city":', '"Paris"}'])), streams("ok"));
    const parameters = z.object({ city: z.string() });
    const tool = context.lib.zod.zodFunction({ name: "weather", parameters, function: ({ city }) => city });
    const run = context.client().chat.completions.runTools({ ...hello, stream: true, tools: [tool] });
    printEvents(run, context);
    await run.done();
  },
  "a streamed run that is passed on": async (context) => {
    const { client, answers, print, lib } = context;
    answers(streamsCalls(callPieces("weather", ['{"city":"Paris"}'])), streams("It is."));
    const run = client().chat.completions.runTools({ ...hello, stream: true, tools: [parsing(print)] });
    const [one, other] = run.toReadableStream().tee();
    const again = lib.completions.ChatCompletionStreamingRunner.fromReadableStream(one as never);
    printEvents(again, context);
    print(await new Response(other as never).text());
    print(await again.finalContent(), again.messages);
  },
  "a streamed turn that is cut at the limit": async (context) => {
    const [first, ...rest] = callPieces("weather", ['{"city"']);
    const { end } = await import("../said.ts");
    context.answers({ events: [first, ...rest, end("length")] });
    const run = context.client().chat.completions.runTools({ ...hello, stream: true, tools: [weather(context.print)] });
    await context.printResult(run.done());
  },
};
