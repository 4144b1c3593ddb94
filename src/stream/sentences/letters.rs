//! The class of a character, as far as sentences care: ranges in place of Unicode's tables, which would outweigh the rules.

/// Full stops that nothing follows but a closing quotation mark.
pub(super) const SURE: &str = "।॥。｡۔።։។။";
/// Marks that may come in company: `?!`, `!!!`, `…`.
pub(super) const STRONG: &str = "!?！？؟‼⁇⁈⁉՜՞፧．";
pub(super) const CLOSING: &str = ")]}\"'»”’›“«」』）】］〉》〗〕*_`~";
pub(super) const OPENING: &str = "“„«「『（【［〈《〖〔";
/// Marks of [`CLOSING`] that close one of [`OPENING`].
pub(super) const CLOSING_PAIRS: &str = "”»」』）】］〉》〗〕";
/// Where a long sentence is best cut.
pub(super) const CLAUSE: &str = ",;:—–،؛";
/// The same, in scripts that put no space after them.
pub(super) const WIDE_CLAUSE: &str = "，、；：";

/// Whether `c` is one of these.
pub(super) fn among(set: &str, c: char) -> bool {
    set.chars().any(|each| each == c)
}

/// White space that a line or a sentence may be broken at. A no-break space is none.
pub(super) fn is_space(c: char) -> bool {
    matches!(c, ' ' | '\t'..='\r' | '\u{85}' | '\u{1680}' | '\u{2000}'..='\u{2006}' | '\u{2008}'..='\u{200A}')
        || matches!(c, '\u{2028}' | '\u{2029}' | '\u{205F}' | '\u{3000}')
}

/// The end of a line.
pub(super) fn is_line_end(c: char) -> bool {
    matches!(c, '\n' | '\u{85}' | '\u{2028}' | '\u{2029}')
}

/// A letter that has a case: where upper and lower case alternate, every other one.
fn case(c: char) -> Option<bool> {
    Some(match c {
        'a'..='z' | 'ß'..='ÿ' | 'ά'..='ώ' | 'а'..='џ' | 'ա'..='և' => false,
        'A'..='Z' | 'À'..='Þ' | 'Ά'..='Ϋ' | 'Ѐ'..='Я' | 'Ա'..='Ֆ' => true,
        '\u{139}'..='\u{148}' | '\u{179}'..='\u{17E}' => c as u32 & 1 == 1,
        '\u{100}'..='\u{24F}' | '\u{460}'..='\u{52F}' | '\u{1E00}'..='\u{1EFF}' => c as u32 & 1 == 0,
        _ => return None,
    })
}

/// A small letter.
pub(super) fn is_lower(c: char) -> bool {
    case(c) == Some(false)
}

/// A capital letter.
pub(super) fn is_upper(c: char) -> bool {
    case(c) == Some(true)
}

/// A digit of the scripts that are written here with full stops between numbers.
pub(super) fn is_digit(c: char) -> bool {
    match c {
        '\u{660}'..='\u{669}' | '\u{6F0}'..='\u{6F9}' | '\u{FF10}'..='\u{FF19}' => true,
        _ => c.is_ascii_digit() || matches!(indic(c), Some(0x66..=0x6F)),
    }
}

/// A picture, which is no word by itself.
pub(super) fn is_picture(c: char) -> bool {
    matches!(c, '\u{2190}'..='\u{2BFF}' | '\u{1F000}'..='\u{1FAFF}')
}

/// A part of a word: a letter or digit of any script, or a mark on one.
pub(super) fn is_word(c: char) -> bool {
    match c {
        '\0'..='\u{7F}' => c.is_ascii_alphanumeric(),
        '\u{80}'..='\u{BF}' => among("ªµº", c),
        '\u{2000}'..='\u{206F}' | '\u{3000}'..='\u{3004}' | '\u{3008}'..='\u{3020}' | '\u{FE00}'..='\u{FE6F}' => false,
        '\u{FF00}'..='\u{FF0F}' | '\u{FF1A}'..='\u{FF20}' | '\u{FF3B}'..='\u{FF40}' | '\u{FF5B}'..='\u{FF65}' => false,
        '\u{E0000}'.. => false,
        _ => !is_picture(c) && !among("×÷،؛؟؍۔।॥։՞՜።፧។៕။༎\u{61C}\u{FEFF}", c),
    }
}

/// Ranges of characters in the first plane that stand alone, and are no signs on the character before them.
const STANDING: &[[u16; 2]] = &[
    [0x20, 0x7E],
    [0xA1, 0x2FF],
    [0x370, 0x482],
    [0x48A, 0x58F],
    [0x5D0, 0x5F4],
    [0x61D, 0x64A],
    [0x660, 0x66F],
    [0x671, 0x6D4],
    [0xE01, 0xE30],
    [0xE40, 0xE46],
    [0x1000, 0x102A],
    [0x10A0, 0x10FF],
    [0x1200, 0x135A],
    [0x1780, 0x17B3],
    [0x1E00, 0x1FFF],
    [0x2010, 0x2027],
    [0x2030, 0x205E],
    [0x20A0, 0x20CF],
    [0x2100, 0x2BFF],
    [0x3001, 0x3029],
    [0x3041, 0x3096],
    [0x309B, 0xA4CF],
    [0xAC00, 0xD7A3],
    [0xF900, 0xFAFF],
    [0xFF01, 0xFF9D],
];

/// Characters that bind to the one after them: joiners, those that stand before its letter, the first halves of Hangul syllables.
const BINDING: &[[u16; 2]] = &[
    [0x600, 0x605],
    [0x6DD, 0x6DD],
    [0x70F, 0x70F],
    [0x890, 0x891],
    [0x8E2, 0x8E2],
    [0xD4E, 0xD4E],
    [0x1039, 0x1039],
    [0x1100, 0x11FF],
    [0x17D2, 0x17D2],
    [0x200D, 0x200D],
    [0xA960, 0xA97C],
    [0xD7B0, 0xD7FF],
];

fn within(ranges: &[[u16; 2]], c: char) -> bool {
    let c = c as u32;
    ranges
        .iter()
        .any(|[first, last]| u32::from(*first) <= c && c <= u32::from(*last))
}

/// A character of the Indic blocks, by its place in one: they are laid out alike, letters, then signs.
fn indic(c: char) -> Option<u32> {
    matches!(c, '\u{900}'..='\u{DFF}').then_some(c as u32 & 0x7F)
}

/// Whether a text may be cut between these two, though there is neither space nor mark. Only where both are known to stand
/// alone: for a script that is not listed here, the answer is no.
pub(super) fn is_cut(last: char, c: char) -> bool {
    const VIRAMA: u32 = 0x4D;
    let stands = match indic(c) {
        // A virama binds the next consonant, also across marks of other blocks.
        Some(place) => {
            let is_free = indic(last).map_or(within(STANDING, last), |sign| sign != VIRAMA);
            matches!(place, 5..=0x39 | 0x64..=0x6F) && is_free
        }
        None => {
            within(STANDING, c)
                || matches!(c, '\u{1F000}'..='\u{1F1E5}' | '\u{1F200}'..='\u{1F3FA}' | '\u{1F400}'..='\u{1FAFF}')
                || matches!(c, '\u{20000}'..='\u{3FFFF}')
        }
    };
    stands && !within(BINDING, last)
}
