/**
 * The texts of the emulator: answers written in advance, in several languages and scripts.
 *
 * An answer with `about` is for messages it matches; the others suit anything. Nothing here is generated, and the
 * texts that speak of themselves say so.
 */

/** The languages the corpus has answers in, as BCP 47 tags. */
export type Language = "en" | "hi" | "ta" | "bn" | "ar" | "zh" | "ja";

/** One answer. */
export interface Answer {
  language: Language;
  /** The messages it is for; without, it suits any. */
  about?: RegExp;
  text: string;
}

const FENCE = "```";

/** All answers, in no particular order. */
export const CORPUS: readonly Answer[] = [
  {
    language: "en",
    about: /\b(hi|hello|hey|good (morning|evening|afternoon)|namaste)\b/i,
    text: "Hello! I am chatwire's emulator: I speak the same protocol as the real model, but my answers were written in advance. Ask me for a story, a recipe, some code, or write to me in हिन्दी, தமிழ், বাংলা, العربية, 中文 or 日本語.",
  },
  {
    language: "en",
    about: /\b(hi|hello|hey|good (morning|evening|afternoon)|namaste)\b/i,
    text: "Good to see you. Everything between us is real: the request, the stream, the token counts. Only the thinking is missing, because I am an emulator. What shall we try first?",
  },
  {
    language: "en",
    about: /who are you|what are you|your name|are you (real|human|an? ai)/i,
    text: "I am an emulator. When there is no API key, I stand in for the model so that you can see streaming work: the same paths, the same checks, the same events, and a ledger of what it would have cost. My sentences are canned; please do not take medical advice from me.",
  },
  {
    language: "en",
    about: /\bsky\b|\bblue\b/i,
    text: "The sky is blue because air scatters short waves of light far more than long ones, so wherever you look, some blue has been sent your way.",
  },
  {
    language: "en",
    about: /fun fact|something interesting|did you know/i,
    text: "An octopus has three hearts, and one of them stops while it swims, which is why it would rather walk.",
  },
  {
    language: "en",
    about: /fun fact|something interesting|did you know/i,
    text: "Venus turns so slowly, and backwards, that one of its days from noon to noon takes 117 of ours.",
  },
  {
    language: "en",
    about: /\b(recipe|cook|chai|tea)\b/i,
    text: "**Masala chai for two**\n\n1. Crush four cardamom pods, a small piece of ginger and two cloves.\n2. Simmer them in a cup and a half of water for three minutes.\n3. Add two teaspoons of strong black tea and wait one minute more.\n4. Pour in a cup of milk, let it rise to the rim, and lower the flame. Do that three times: it is the whole secret.\n5. Strain, sweeten, and drink while it is too hot.\n\nIf it tastes thin, the tea was too little; if it tastes bitter, the wait was too long.",
  },
  {
    language: "en",
    about: /\b(code|javascript|typescript|function|program|snippet)\b/i,
    text: `Here is a stream read to its end, one piece at a time:\n\n${FENCE}js\nconst reader = response.body.getReader();\nconst decoder = new TextDecoder();\n\nfor (;;) {\n  const { done, value } = await reader.read();\n  if (done) break;\n  show(decoder.decode(value, { stream: true }));\n}\n${FENCE}\n\nThe option \`stream: true\` matters: without it, a character whose bytes arrive in two reads becomes two question marks in a diamond. Network pieces end where they like, not where words do.`,
  },
  {
    language: "en",
    about: /\brust\b/i,
    text: `A small parser in Rust, with no allocation at all:\n\n${FENCE}rust\n/// The value of a \`data\` line, or \`None\` for any other line.\nfn data(line: &str) -> Option<&str> {\n    let value = line.strip_prefix("data:")?;\n    Some(value.strip_prefix(' ').unwrap_or(value))\n}\n${FENCE}\n\nThe single space after the colon is optional, and only one is removed. Half of all home-made parsers get one of these two wrong.`,
  },
  {
    language: "en",
    about: /\b(stream\w*|sse|token\w*|chatwire|webassembly|wasm)\b/i,
    text: "What you are watching is a *stream*. The server does not wait until the answer is finished; it sends each token as an event, and the page shows it at once.\n\n- **Time to first token** is what a person feels. Below 300 ms it seems immediate.\n- **Tokens per second** is what a reader notices only when it drops below reading speed, about six.\n- **The end** is the hard part. A stream can be complete, cut off, silent, or stopped by you, and a careful client says which.\n\nPress *Stop* half way through an answer and look at the usage: tokens already made are paid for.",
  },
  {
    language: "en",
    about: /\b(table|compare|comparison)\b/i,
    text: "| script | example | bytes in UTF-8 |\n|---|---|---|\n| Latin | a | 1 |\n| Arabic | ع | 2 |\n| Devanagari | अ | 3 |\n| Chinese | 水 | 3 |\n| emoji | 🌊 | 4 |\n\nA network read may end inside any of them except the first.",
  },
  {
    language: "en",
    about: /\b(list|tips|steps|plan|ideas|advice)\b/i,
    text: "Three habits that make any API easier to live with:\n\n1. **Name your failures.** “Something went wrong” helps nobody; “the server asked us to wait 20 seconds” helps everybody.\n2. **Give each wait a limit.** A silence of two minutes is an answer too.\n3. **Keep what arrived.** Half an answer is worth more than a spinner, and it has been paid for.",
  },
  {
    language: "en",
    about: /\bpoem|\bverse|\bhaiku|\brhyme/i,
    text: "A word leaves the server, small and alone,\nfollowed by others it never has known.\nThey meet in a window, they stand in a line,\nand what you call meaning was only good time.",
  },
  {
    language: "en",
    about: /\b(story|tale|fable|long)\b/i,
    text: "The lighthouse at Kappil had been dark for eleven years when Meera was given the key.\n\nNobody expected her to light it. The ships had satellites now; the fishermen had telephones. The letter from the harbour office asked only that she keep the birds out and the paint on. So she swept the stairs, all hundred and forty of them, and on the second evening she reached the lantern room and found the lens.\n\nIt was taller than she was: ring upon ring of glass, each cut to bend the light a little more than the last, so that one flame the size of a thumb could be seen from thirty kilometres away. Dust lay on it like snow. She cleaned one ring that night, and one the next, and told herself it was for the birds.\n\nWhen the last ring was clear she did what anyone would have done. She set a lamp in the middle, an ordinary lamp from her kitchen, and turned the old clockwork by hand.\n\nIn the morning there was a fish on her doorstep, wrapped in newspaper. The day after, two. On the third day an old man came up the stairs, all hundred and forty of them, and stood a while without speaking.\n\n“We have telephones,” he said at last. “But a telephone only tells you where you are. This tells you that somebody is awake.”\n\nShe kept it burning after that. The harbour office never asked about the oil.",
  },
  {
    language: "en",
    about: /emoji|emoticon|smil(e|ey)|\p{Extended_Pictographic}/iu,
    text: "Of course! 🌊 Here is a small day in pictures: ☀️ up early, ☕ chai, 🚲 to work, 👩‍💻 some code, 🐛 a bug, 🔍 still a bug, 💡 found it, 🎉 fixed! Then 🌧️ on the way home, 🍛 for dinner, 👨‍👩‍👧 around the table, and 🌙 good night 😴. Flags are pairs: 🇮🇳 🇯🇵 🇧🇷. Skin tones are attachments: 👋🏽.",
  },
  {
    language: "en",
    about: /\b(thanks|thank you|bye|goodbye)\b/i,
    text: "You are welcome. I keep no memory of this, only a ledger of how many tokens it took.",
  },
  {
    language: "en",
    about: /\b(weather|temperature|rain|forecast)\b/i,
    text: "I cannot look out of the window from here. Give me a tool that can, such as `get_weather` with a `city`, and I will call it and tell you what it said.",
  },
  {
    language: "en",
    about: /\b(language|translate|hindi|tamil|bengali|indic)\b/i,
    text: "One greeting, seven ways: Hello. नमस्ते। வணக்கம். নমস্কার। مرحبا. 你好。こんにちは。 Write to me in any of these and I will answer in it.",
  },
  {
    language: "en",
    text: "I would rather be honest than clever: I am an emulator, and nobody wrote an answer for exactly that. So here is something true instead. The first telegraph operators recognised each other by rhythm alone; they called it the sender's *fist*. Streams of tokens have one too. If you watch long enough, you can tell a busy server from a quiet one by how evenly the words arrive.",
  },
  {
    language: "en",
    text: "Let me answer with a thought about rivers. A river does not carry its water in one piece, and nobody waits on the bank for all of it. You drink what is passing. Most good interfaces work the same way: they show what they have, say plainly when more is coming, and never pretend that the part is the whole.\n\n(I am the emulator; ask me for a story, code, a recipe or a table to see other answers.)",
  },
  {
    language: "en",
    text: "That deserves a better mind than mine: I choose from answers that were written in advance. What I can show you is how they travel. Each of these words was a separate event, a few dozen bytes of JSON with a fragment of text inside, and the page put them together again without losing a letter, wherever the network happened to cut them.",
  },
  {
    language: "hi",
    about: /नमस्ते|नमस्कार|हैलो|कैसे हो|कैसे हैं/,
    text: "नमस्ते! मैं chatwire का एमुलेटर हूँ। मेरे उत्तर पहले से लिखे हुए हैं, लेकिन उनका आना सचमुच का है: शब्द एक-एक करके, धारा की तरह। आप मुझसे कहानी, विधि या कोड माँग सकते हैं।",
  },
  {
    language: "hi",
    about: /कहानी|कथा|किस्सा/,
    text: "एक गाँव में एक बूढ़ा डाकिया रहता था। उसके पास कोई घड़ी नहीं थी, पर उसकी साइकिल की घंटी सुनकर सब जान जाते थे कि दस बज गए हैं। एक दिन वह बीमार पड़ा और घंटी नहीं बजी। उस दिन गाँव में किसी ने समय पर खाना नहीं खाया।\n\nशाम को सब लोग उसके घर पहुँचे। किसी के हाथ में दवा थी, किसी के हाथ में दूध। डाकिये ने हँसकर कहा, “मैं तो चिट्ठियाँ बाँटता था। मुझे क्या पता था कि मैं समय भी बाँट रहा हूँ।”",
  },
  {
    language: "hi",
    about: /आसमान|आकाश|नीला/,
    text: "आसमान नीला इसलिए दिखता है क्योंकि हवा छोटी तरंगों वाले नीले प्रकाश को लाल प्रकाश से कहीं ज़्यादा बिखेरती है।",
  },
  {
    language: "hi",
    text: "अच्छा सवाल है। सच कहूँ तो मैं एक एमुलेटर हूँ और सोच नहीं सकता, इसलिए एक छोटी सी बात बताता हूँ। हिन्दी का एक अक्षर अक्सर दो या तीन टुकड़ों से बनता है: व्यंजन, मात्रा और कभी-कभी हलंत। नेटवर्क को इसका पता नहीं होता; वह कहीं भी काट सकता है। अच्छा प्रोग्राम वही है जो टुकड़ों को जोड़कर पूरा अक्षर दिखाए।",
  },
  {
    language: "ta",
    about: /வணக்கம்|நலமா|எப்படி இருக்க/,
    text: "வணக்கம்! நான் chatwire எமுலேட்டர். என் பதில்கள் முன்பே எழுதப்பட்டவை; ஆனால் அவை உங்களை வந்து சேரும் விதம் உண்மையானது: ஒவ்வொரு சொல்லாக, ஓடும் நீரைப் போல.",
  },
  {
    language: "ta",
    about: /கதை/,
    text: "ஒரு சிறிய கடற்கரை ஊரில் ஒரு சிறுமி இருந்தாள். அவள் தினமும் மாலையில் ஒரு விளக்கை ஏற்றி ஜன்னலில் வைப்பாள். ஏன் என்று கேட்டால், “யாராவது வழி தவறினால் இது உதவும்” என்பாள். ஒரு புயல் இரவில் மூன்று படகுகள் அந்த ஒளியைப் பார்த்துக் கரை சேர்ந்தன. அன்று முதல் அந்த ஊரில் எல்லா ஜன்னல்களிலும் ஒரு விளக்கு எரிகிறது.",
  },
  {
    language: "ta",
    text: "நல்ல கேள்வி. நான் ஒரு எமுலேட்டர் என்பதால் சிந்திக்க முடியாது; ஆனால் ஒரு உண்மையைச் சொல்கிறேன். தமிழ் எழுத்துகள் கணினியில் பல துண்டுகளாகச் சேமிக்கப்படுகின்றன. வலைப்பின்னல் அவற்றை எங்கே வேண்டுமானாலும் வெட்டலாம். அவற்றைச் சரியாக இணைத்து முழு எழுத்தாகக் காட்டுவதே நல்ல நிரலின் வேலை.",
  },
  {
    language: "bn",
    about: /নমস্কার|হ্যালো|কেমন আছ|সালাম/,
    text: "নমস্কার! আমি chatwire-এর এমুলেটর। আমার উত্তরগুলো আগে থেকে লেখা, কিন্তু তারা সত্যিই একটি একটি করে শব্দ হয়ে আপনার কাছে আসে, নদীর স্রোতের মতো।",
  },
  {
    language: "bn",
    about: /গল্প/,
    text: "নদীর ধারে এক মাঝি থাকত। সে প্রতিদিন মানুষ পার করত, কিন্তু কখনও জিজ্ঞেস করত না তারা কোথায় যাচ্ছে। একদিন এক শিশু তাকে জিজ্ঞেস করল, “তুমি কোথায় যাবে?” মাঝি অনেকক্ষণ ভাবল, তারপর হেসে বলল, “আমি তো রোজই পৌঁছে যাই।”",
  },
  {
    language: "bn",
    text: "ভালো প্রশ্ন। আমি একটি এমুলেটর, তাই ভাবতে পারি না; তবে একটি সত্যি কথা বলতে পারি। বাংলা অক্ষর কম্পিউটারে কয়েকটি টুকরো হয়ে থাকে, আর নেটওয়ার্ক তাদের যেখানে খুশি কাটতে পারে। সেই টুকরোগুলো জুড়ে আবার পুরো অক্ষর দেখানোই ভালো প্রোগ্রামের কাজ।",
  },
  {
    language: "ar",
    about: /مرحبا|السلام|أهلا|اهلا|كيف حالك/,
    text: "مرحبًا! أنا محاكي chatwire. إجاباتي مكتوبة مسبقًا، لكنّ وصولها إليك حقيقي: كلمةً بعد كلمة، كما يجري الماء في النهر.",
  },
  {
    language: "ar",
    about: /قصة|حكاية/,
    text: "كان في طرف الصحراء رجل عجوز يحرس بئرًا. كان المسافرون يسألونه: لماذا لا ترحل وأنت وحدك هنا؟ فيقول: من يحرس الماء ليس وحيدًا، فكل عطشان في الطريق صديق لم يصل بعد.",
  },
  {
    language: "ar",
    text: "سؤال جميل. أنا محاكٍ ولا أستطيع التفكير، لكنني أستطيع أن أقول شيئًا صحيحًا: تُكتب العربية من اليمين إلى اليسار، غير أنّ حروفها تُرسل في الشبكة بالترتيب الذي تُقرأ به. لذلك تصل الكلمة الأولى أولًا، وتتولى الصفحة وحدها أمر الاتجاه.",
  },
  {
    language: "zh",
    about: /你好|您好|早上好/,
    text: "你好！我是 chatwire 的模拟器。我的回答都是事先写好的，但它们到达的方式是真实的：一个字一个字地流过来，像水一样。",
  },
  {
    language: "zh",
    about: /故事/,
    text: "山脚下有一座小桥，桥边住着一位修桥的老人。每年春天，河水都会冲走一两块石头，他就再补上一两块。有人问他：“这样补下去，什么时候才算修完？”老人说：“桥不是修完的，桥是一直有人修，才是桥。”",
  },
  {
    language: "zh",
    text: "好问题。说实话，我只是一个模拟器，并不会思考。不过我可以告诉你一件真事：每个汉字在网络上通常占三个字节，而网络可以在任何一个字节处断开。好的程序会把这些碎片重新拼起来，让你看到的永远是完整的字。",
  },
  {
    language: "ja",
    about: /こんにちは|おはよう|こんばんは|はじめまして/,
    text: "こんにちは！私は chatwire のエミュレーターです。答えはあらかじめ書かれたものですが、届き方は本物です。言葉がひとつずつ、川の流れのようにやって来ます。",
  },
  {
    language: "ja",
    about: /物語|話して|お話/,
    text: "海辺の町に、小さな時計屋がありました。店の時計はどれも少しずつ違う時刻を指していました。ある日、子どもが「どれが正しいの？」と尋ねると、店主は笑って答えました。「どれも、誰かを待っている時刻だよ。」",
  },
  {
    language: "ja",
    text: "いい質問ですね。正直に言うと、私はエミュレーターなので考えることはできません。その代わり、本当のことをひとつ。ひらがなも漢字も、ネットワークではふつう三バイトで送られ、途中で切れることもあります。その切れ端をつなぎ合わせて、一文字ずつ正しく見せるのが、よいプログラムの仕事です。",
  },
];

/** The words that are said aloud while a tool runs, by language. */
export const FILLERS: Record<Language, readonly [string, ...string[]]> = {
  en: ["Let me check that for you.", "One moment, I am looking that up.", "Sure, give me a second to find out."],
  hi: ["ज़रा रुकिए, मैं अभी देखता हूँ।", "एक पल दीजिए, मैं पता करता हूँ।"],
  ta: ["ஒரு நிமிடம், நான் பார்க்கிறேன்."],
  bn: ["একটু দাঁড়ান, আমি দেখছি।"],
  ar: ["لحظة من فضلك، سأتحقق من ذلك."],
  zh: ["请稍等，我来查一下。"],
  ja: ["少々お待ちください、お調べします。"],
};

/** How an answer that reports tool results begins, by language. */
export const REPORTS: Record<Language, string> = {
  en: "Here is what I found:",
  hi: "मुझे यह मिला:",
  ta: "எனக்குக் கிடைத்தது இது:",
  bn: "আমি যা পেলাম:",
  ar: "هذا ما وجدته:",
  zh: "我查到的结果：",
  ja: "調べた結果です：",
};

/** The emulator's train of thought; more of it for more effort. */
export const THOUGHTS: readonly string[] = [
  "Let me think about what is being asked.",
  " The question is short, so the answer should not be long.",
  " First, what do I know for certain? The words of the message, and its language.",
  " Is there a trap in it? I see none, but I will check the numbers once more.",
  " An example may help more than a definition.",
  " I should say plainly what I do not know.",
  " One more look at the tone: friendly, and not too clever.",
  " Good. I have what I need; now to write it down.",
];
