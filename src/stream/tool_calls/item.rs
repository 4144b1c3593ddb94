//! One item of a `tool_calls` list, read in place, in each form that servers give it.

use super::arguments::Arguments;
use crate::json::{Kind, Malformed, Reader, Str, integer, is_json, match_bytes};
use crate::stream::scan::{Extra, Field, add_extra};
use crate::text::{lossy, split_at_mark};

/// One item of a `tool_calls` list.
#[derive(Debug, Default)]
pub(super) struct Item<'a> {
    pub(super) index: Option<u64>,
    /// The index is spelled as text.
    pub(super) is_index_text: bool,
    pub(super) id: Field<'a>,
    pub(super) kind: Field<'a>,
    pub(super) name: Field<'a>,
    pub(super) arguments: Field<'a>,
    /// A custom tool, whose input is plain text.
    pub(super) is_custom: bool,
    /// Name and arguments stand beside the id, not within `function`.
    pub(super) is_flat: bool,
    /// The item is not the first of its list, so it is not the call of the one before.
    pub(super) follows: bool,
    pub(super) extras: Vec<Extra<'a>>,
    pub(super) function_extras: Vec<Extra<'a>>,
}

impl<'a> Item<'a> {
    pub(super) fn read(reader: &mut Reader<'a>) -> Result<Self, Malformed> {
        let mut item = Item::default();
        let mut flat: [Option<Extra<'a>>; 3] = [None; 3];
        let mut has_function = false;
        let mut first = true;
        reader.object()?;
        while let Some(key) = reader.member(&mut first)? {
            match_bytes!(key, {
                b"index" => item.read_index(reader)?,
                b"id" => item.id = field(reader)?,
                b"type" => item.kind = field(reader)?,
                b"function" | b"custom" if reader.kind()? == Kind::Object => {
                    has_function = true;
                    item.is_custom = key == b"custom";
                    item.read_function(reader)?;
                },
                // The name alone, with the arguments beside it.
                b"function" if reader.kind()? == Kind::String => flat[0] = Some((key, reader.value()?)),
                // `function` is often null after the first delta.
                b"function" | b"custom" => {
                    reader.value()?;
                },
                b"name" => flat[0] = Some((key, reader.value()?)),
                b"arguments" => flat[1] = Some((key, reader.value()?)),
                b"parameters" | b"input" | b"args" => flat[2] = Some((key, reader.value()?)),
                _ => add_extra(&mut item.extras, key, reader.value()?),
            })
        }
        item.take_flat(flat, has_function);
        Ok(item)
    }

    /// Takes a name and arguments that stand beside the id, where nothing stands within `function`.
    fn take_flat(&mut self, [name, arguments, other]: [Option<Extra<'a>>; 3], has_function: bool) {
        let is_custom = || matches!(self.kind, Field::Str(kind) if kind.raw == b"custom");
        let is_flat = !has_function && (name.is_some() || arguments.is_some() || other.is_some() && is_custom());
        for (place, member) in [name, arguments, other].into_iter().enumerate() {
            let Some((key, raw)) = member else { continue };
            // The last are what other dialects call the arguments of a named call.
            if !is_flat || place == 2 && arguments.is_some() {
                self.extras.push((key, raw));
                continue;
            }
            let value = field(&mut Reader::new(raw)).unwrap_or_default();
            match place {
                0 => self.name = value,
                _ => self.arguments = value,
            }
            self.is_flat |= value.some().is_some();
        }
    }

    fn read_index(&mut self, reader: &mut Reader<'a>) -> Result<(), Malformed> {
        let raw = reader.value()?;
        self.index = integer(raw);
        if self.index.is_none() {
            let spelled = raw
                .strip_prefix(b"\"")
                .and_then(|raw| raw.strip_suffix(b"\""))
                .unwrap_or(raw);
            self.index = integer(spelled.strip_suffix(b".0").unwrap_or(spelled).trim_ascii());
            self.is_index_text = self.index.is_some();
        }
        Ok(())
    }

    pub(super) fn read_function(&mut self, reader: &mut Reader<'a>) -> Result<(), Malformed> {
        let mut first = true;
        // Of two functions the later counts, as for `JSON.parse`.
        (self.name, self.arguments) = (Field::Absent, Field::Absent);
        self.function_extras.clear();
        reader.object()?;
        while let Some(key) = reader.member(&mut first)? {
            match_bytes!(key, {
                b"name" => self.name = field(reader)?,
                b"arguments" if !self.is_custom => self.arguments = field(reader)?,
                b"input" if self.is_custom => self.arguments = field(reader)?,
                b"parameters" if matches!(self.arguments, Field::Absent) => self.arguments = field(reader)?,
                _ => add_extra(&mut self.function_extras, key, reader.value()?),
            })
        }
        Ok(())
    }

    pub(super) fn is_blank(&self) -> bool {
        let arguments = match self.arguments {
            Field::Str(text) => !text.is_empty(),
            Field::Other(_) => true,
            _ => false,
        };
        let id = self.id.text().is_some() || matches!(self.id, Field::Other(_));
        !arguments && !id && self.name.text().is_none() && self.extras.is_empty() && self.function_extras.is_empty()
    }

    /// Whether it may begin a value: no arguments yet, or ones that begin as JSON does.
    pub(super) fn is_head(&self) -> bool {
        match self.arguments {
            Field::Str(text) => matches!(text.raw.trim_ascii_start().first(), None | Some(b'{' | b'[')),
            _ => true,
        }
    }

    /// Whether its arguments are whole JSON.
    pub(super) fn has_whole_arguments(&self) -> bool {
        match self.arguments {
            Field::Str(text) => is_json(text.to_text().as_bytes()),
            Field::Other(_) => true,
            _ => false,
        }
    }

    /// Whether its arguments are whole, and equal to these.
    pub(super) fn has_arguments(&self, arguments: &Arguments) -> bool {
        match self.arguments {
            Field::Str(text) => arguments.are(&text.to_text()),
            Field::Other(raw) => arguments.are(&lossy(raw)),
            _ => false,
        }
    }

    /// Whether it has no arguments.
    pub(super) fn is_silent(&self) -> bool {
        match self.arguments {
            Field::Str(text) => text.is_empty(),
            Field::Other(_) => false,
            _ => true,
        }
    }

    /// The index and the arguments, if the item has nothing else.
    pub(super) fn lone_arguments(&self) -> Option<(u64, Str<'a>)> {
        let says_else = self.id.some().is_some_and(|id| !id.is_blank())
            || self.name.some().is_some_and(|name| !name.is_blank())
            || self.is_custom
            || self.is_flat
            || self.is_index_text
            || !self.extras.is_empty()
            || !self.function_extras.is_empty();
        match (self.index, self.arguments) {
            (Some(index), Field::Str(arguments)) if !says_else => Some((index, arguments)),
            _ => None,
        }
    }
}

fn field<'a>(reader: &mut Reader<'a>) -> Result<Field<'a>, Malformed> {
    match reader.kind()? {
        Kind::String => reader.string().map(Field::Str),
        Kind::Null => reader.value().map(|_| Field::Null),
        _ => reader.value().map(Field::Other),
    }
}

/// The items of a list, one after another, so that a long one takes no memory; or the one object in its place.
pub(super) fn items(raw: &[u8]) -> impl Iterator<Item = Item<'_>> {
    let mut reader = Reader::new(raw);
    let is_list = reader.kind() == Ok(Kind::Array);
    let mut is_over = is_list && reader.array().is_err();
    let mut first = true;
    std::iter::from_fn(move || {
        while !is_over {
            // `raw` was read once already: what fails here is the end.
            is_over = !is_list || reader.element(&mut first) != Ok(true);
            if is_list && is_over {
                break;
            }
            match reader.kind() {
                Ok(Kind::Object) => return Item::read(&mut reader).ok(),
                Ok(_) => is_over = reader.value().is_err(),
                Err(Malformed) => break,
            }
        }
        None
    })
}

/// The name of a function without the marks that a template puts around it: `functions.f`, `f<|channel|>commentary`,
/// `<|channel|>commentary to=functions.f`.
pub(super) fn plain_name(name: &str) -> &str {
    const MARKS: [&str; 3] = ["<|", "<｜", "</"];
    let mut name = name.trim_ascii();
    if let Some((_, recipient)) = split_at_mark(name, "to=") {
        name = recipient.trim_ascii_start();
    }
    // A mark before the name.
    while MARKS.iter().any(|mark| name.starts_with(mark))
        && let Some((_, after)) = split_at_mark(name, ">")
        && !after.trim_ascii().is_empty()
    {
        name = after.trim_ascii_start();
    }
    for mark in MARKS {
        name = split_at_mark(name, mark).map_or(name, |(before, _)| before);
    }
    if let Some(plain) = name.strip_prefix("functions.") {
        // The number of the call, which belongs to its id.
        let is_number = |rest: &str| rest.bytes().all(|byte| byte.is_ascii_digit());
        name = match split_at_mark(plain, ":") {
            Some((name, number)) if is_number(number) => name,
            _ => plain,
        };
    }
    let is_around = |byte: Option<&u8>| byte.is_some_and(|byte| byte.is_ascii_whitespace() || b"\"'`".contains(byte));
    while is_around(name.as_bytes().first()) {
        name = &name[1..];
    }
    while is_around(name.as_bytes().last()) {
        name = &name[..name.len() - 1];
    }
    name
}

/// The index and the arguments in a `tool_calls` list of one item that has nothing else.
#[inline(never)] // a plain answer has no need of it
pub(crate) fn lone_arguments(raw: &[u8]) -> Option<(u64, Str<'_>)> {
    let mut items = items(raw);
    let item = items.next()?;
    match items.next() {
        None => item.lone_arguments(),
        Some(_) => None,
    }
}

#[cfg(test)]
mod tests {
    use super::plain_name;

    #[test]
    fn a_name_is_told_from_the_marks_around_it() {
        for name in [
            "get_weather",
            "functions.get_weather",
            " get_weather\n",
            "\"get_weather\"",
            "get_weather<|channel|>commentary",
            "get_weather<|channel|>",
            "get_weather <|constrain|>json",
            "<|channel|>get_weather",
            "<|channel|>commentary to=functions.get_weather",
            "assistant to=get_weather<|channel|>json",
            "functions.get_weather<|message|>",
            "get_weather<｜tool▁sep｜>",
            "get_weather</s>",
            "functions.get_weather:0",
        ] {
            assert_eq!(plain_name(name), "get_weather", "{name}");
        }
        for name in ["a.b", "get-weather:0", "functions", "x<y"] {
            assert_eq!(plain_name(name), name);
        }
    }
}
