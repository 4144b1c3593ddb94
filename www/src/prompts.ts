/** Example prompts in several scripts, so that a visitor sees an answer stream in a language of their own. */

export interface Example {
  /** BCP 47 tag of the language. */
  lang: string;
  /** The language's name for itself. */
  name: string;
  prompt: string;
  /** Lets the model look at the clock. */
  withClock?: boolean;
}

export const EXAMPLES: readonly Example[] = [
  { lang: "en", name: "English", prompt: "How do I make masala chai?" },
  { lang: "hi", name: "हिन्दी", prompt: "आसमान नीला क्यों दिखता है?" },
  { lang: "ta", name: "தமிழ்", prompt: "ஒரு சிறிய கதை சொல்லு." },
  { lang: "bn", name: "বাংলা", prompt: "নদী নিয়ে একটা ছোট গল্প বলো।" },
  { lang: "ar", name: "العربية", prompt: "احكِ لي قصة قصيرة." },
  { lang: "zh", name: "中文", prompt: "讲一个关于山的小故事。" },
  { lang: "ja", name: "日本語", prompt: "海辺の町の短い物語を話してください。" },
  { lang: "en", name: "Code", prompt: "Show me code that reads a stream." },
  { lang: "en", name: "With a tool", prompt: "What time is it in Tokyo and Kolkata?", withClock: true },
];
