//! Words that say whether the full stop after them, or before them, ends a sentence. Capitals do not count unless said.

use crate::text::after_last;

/// Never at the end of a sentence: titles, and what stands before a name.
const BEFORE_NAME: &str = "mr mrs ms mx dr med prof st skt mt gen rep sen gov col capt cpt cmdr lt sgt maj adm rev hon fr supt \
    messrs tel telp regd qty wg cdr vs e.g i.e cf viz esp smt shri sri adv opp dist jl jln gg \
    bpk sdr sdri yth drs hj ir kab kec prov ths pgs gs pgs.ts gs.ts kath \
    sr sra srta dra d.ª ud uds ee av exmo profa hr bzw bspw napr evtl ggf inkl vgl dhr mevr bijv \
    mme mlle mm mgr sig sig.ra dott ing avv arch dir amm psicol им ул вул Вул пл Пл просп проф Проф акад св тов гр пгт напр чл журн Вид Δρ \
    डॉ श्री सौ ॲड प्रो प्रा स्व नं सं पृ क्र रु रू पं कु मा सुश्री श्रीमती डा इं मो ডা ড ডঃ মো মোঃ திரு திருமதி செல்வி டாக்டர் பேரா డా శ్రీ శ్రీమతి ಡಾ ಶ್ರೀ ശ്രീ ഡോ പ്രൊ ଡା ଶ୍ରୀ ਡਾ ਰੁ ડૉ રૂ রু";

/// The same, in capitals as here: other words where they are small.
const BEFORE_NAME_EXACTLY: &str = "PT TP Tp ĐH Tn Ny M/s Kum Er Eng Ref Mob Fa";

/// Not at the end before a number: `No. 5`, `Jan. 3`.
const BEFORE_NUMBER: &str = "no nos nr std qn दि ता str rs rp tgl pk pkl hlm hal rt rw ph mar lb oz ft n.º núm pp pg vol fig figs art sec ch chap ed eq jan feb apr jun jul aug sep sept oct \
    nov dec okt dez ver pág cap ca approx ext abs abb kap bd стр стор рис гл табл кв Кв ок год хв";

/// At the end only if the next word begins one.
const ANYWHERE: &str = "etc inc ltd pvt govt cr tbk dll dsb dst dkk ts bs ks cn co corp llc plc bros jr sr al est ave blvd rd bldg dept univ assn usw u.a \
    m.d b.a m.a s.a usf sog geb др гг тыс млн млрд руб эт लि";

/// Abbreviations with full stops inside that no name follows: degrees.
const BEFORE_NO_NAME: &str = "ph.d ll.m ll.b j.d";

/// Eras: the end, unless a number follows, or a sentence has but begun with them: "In 44 B.C. Caesar …"
const ERAS: &str = "b.c a.d c.e b.c.e";

/// The words that a time of day stands after at the start of a sentence: "At 5 p.m. Mr. Smith left."
const PREPOSITIONS: &str = "At On By In From Until Before After Since Around About";

/// Titles that may follow a time of day within a sentence.
const TITLES: &str = "Mr Mrs Ms Dr";

/// Begin sentences, and seldom names. In capitals as here.
const STARTERS: &str = "Mr Mrs Ms Dr The This That These Those There Then It Its He She We You They I My Your His Her Our Their But And Or So \
    If In On At As An A For From To With Is Are Was Were Do Does Did Has Have Can Could Will Would What When Where Why Who How \
    See Thank Thanks However Also After Before While Since Some Many Most All Each Every No Not Yes Please Let Now Here One Once Another \
    Der Die Das Ein Eine Es Er Sie Wir Ich Und Aber Dann Wenn Im Am Le La Les Il Elle Nous Vous Je Un Une Et Mais Ce L C \
    El Los Las Una Y Pero Este Esta O Os As Ele Ela Um Uma E Mas Lo Gli Ma De Het Een Он Она Оно Они Это Я Мы Вы Но И А В На Потом \
    Затем Tôi Họ Yang Ini Itu Dan Saya Kami Kita Mereka Dia Untuk";

/// Before an ordinal number in German, whose full stop ends nothing.
const BEFORE_ORDINAL: &str = "der die das dem den des am im vom zum zur beim";

/// Languages that write an ordinal number with a full stop.
const WITH_ORDINALS: &str = "de da nb nn no fi is et lv cs sk sl hr sr bs hu pl tr lb";

/// The meaning of a full stop after a word.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Meaning {
    /// The end of a sentence.
    End,
    /// The stop belongs to the word.
    Part,
    /// The end, unless a number follows.
    EndBeforeWords,
    /// The end, if the next word is one that begins sentences.
    Unclear,
    /// The end of an era's name.
    Era,
    /// Of a time of day: the end before a number, and before a word that begins sentences.
    Time,
}

fn listed(list: &str, word: &str, exactly: bool) -> bool {
    let word = word.as_bytes();
    let is_it = |each: &[u8]| {
        if exactly {
            each == word
        } else {
            each.eq_ignore_ascii_case(word)
        }
    };
    !word.is_empty() && list.as_bytes().split(|byte| *byte == b' ').any(is_it)
}

/// Whether a word begins sentences.
pub(super) fn is_starter(word: &str) -> bool {
    listed(STARTERS, word, true)
}

/// Whether `word`, a title, continues a sentence that has begun with `first`.
pub(super) fn goes_on(first: &str, word: &str) -> bool {
    listed(TITLES, word, true) && listed(PREPOSITIONS, first, true)
}

/// Whether a clause with this first word and so many words has but begun with a time.
pub(super) fn begins_with_time(first: &str, words: usize) -> bool {
    words <= 3 && listed(PREPOSITIONS, first, true)
}

/// Whether `word`, which `c` follows, goes on with what stands before it: `Ph. No. 5`, `No. Telp. 021`, and behind `!` or `?`
/// (`is_strong`) the rest of a company's name, `Yahoo! Inc.`
pub(super) fn is_more(word: &str, c: char, is_strong: bool) -> bool {
    match word {
        "Inc" => is_strong && c == '.',
        "No" => !is_strong && c == '.',
        _ => !is_strong && matches!(word, "Telp" | "HP"),
    }
}

/// Whether a language, by its BCP 47 tag, writes ordinal numbers with a full stop.
pub(super) fn has_ordinals(language: &str) -> bool {
    listed(WITH_ORDINALS, language, false)
}

/// Letters with full stops between them: `U.S`, `M.Sc`, `म.प्र`.
fn is_dotted(word: &str) -> bool {
    let (mut dots, mut run) = (0, 0);
    let is_short = |c: char| {
        run = if c == '.' { 0 } else { run + 1 };
        dots += usize::from(c == '.');
        // Signs count too.
        let most = if matches!(c, '\u{900}'..='\u{DFF}') { 4 } else { 2 };
        run <= most && !c.is_ascii_digit()
    };
    word.chars().all(is_short) && dots > 0
}

/// Whether a word is a title that a name follows.
pub(super) fn is_title(word: &str) -> bool {
    listed(TITLES, word, true)
}

/// The meaning of the full stop after `word`. `before` is the word before it, `is_item` says that the word is the first of a line.
pub(super) fn full_stop(word: &str, before: &str, is_item: bool, ordinals: bool) -> Meaning {
    let letters = word.chars().count();
    if word.is_empty() {
        // After a space, a picture or a bracket.
        return if listed(BEFORE_NAME, before, false) {
            Meaning::Part
        } else if is_dotted(after_last(before, b'/')) {
            Meaning::Unclear
        } else {
            Meaning::End
        };
    }
    let is_number = word.as_bytes().iter().all(u8::is_ascii_digit);
    let last = word.chars().next_back().unwrap_or(' ');
    let is_roman = word.as_bytes().iter().all(|byte| matches!(byte, b'i' | b'v' | b'x'));
    let before = before.trim_start_matches(|c| "([{\"'“„«‘".chars().any(|mark| mark == c));
    if is_item && (is_number && letters <= 3 || is_roman || letters == 1 && last.is_ascii_lowercase()) {
        return Meaning::Part; // the number of a list's item
    }
    if is_number {
        // Not so in `S. 12.`
        let can_be = letters <= 2 && !before.is_empty() && !before.ends_with('.');
        let is_ordinal = can_be && (ordinals || listed(BEFORE_ORDINAL, before, true));
        return if is_ordinal { Meaning::Unclear } else { Meaning::End };
    }
    if listed(BEFORE_NAME, word, false) || listed(BEFORE_NAME_EXACTLY, word, true) || word == "es" && before == "ad" {
        return Meaning::Part;
    }
    // Inches after a number.
    let is_unit = word == "in" && before.as_bytes().iter().all(u8::is_ascii_digit) && !before.is_empty();
    if listed(BEFORE_NUMBER, word, false) || word == "p" || word.ends_with("str") || is_unit {
        return Meaning::EndBeforeWords;
    }
    if listed(BEFORE_NO_NAME, word, false) {
        return Meaning::End;
    }
    if listed(ERAS, word, false) {
        return Meaning::Era;
    }
    if listed("a.m p.m", word, false) {
        return Meaning::Time;
    }
    if ordinals && letters > 1 && word.as_bytes().iter().all(|byte| b"IVXLC".contains(byte)) {
        return Meaning::Unclear;
    }
    // One letter after a number is a unit: `5 m.`
    if matches!(word, "m" | "g" | "l" | "h" | "s" | "đ") && before.ends_with(|last: char| last.is_ascii_digit()) {
        return Meaning::End;
    }
    // Initials: one letter, or in the south of India a syllable; letters with full stops between them.
    let is_indic = matches!(last, '\u{900}'..='\u{DFF}');
    let syllable = is_indic && (letters <= 2 && last >= '\u{B80}' || letters <= 3 && before.ends_with('.'));
    let is_initial = letters == 1 && !matches!(last, '\u{E00}'..='\u{EFF}' | '\u{2E80}'..) || syllable;
    // Thai ends no sentence with a full stop, and most abbreviations.
    let is_thai = letters <= 4 && matches!(last, '\u{E00}'..='\u{EFF}');
    if is_initial || is_thai || is_dotted(word) || listed(ANYWHERE, word, false) {
        return Meaning::Unclear;
    }
    Meaning::End
}
