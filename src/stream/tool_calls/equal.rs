//! Whether two JSON texts are the same value, whatever their white space, their escapes and the order of members.

use crate::json::{Kind, Malformed, Reader, Str};

/// False also where one of them is not JSON.
pub(super) fn are_equal(one: &str, other: &str) -> bool {
    same_values(&mut Reader::new(one.as_bytes()), &mut Reader::new(other.as_bytes()), 0) == Ok(true)
}

/// The members of an object, sorted by their names, since their order does not count.
fn members<'a>(reader: &mut Reader<'a>) -> Result<Vec<(String, &'a [u8])>, Malformed> {
    let mut members = Vec::new();
    let mut first = true;
    reader.object()?;
    while let Some(name) = reader.member(&mut first)? {
        members.push((Str::spelled(name).to_text(), reader.value()?));
    }
    // Members of one name keep their order, by where their values lie in the text.
    members.sort_unstable_by(|one, other| (&one.0, one.1.as_ptr()).cmp(&(&other.0, other.1.as_ptr())));
    Ok(members)
}

fn same_values(one: &mut Reader<'_>, other: &mut Reader<'_>, depth: u32) -> Result<bool, Malformed> {
    let kind = one.kind()?;
    if kind != other.kind()? || depth > crate::json::MAX_DEPTH {
        return Ok(false);
    }
    let (mut first, mut other_first) = (true, true);
    match kind {
        Kind::Object => {
            let (own, others) = (members(one)?, members(other)?);
            if own.len() != others.len() {
                return Ok(false);
            }
            for ((name, value), (other_name, other)) in own.iter().zip(&others) {
                let is_same =
                    name == other_name && same_values(&mut Reader::new(value), &mut Reader::new(other), depth + 1)?;
                if !is_same {
                    return Ok(false);
                }
            }
            Ok(true)
        }
        Kind::Array => {
            one.array()?;
            other.array()?;
            loop {
                match (one.element(&mut first)?, other.element(&mut other_first)?) {
                    (false, false) => return Ok(true),
                    (true, true) => {}
                    _ => return Ok(false),
                }
                if !same_values(one, other, depth + 1)? {
                    return Ok(false);
                }
            }
        }
        Kind::String => Ok(one.string()?.to_text() == other.string()?.to_text()),
        _ => Ok(one.value()? == other.value()?),
    }
}
