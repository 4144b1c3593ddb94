/** The programs of the tab Code do what they say, and the voice knows languages. */
import assert from "node:assert/strict";
import { mkdir, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { test } from "node:test";
import { pathToFileURL } from "node:url";
import { programOf } from "../../www/src/inspector/program.ts";
import { SOURCES } from "../../www/src/sources/list.ts";
import { languageOf } from "../../www/src/voice/language.ts";

const folder = join(import.meta.dirname, "../../.cache/programs");

/** Runs a program, and gives what it wrote and said. */
async function ran(name: string, program: string): Promise<{ written: string; said: string[]; logged: unknown[] }> {
  const [written, said, logged]: [string[], string[], unknown[]] = [[], [], []];
  const page = {
    document: { body: { append: (text: string) => written.push(text) } },
    confirm: () => true,
    SpeechSynthesisUtterance: class {
      readonly text: string;
      constructor(text: string) {
        this.text = text;
      }
    },
    speechSynthesis: { speak: ({ text }: { text: string }) => said.push(text) },
    console: { log: (...values: unknown[]) => logged.push(...values), warn: () => {} },
  };
  Object.assign(globalThis, { page });
  const path = join(folder, `${name}.mjs`);
  await mkdir(folder, { recursive: true });
  await writeFile(path, `const { ${Object.keys(page).join(", ")} } = globalThis.page;\n${program}`);
  await import(pathToFileURL(path).href);
  return { written: written.join(""), said, logged };
}

for (const { id, group } of SOURCES.filter(({ group }) => group === "In this page")) {
  test(`the_program_of_${group.replaceAll(" ", "_")}_${id}_asks_as_the_page_does`, async () => {
    const source = SOURCES.find((each) => each.id === id);
    assert.ok(source);
    const params = { model: source.models[0] ?? "", temperature: 0.5 };
    const program = programOf(source, { params, system: "Be brief.", withTools: false }, "Echo: One. Two.", true);
    const { written, said, logged } = await ran(id, program);
    assert.equal(written, "One. Two.");
    assert.deepEqual(
      said.map((text) => text.trim()),
      ["One.", "Two."],
    );
    assert.equal(logged[0], "complete");
  });
}

test("the_program_of_a_question_with_tools_defines_and_runs_them", async () => {
  const [source] = SOURCES;
  assert.ok(source);
  const question = "What time is it in Pune, and can you set the dark theme?";
  const program = programOf(source, { params: { model: "electron" }, system: "", withTools: true }, question, false);
  assert.match(program, /name: "current_time"[\s\S]*name: "set_theme"/);
  const { written, logged } = await ran("tools", program);
  assert.notEqual(written, "");
  assert.equal(logged[0], "complete");
});

test("a_message_of_any_length_gives_a_program_that_can_be_read", () => {
  const [source] = SOURCES;
  assert.ok(source);
  const program = programOf(source, { params: {}, system: "", withTools: false }, "x".repeat(1_000_000), false);
  assert.ok(program.length < 4000, `${program.length} characters`);
});

test("the_voice_is_that_of_the_language", () => {
  for (const [language, text] of [
    ["en", "The lighthouse keeper asked about the oil."],
    ["de", "Der Himmel ist blau, und das Meer auch."],
    ["fr", "Le ciel est bleu et la mer est calme dans le port."],
    ["es", "El cielo es azul y las nubes son blancas, pero llueve."],
    ["pt", "O céu não é azul hoje, mas você está em casa."],
    ["it", "Il cielo è blu e gli uccelli che cantano non si vedono."],
    ["nl", "Het is niet koud, maar ik heb een jas."],
    ["hi", "आसमान नीला क्यों दिखता है?"],
    ["gu", "આકાશ વાદળી કેમ છે?"],
    ["pa", "ਅਸਮਾਨ ਨੀਲਾ ਕਿਉਂ ਹੈ?"],
    ["kn", "ಆಕಾಶ ಏಕೆ ನೀಲಿ?"],
    ["ml", "ആകാശം എന്തുകൊണ്ട് നീലയാണ്?"],
    ["ta", "வானம் ஏன் நீலம்?"],
    ["ar", "احكِ لي قصة قصيرة."],
    ["ur", "آسمان نیلا کیوں ہے؟"],
    ["he", "למה השמיים כחולים?"],
    ["ja", "海辺の町の短い物語を話してください。"],
    ["zh", "天空为什么是蓝色的？"],
    ["ko", "하늘은 왜 파란색인가요?"],
    ["th", "ทำไมท้องฟ้าจึงเป็นสีฟ้า"],
    ["el", "Γιατί ο ουρανός είναι μπλε;"],
    ["ru", "Почему небо голубое?"],
    ["uk", "Чому небо блакитне і її колір?"],
    ["en", "42"],
  ] as const)
    assert.equal(languageOf(text, "en"), language, text);
});
