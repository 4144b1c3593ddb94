//! Lists whose items come in fragments: objects that say by their `index` which item of the list they are more of. Blocks of
//! thinking come in fragments also without it: the first of a list is more of the last block, until that has its signature.

use super::repeats::{CERTAIN, LONG, MOST_HELD, is_blank, is_multiple, is_telling};
use super::scan::Extra;
use crate::json::{Reader, Writer, count};
use crate::text::lossy;

/// The members of an item that grow. All others, a signature among them, are replaced.
const TEXTS: [&[u8]; 9] = [
    b"text",
    b"summary",
    b"thinking",
    b"reasoning",
    b"content",
    b"transcript",
    b"arguments",
    b"input",
    b"partial_json",
];

/// A list put together from its fragments.
#[derive(Debug, Default)]
pub(super) struct Fragments {
    items: Vec<Item>,
    /// The server is not known to send everything once.
    watches: bool,
}

#[derive(Debug, Default)]
struct Item {
    members: Vec<Member>,
}

#[derive(Debug)]
struct Member {
    name: Box<[u8]>,
    value: Vec<u8>,
    growth: Growth,
}

/// The pieces that a text has grown by, while it is open whether each piece is the whole text so far. Nothing of it has been
/// handed out, so the text is joined until that is certain.
#[derive(Debug)]
struct Growth {
    /// The bytes of the first piece.
    first: usize,
    /// The bytes of the last piece, which the text ends with.
    last: usize,
    /// How often a piece was all before it and more.
    steps: u8,
    is_cumulative: bool,
    /// Pieces are simply new, from here on.
    is_over: bool,
}

/// The items of a list, if each of them is an object with an index, or a block of thinking by its type: `thinking`,
/// `redacted_thinking`.
pub(super) fn indexed(list: &[u8]) -> Option<Vec<Vec<Extra<'_>>>> {
    let mut reader = Reader::new(list);
    let mut items = Vec::new();
    let mut first = true;
    reader.array().ok()?;
    while reader.element(&mut first).ok()? {
        let mut members: Vec<Extra<'_>> = Vec::new();
        let mut first = true;
        reader.object().ok()?;
        while let Some(name) = reader.member(&mut first).ok()? {
            let value = reader.value().ok()?;
            match members.iter_mut().find(|(known, _)| *known == name) {
                Some((_, kept)) => *kept = value,
                None => members.push((name, value)),
            }
        }
        match member(&members, b"index") {
            Some(index) => drop(count(index)?),
            None => drop(member(&members, b"type").filter(|kind| kind.ends_with(b"thinking\""))?),
        }
        items.push(members);
    }
    Some(items).filter(|items| !items.is_empty())
}

fn member<'a>(members: &[Extra<'a>], name: &[u8]) -> Option<&'a [u8]> {
    members
        .iter()
        .find(|(known, _)| *known == name)
        .map(|(_, value)| *value)
}

impl Fragments {
    /// A list that has no items yet. `watches`: texts in it may be sent again.
    pub(super) fn new(watches: bool) -> Self {
        Fragments {
            items: Vec::new(),
            watches,
        }
    }

    /// Takes fragments; gives by how many bytes what is held grew at the most, and whether something was sent again.
    pub(super) fn take(&mut self, items: Vec<Vec<Extra<'_>>>) -> (usize, bool) {
        let (mut grown, mut repeated) = (0, false);
        for (place, members) in items.into_iter().enumerate() {
            let has_index = member(&members, b"index").is_some();
            let mut known = self.items.iter().rposition(|item| item.is_same(&members));
            if !has_index {
                known = known.filter(|at| place == 0 && at + 1 == self.items.len() && self.items[*at].is_open());
            }
            let at = known.unwrap_or_else(|| {
                self.items.push(Item::default());
                self.items.len() - 1
            });
            if let Some(item) = self.items.get_mut(at) {
                grown += item.take(&members, self.watches, &mut repeated);
            }
        }
        (grown, repeated)
    }

    /// Nothing more comes: whether a text had been sent again.
    pub(super) fn end(&mut self) -> bool {
        let mut repeated = false;
        for member in self.items.iter_mut().flat_map(|item| &mut item.members) {
            repeated |= self.watches && member.growth.end(&mut member.value);
        }
        repeated
    }

    pub(super) fn write(&self, out: &mut Writer) {
        out.raw(b"[");
        for item in &self.items {
            out.comma().raw(b"{");
            for member in &item.members {
                out.spelled_key(&member.name).raw(&member.value);
            }
            out.raw(b"}");
        }
        out.raw(b"]");
    }
}

impl Item {
    fn get(&self, name: &[u8]) -> Option<&[u8]> {
        self.members
            .iter()
            .find(|member| *member.name == *name)
            .map(|member| member.value.as_slice())
    }

    /// Whether a fragment is more of this item: of the same index, and of the same type where both name one. Encrypted data is
    /// whole, so what has another id is another item; and a text that is signed has no more of it.
    fn is_same(&self, fragment: &[Extra<'_>]) -> bool {
        const NOTHING: [&[u8]; 2] = [b"null", b"\"\""];
        let says = |value: &[u8]| !NOTHING.contains(&value);
        let differs = |name: &[u8]| match (self.get(name), member(fragment, name)) {
            (Some(own), Some(other)) => own != other && says(own) && says(other),
            _ => false,
        };
        let has_text = || fragment.iter().any(|(name, value)| TEXTS.contains(name) && says(value));
        let signed = self.get(b"signature").filter(|signature| says(signature));
        let is_other = differs(b"type")
            || self.get(b"data").is_some() && differs(b"id")
            || signed.is_some() && signed != member(fragment, b"signature") && has_text();
        self.get(b"index") == member(fragment, b"index") && !is_other
    }

    /// Whether more of it may come: it is neither signed nor encrypted.
    fn is_open(&self) -> bool {
        [b"signature".as_slice(), b"data"]
            .iter()
            .all(|name| matches!(self.get(name), None | Some(b"\"\"" | b"null")))
    }

    fn take(&mut self, fragment: &[Extra<'_>], watches: bool, repeated: &mut bool) -> usize {
        let mut grown = 0;
        for (name, value) in fragment {
            let Some(member) = self.members.iter_mut().find(|known| *known.name == **name) else {
                grown += name.len() + value.len();
                self.members.push(Member {
                    name: Box::from(*name),
                    value: value.to_vec(),
                    growth: Growth::new(value, watches),
                });
                continue;
            };
            let kept = &mut member.value;
            match (kept.last(), *value) {
                (_, b"null") => {}
                (Some(b'"'), [b'"', more @ .., b'"']) if TEXTS.contains(name) => {
                    let before = kept.len();
                    *repeated |= member.growth.take(kept, more);
                    grown += kept.len().saturating_sub(before);
                }
                _ => {
                    grown += value.len().saturating_sub(kept.len());
                    kept.clear();
                    kept.extend_from_slice(value);
                    member.growth = Growth::new(value, watches);
                }
            }
        }
        grown
    }
}

impl Growth {
    /// The growth of a text of one piece, a JSON string.
    fn new(text: &[u8], watches: bool) -> Self {
        let length = text.len().saturating_sub(2);
        Growth {
            first: length,
            last: length,
            steps: 0,
            is_cumulative: false,
            is_over: !watches,
        }
    }

    /// Adds a piece to a text, a JSON string; gives whether it was sent before.
    fn take(&mut self, text: &mut Vec<u8>, piece: &[u8]) -> bool {
        if piece.is_empty() {
            return false;
        }
        let own = text.get(1..text.len().saturating_sub(1)).unwrap_or_default();
        if own.is_empty() {
            self.first = piece.len();
        }
        if self.is_cumulative && !self.is_over {
            if piece.starts_with(own) {
                put(text, piece);
                return true;
            }
            if own.starts_with(piece) {
                return true;
            }
            self.is_over = true;
        } else if !self.is_over && !own.is_empty() {
            let last = own.get(own.len().saturating_sub(self.last)..).unwrap_or_default();
            let is_said_often = own.len() > MOST_HELD * piece.len();
            self.is_over = is_said_often || is_blank(last) || !piece.starts_with(last) || is_multiple(piece, last);
            self.steps += u8::from(!self.is_over && piece.len() > last.len());
            if !self.is_over && self.steps >= CERTAIN {
                self.is_cumulative = true;
                put(text, piece);
                return true;
            }
        }
        self.last = piece.len();
        text.pop();
        text.extend_from_slice(piece);
        text.push(b'"');
        false
    }

    /// Nothing more comes: whether the last piece was all of the text.
    fn end(&mut self, text: &mut Vec<u8>) -> bool {
        let own = text.get(1..text.len().saturating_sub(1)).unwrap_or_default();
        let start = own.len().saturating_sub(self.last);
        let (before, last) = own.split_at_checked(start).unwrap_or_default();
        let is_all = match self.is_over {
            true => before == last,
            false => !self.is_cumulative && self.first >= LONG && !before.is_empty(),
        };
        // Whole JSON that comes twice is a repetition.
        let is_again = before == last && last.starts_with(b"{")
            || is_all && (self.last > self.first && !self.is_over || is_telling(&lossy(last)));
        if is_again {
            let last = last.to_vec();
            put(text, &last);
        }
        is_again
    }
}

/// Makes a text, a JSON string, this one.
fn put(text: &mut Vec<u8>, piece: &[u8]) {
    text.truncate(1);
    text.extend_from_slice(piece);
    text.push(b'"');
}

#[cfg(test)]
mod tests {
    use super::*;

    fn joined(lists: &[&str]) -> String {
        let mut fragments = Fragments::new(true);
        for list in lists {
            fragments.take(indexed(list.as_bytes()).expect("a list with an index"));
        }
        fragments.end();
        let mut out = Writer::default();
        fragments.write(&mut out);
        out.into_string()
    }

    #[test]
    fn fragments_of_one_index_and_type_are_one_item() {
        assert_eq!(
            joined(&[
                r#"[{"type":"reasoning.text","text":"a\n","index":0}]"#,
                r#"[{"type":"reasoning.text","text":"b","signature":null,"index":0},{"type":"reasoning.encrypted","data":"x","index":0}]"#,
                r#"[{"type":"reasoning.text","signature":"s","index":0},{"index":1,"summary":"c"}]"#,
                r#"[{"type":"reasoning.text","text":null,"signature":"t","index":0},{"index":1,"summary":"d"}]"#,
            ]),
            r#"[{"type":"reasoning.text","text":"a\nb","index":0,"signature":"t"},{"type":"reasoning.encrypted","data":"x","index":0},{"index":1,"summary":"cd"}]"#
        );
    }

    /// The text that pieces become.
    fn text(pieces: &[&str]) -> String {
        let lists: Vec<String> = pieces
            .iter()
            .map(|piece| format!(r#"[{{"index":0,"text":"{piece}"}}]"#))
            .collect();
        let all = joined(&lists.iter().map(String::as_str).collect::<Vec<_>>());
        all.trim_start_matches(r#"[{"index":0,"text":""#)
            .trim_end_matches(r#""}]"#)
            .to_owned()
    }

    #[test]
    fn a_text_that_is_all_so_far_in_each_fragment_is_taken_once() {
        for pieces in [
            &["The sky", "The sky is", "The sky is blue."][..],
            &["", "The sky", "The sky", "The sky is", "The sky is blue.", "The sky"],
            &["The sky is blue,", "The sky is blue."],
            &["The sky is blue", "The sky is blue."],
            &["The sky is blue.", "The sky is blue."],
            &["The sky ", "is blue.", "The sky is blue."],
        ] {
            let expected = match pieces.len() {
                2 if pieces[0] == "The sky is blue," => "The sky is blue,The sky is blue.",
                2 if pieces[0].len() < LONG => "The sky is blueThe sky is blue.",
                _ => "The sky is blue.",
            };
            assert_eq!(text(pieces), expected, "{pieces:?}");
        }
    }

    #[test]
    fn what_a_text_says_twice_is_kept() {
        for pieces in [
            &["ha", "ha", "haha", " ok"][..],
            &["very ", "very good"],
            &["1", "10", " and 100"],
            &["\\n", "\\n", "\\nHello"],
            &["ha"; 100],
            &["The sky is blue."; 9],
            &["The sky is blue.", "The sky is blue.", " Indeed."],
        ] {
            assert_eq!(text(pieces), pieces.concat(), "{pieces:?}");
        }
    }

    #[test]
    fn blocks_of_thinking_without_an_index_go_on_until_they_are_signed() {
        assert_eq!(
            joined(&[
                r#"[{"type":"thinking","thinking":"a","signature":""}]"#,
                r#"[{"type":"thinking","thinking":"b","signature":""}]"#,
                r#"[{"type":"thinking","thinking":"","signature":"s"}]"#,
                r#"[{"type":"redacted_thinking","data":"x"},{"type":"redacted_thinking","data":"y"}]"#,
                r#"[{"type":"thinking","thinking":"c","signature":"t"}]"#,
                r#"[{"type":"thinking","thinking":"d","signature":"u"}]"#,
            ]),
            r#"[{"type":"thinking","thinking":"ab","signature":"s"},{"type":"redacted_thinking","data":"x"},{"type":"redacted_thinking","data":"y"},{"type":"thinking","thinking":"c","signature":"t"},{"type":"thinking","thinking":"d","signature":"u"}]"#
        );
        let details = r#"[{"type":"reasoning.text","text":"a","index":"0"}]"#;
        assert_eq!(joined(&[details, details]), details.replace("\"a\"", "\"aa\""));
    }

    #[test]
    fn a_list_without_an_index_is_none_of_fragments() {
        for list in [
            "[]",
            "[1]",
            r#"[{"text":"a"}]"#,
            r#"[{"index":0},{"text":"a"}]"#,
            r#"[{"index":"a"}]"#,
            "{}",
        ] {
            assert!(indexed(list.as_bytes()).is_none(), "{list}");
        }
    }
}
