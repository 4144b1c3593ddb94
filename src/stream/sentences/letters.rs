//! What a character is, as far as sentences care: ranges in place of Unicode's tables, which would outweigh the rules.

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
        '\u{660}'..='\u{669}' | '\u{6F0}'..='\u{6F9}' => true,
        '\u{900}'..='\u{DFF}' => matches!(c as u32 & 0x7F, 0x66..=0x6F),
        _ => c.is_ascii_digit(),
    }
}

/// A picture, which says nothing by itself.
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

/// Whether a text may be cut between these two, though there is neither space nor mark. Only where both are known to stand
/// alone: for a script that is not listed here, the answer is no.
pub(super) fn is_cut(last: char, c: char) -> bool {
    let stands = match c {
        ' '..='~' | '\u{A1}'..='\u{2FF}' | '\u{370}'..='\u{482}' | '\u{48A}'..='\u{58F}' => true,
        '\u{5D0}'..='\u{5F4}' | '\u{61D}'..='\u{64A}' | '\u{660}'..='\u{66F}' | '\u{671}'..='\u{6D4}' => true,
        // The Indic blocks are laid out alike: letters, then signs.
        '\u{900}'..='\u{DFF}' => matches!(c as u32 & 0x7F, 5..=0x39 | 0x64..=0x6F),
        '\u{E01}'..='\u{E30}' | '\u{E40}'..='\u{E46}' | '\u{1000}'..='\u{102A}' | '\u{10A0}'..='\u{10FF}' => true,
        '\u{1200}'..='\u{135A}' | '\u{1780}'..='\u{17B3}' | '\u{1E00}'..='\u{1FFF}' => true,
        '\u{2010}'..='\u{2027}' | '\u{2030}'..='\u{205E}' | '\u{20A0}'..='\u{20CF}' | '\u{2100}'..='\u{2BFF}' => true,
        '\u{3001}'..='\u{3029}' | '\u{3041}'..='\u{3096}' | '\u{309B}'..='\u{A4CF}' | '\u{AC00}'..='\u{D7A3}' => true,
        '\u{F900}'..='\u{FAFF}' | '\u{FF01}'..='\u{FF9D}' | '\u{1F000}'..='\u{1F1E5}' | '\u{1F200}'..='\u{1F3FA}' => {
            true
        }
        '\u{1F400}'..='\u{1FAFF}' | '\u{20000}'..='\u{3FFFF}' => true,
        _ => false,
    };
    let holds = match last {
        // Joiners and the signs that bind two consonants; what stands before its letter; the halves of a Hangul syllable.
        '\u{200D}' | '\u{1039}' | '\u{17D2}' | '\u{600}'..='\u{605}' | '\u{6DD}' | '\u{1100}'..='\u{11FF}' => true,
        '\u{900}'..='\u{DFF}' => matches!(c as u32, 0x900..=0xDFF) && last as u32 & 0x7F == 0x4D,
        '\u{A960}'..='\u{A97C}' | '\u{D7B0}'..='\u{D7FF}' => true,
        _ => false,
    };
    stands && !holds
}
