//! What ended a stream that did not complete, as the descriptor that crosses the boundary.

use crate::error::name_for_status;
use crate::json::{Kind, Reader, Writer};

/// An error by its class name, with what is known of it.
#[derive(Debug, Clone, Default)]
pub(super) struct Failure {
    pub(super) name: &'static str,
    pub(super) message: String,
    code: Option<String>,
    status: Option<u64>,
    /// The members of a server's error that carry over as they are: `param`, `type`, `details`.
    members: Vec<(&'static str, Vec<u8>)>,
    /// The server's own error, whole.
    error: Option<Vec<u8>>,
}

/// The most that is kept of a message from a server, in bytes.
const MAX_MESSAGE_BYTES: usize = 2048;

impl Failure {
    pub(super) fn new(name: &'static str, code: &str, message: &str) -> Self {
        Failure {
            name,
            message: message.to_owned(),
            code: Some(code.to_owned()),
            ..Failure::default()
        }
    }

    /// Adds what the host said of it.
    pub(super) fn add_reason(&mut self, reason: &str) {
        if !reason.is_empty() {
            self.message.push_str(" The host says: ");
            self.message.push_str(&bounded(reason.to_owned()));
        }
    }

    /// From an error that a server put into its stream: an object, a string, or something else. `around` is the chunk that
    /// it came in, which may know more of it.
    pub(super) fn in_band(raw: &[u8], around: &[u8]) -> Self {
        let mut failure = Failure {
            name: "APIError",
            ..Failure::default()
        };
        // Both were read once already. What is said first stands.
        let _ = failure.read(&mut Reader::new(raw));
        if raw != around {
            let _ = failure.read(&mut Reader::new(around));
        }
        failure.name = failure.status.map_or("APIError", name_for_status);
        if failure.message.is_empty() {
            failure
                .message
                .push_str("The server reported an error in the stream and did not say which.");
        }
        failure.error = Some(
            if matches!(raw.first(), Some(b'{' | b'[' | b'"')) {
                raw
            } else {
                around
            }
            .to_vec(),
        );
        failure
    }

    fn read(&mut self, reader: &mut Reader<'_>) -> Result<(), crate::json::Malformed> {
        match reader.kind()? {
            Kind::String if self.message.is_empty() => self.message = bounded(reader.string()?.to_text()),
            Kind::Array => {
                reader.array()?;
                if reader.element(&mut true)? {
                    self.read(reader)?;
                }
            }
            Kind::Object => {
                let mut first = true;
                reader.object()?;
                while let Some(key) = reader.member(&mut first)? {
                    let kind = reader.kind()?;
                    let value = reader.value()?;
                    self.read_member(key, kind, value)?;
                }
            }
            _ => {}
        }
        Ok(())
    }

    fn read_member(&mut self, key: &[u8], kind: Kind, value: &[u8]) -> Result<(), crate::json::Malformed> {
        match (key, kind) {
            (b"error" | b"errors" | b"detail", Kind::Object | Kind::Array) | (b"error", Kind::String) => {
                self.read(&mut Reader::new(value))?;
            }
            (b"message" | b"msg" | b"detail", Kind::String) if self.message.is_empty() => {
                self.message = bounded(Reader::new(value).string()?.to_text());
            }
            (b"code" | b"status" | b"status_code", Kind::Number | Kind::String) => {
                let text = match kind {
                    Kind::String => bounded(Reader::new(value).string()?.to_text()),
                    _ => String::from_utf8_lossy(value).into_owned(),
                };
                let status = crate::json::integer(text.as_bytes()).filter(|status| (400..600).contains(status));
                self.status = self.status.or(status);
                if key == b"code" && !text.is_empty() {
                    self.code.get_or_insert(text);
                }
            }
            (b"param", _) => self.keep("param", value),
            (b"type", Kind::String) => self.keep("type", value),
            (b"details", _) => self.keep("details", value),
            _ => {}
        }
        Ok(())
    }

    fn keep(&mut self, name: &'static str, value: &[u8]) {
        if !self.members.iter().any(|(kept, _)| *kept == name) {
            self.members.push((name, value.to_vec()));
        }
    }

    pub(super) fn write(&self, out: &mut Writer) {
        out.raw(b"{").member("name", self.name).member("message", &self.message);
        if let Some(code) = &self.code {
            out.member("code", code);
        }
        if let Some(status) = self.status {
            out.key("status").integer(status);
        }
        for (name, value) in &self.members {
            out.key(name).raw(value);
        }
        if let Some(error) = &self.error {
            out.key("error").raw(error);
        }
        out.raw(b"}");
    }
}

fn bounded(mut text: String) -> String {
    if text.len() > MAX_MESSAGE_BYTES {
        let cut = (0..=MAX_MESSAGE_BYTES)
            .rev()
            .find(|cut| text.is_char_boundary(*cut))
            .unwrap_or(0);
        text.truncate(cut);
        text.push('…');
    }
    text
}
