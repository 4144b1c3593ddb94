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
        Failure { name, message: message.to_owned(), code: Some(code.to_owned()), ..Failure::default() }
    }

    /// Adds what the host said of it.
    pub(super) fn add_reason(&mut self, reason: &str) {
        if !reason.is_empty() {
            self.message.push_str(" The host says: ");
            self.message.push_str(&bounded(reason.to_owned()));
        }
    }

    /// From an error that a server put into its stream: an object, a string, or something else.
    pub(super) fn in_band(raw: &[u8]) -> Self {
        let mut failure = Failure { name: "APIError", ..Failure::default() };
        let _ = failure.read(&mut Reader::new(raw));
        failure.name = failure.status.map_or("APIError", name_for_status);
        if failure.message.is_empty() {
            failure.message.push_str("The server reported an error in the stream and did not say which.");
        }
        failure.error = Some(raw.to_vec());
        failure
    }

    fn read(&mut self, reader: &mut Reader<'_>) -> Result<(), crate::json::Malformed> {
        match reader.kind()? {
            Kind::String => self.message = bounded(reader.string()?.to_text()),
            Kind::Object => {
                let mut first = true;
                reader.object()?;
                while let Some(key) = reader.member(&mut first)? {
                    let kind = reader.kind()?;
                    let value = reader.value()?;
                    let text = || Reader::new(value).string().map(|text| bounded(text.to_text()));
                    match key {
                        b"error" if matches!(kind, Kind::Object | Kind::String) => self.read(&mut Reader::new(value))?,
                        b"message" | b"detail" if kind == Kind::String && self.message.is_empty() => self.message = text()?,
                        b"code" | b"status" | b"status_code" if kind == Kind::Number => {
                            let number = crate::json::integer(value).filter(|status| (400..600).contains(status));
                            self.status = self.status.or(number);
                            if key == b"code" {
                                self.code = Some(String::from_utf8_lossy(value).into_owned());
                            }
                        }
                        b"code" if kind == Kind::String => {
                            let code = text()?;
                            self.status = self.status.or(crate::json::integer(code.as_bytes()).filter(|s| (400..600).contains(s)));
                            self.code = Some(code);
                        }
                        b"param" => self.members.push(("param", value.to_vec())),
                        b"type" if kind == Kind::String => self.members.push(("type", value.to_vec())),
                        b"details" => self.members.push(("details", value.to_vec())),
                        _ => {}
                    }
                }
            }
            _ => {}
        }
        Ok(())
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
        let cut = (0..=MAX_MESSAGE_BYTES).rev().find(|cut| text.is_char_boundary(*cut)).unwrap_or(0);
        text.truncate(cut);
        text.push('…');
    }
    text
}
