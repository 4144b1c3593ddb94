//! Lists whose items come in fragments: objects that say by their `index` which item of the list they are more of.

use super::scan::Extra;
use crate::json::{Reader, Writer, integer};

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
pub(super) struct Fragments(Vec<Item>);

#[derive(Debug, Default)]
struct Item {
    members: Vec<(Box<[u8]>, Vec<u8>)>,
}

/// The items of a list, if each of them is an object with an index.
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
        integer(member(&members, b"index")?)?;
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
    /// Takes fragments; gives by how many bytes what is held grew at the most.
    pub(super) fn take(&mut self, items: Vec<Vec<Extra<'_>>>) -> usize {
        let mut grown = 0;
        for members in items {
            let at = self.0.iter().rposition(|item| item.is_same(&members));
            let at = at.unwrap_or_else(|| {
                self.0.push(Item::default());
                self.0.len() - 1
            });
            if let Some(item) = self.0.get_mut(at) {
                grown += item.take(&members);
            }
        }
        grown
    }

    pub(super) fn write(&self, out: &mut Writer) {
        out.raw(b"[");
        for item in &self.0 {
            out.comma().raw(b"{");
            for (name, value) in &item.members {
                out.spelled_key(name).raw(value);
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
            .find(|(known, _)| **known == *name)
            .map(|(_, value)| value.as_slice())
    }

    /// Whether a fragment is more of this item: of the same index, and of the same type where both name one.
    fn is_same(&self, fragment: &[Extra<'_>]) -> bool {
        let other_type = match (self.get(b"type"), member(fragment, b"type")) {
            (Some(own), Some(other)) => own != other && other != b"null" && own != b"null",
            _ => false,
        };
        self.get(b"index") == member(fragment, b"index") && !other_type
    }

    fn take(&mut self, fragment: &[Extra<'_>]) -> usize {
        let mut grown = 0;
        for (name, value) in fragment {
            let Some((_, kept)) = self.members.iter_mut().find(|(known, _)| **known == **name) else {
                grown += name.len() + value.len();
                self.members.push((Box::from(*name), value.to_vec()));
                continue;
            };
            match (kept.last(), *value) {
                (_, b"null") => {}
                (Some(b'"'), [b'"', more @ ..]) if TEXTS.contains(name) => {
                    kept.pop();
                    kept.extend_from_slice(more);
                    grown += more.len();
                }
                _ => {
                    grown += value.len().saturating_sub(kept.len());
                    kept.clear();
                    kept.extend_from_slice(value);
                }
            }
        }
        grown
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn joined(lists: &[&str]) -> String {
        let mut fragments = Fragments::default();
        for list in lists {
            fragments.take(indexed(list.as_bytes()).expect("a list with an index"));
        }
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
