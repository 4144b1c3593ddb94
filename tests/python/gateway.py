"""OpenAI's own client through the gateway: text, tools, JSON, errors and abort. GATEWAY and TOKEN say where and as whom."""

import json
import os
import unittest

import openai

client = openai.OpenAI(base_url=os.environ["GATEWAY"], api_key=os.environ["TOKEN"], max_retries=0)
WEATHER = {
    "type": "function",
    "function": {
        "name": "get_weather",
        "description": "Weather of a city",
        "parameters": {"type": "object", "properties": {"city": {"type": "string"}}, "required": ["city"]},
    },
}


def ask(content, **params):
    return client.chat.completions.create(
        model="electron", messages=[{"role": "user", "content": content}], **params
    )


class Gateway(unittest.TestCase):
    def test_streams_text_without_usage_it_did_not_ask_for(self):
        text = ""
        for chunk in ask("Echo: नमस्ते 👋🏽", stream=True):
            # Most programs look at the first choice without asking whether there is one.
            text += chunk.choices[0].delta.content or ""
            self.assertIsNone(chunk.usage)
        self.assertEqual(text, "नमस्ते 👋🏽")

    def test_streams_usage_it_asked_for(self):
        *_, last = ask("Echo: one two", stream=True, stream_options={"include_usage": True})
        self.assertEqual(last.usage.completion_tokens, 2)

    def test_calls_tools(self):
        with client.chat.completions.stream(
            model="electron", messages=[{"role": "user", "content": "What's the weather in Mumbai?"}], tools=[WEATHER]
        ) as stream:
            [call] = stream.get_final_completion().choices[0].message.tool_calls
        self.assertEqual((call.function.name, json.loads(call.function.arguments)), ("get_weather", {"city": "Mumbai"}))

    def test_gets_json(self):
        content = ask('Echo: {"a": 1}', response_format={"type": "json_object"}).choices[0].message.content
        self.assertEqual(json.loads(content), {"a": 1})

    def test_knows_the_errors_by_their_classes(self):
        for status, error in ((400, openai.BadRequestError), (429, openai.RateLimitError), (401, openai.InternalServerError)):
            with self.subTest(status), self.assertRaises(error):
                ask(f"hi [emulator: status={status}]")
        with self.assertRaises(openai.AuthenticationError):
            client.with_options(api_key="wrong").models.list()

    def test_lists_the_models(self):
        self.assertEqual([model.id for model in client.models.list()], ["electron", "single"])

    def test_leaves(self):
        with ask("Tell me a story [emulator: tps=20]", stream=True, extra_headers={"x-request-id": "left"}) as stream:
            next(iter(stream))


unittest.main()
