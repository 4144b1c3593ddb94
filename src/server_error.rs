//! Reads how a server describes an error, in any shape: JSON, HTML or text, in a body or within a stream.

use crate::json::{Kind, Malformed, Reader, integer, match_bytes};
use crate::text::{find, lossy};

/// The description of an error by a server. Of a member that is there twice, the first stands.
#[derive(Default)]
pub(crate) struct Said {
    pub(crate) message: String,
    /// The words in place of a message, where there is none.
    reason: String,
    pub(crate) code: String,
    pub(crate) param: String,
    pub(crate) error_type: String,
    pub(crate) request_id: String,
    /// JSON text.
    pub(crate) details: String,
    /// JSON text.
    pub(crate) error: String,
    /// An HTTP status, where it names one as a code.
    pub(crate) status: Option<u64>,
}

impl Said {
    /// The description in a whole body: JSON of any shape, HTML, or plain text. Without an `error` of its own, JSON is one as a whole.
    pub(crate) fn of_body(body: &str) -> Self {
        let mut said = Self::default();
        match body.as_bytes().first() {
            Some(b'{' | b'[' | b'"') => {
                let mut reader = Reader::new(body.as_bytes());
                // The members before the break still count in a body that is cut.
                if said.read(&mut reader, 0).and_then(|()| reader.finish()).is_ok() {
                    note(&mut said.error, body.to_owned());
                }
            }
            Some(b'<') => {
                said.message = html_title(body);
                said.message.push_str(match said.message.is_empty() {
                    true => "an HTML page came instead of an answer",
                    false => " (an HTML page)",
                });
            }
            _ => body.clone_into(&mut said.message),
        }
        said
    }

    /// Reads a string, an object or the first element of an array that describes an error. `level` bounds errors within errors.
    pub(crate) fn read(&mut self, reader: &mut Reader<'_>, level: u8) -> Result<(), Malformed> {
        let mut first = true;
        match reader.kind()? {
            Kind::String => note(&mut self.message, reader.string()?.to_text()),
            Kind::Object => {
                reader.object()?;
                while let Some(name) = reader.member(&mut first)? {
                    self.member(name, reader, level)?;
                }
                note(&mut self.message, std::mem::take(&mut self.reason));
            }
            Kind::Array => {
                reader.array()?;
                while reader.element(&mut first)? {
                    match level < 3 && self.message.is_empty() {
                        true => self.read(reader, level + 1)?,
                        false => drop(reader.value()?),
                    }
                }
            }
            _ => drop(reader.value()?),
        }
        Ok(())
    }

    fn member(&mut self, name: &[u8], reader: &mut Reader<'_>, level: u8) -> Result<(), Malformed> {
        let kind = reader.kind()?;
        // Names count in any spelling: `error_code`, `errorCode`, `ErrorCode`.
        let mut plain = name.to_ascii_lowercase();
        plain.retain(|byte| *byte != b'_');
        let name = plain.as_slice();
        let field = match_bytes!(name, {
            b"error" | b"errors" | b"err" | b"detail" | b"fault" | b"message"
                if level < 3 && matches!(kind, Kind::Object | Kind::Array | Kind::String) =>
            {
                let mut raw = reader.clone();
                self.read(reader, level + 1)?;
                if name == b"error" {
                    note(&mut self.error, lossy(raw.value()?));
                }
                return Ok(());
            },
            b"baseresp" if kind == Kind::Object => return self.base_resp(reader),
            b"metadata" if kind == Kind::Object => return self.metadata(reader, level),
            b"details" if kind != Kind::Null => {
                note(&mut self.details, lossy(reader.value()?));
                return Ok(());
            },
            b"errordescription" | b"faultstring" => &mut self.message,
            b"response" if kind == Kind::Object && level < 3 => return self.read(reader, level + 1),
            b"errno" => &mut self.code,
            b"reason" => &mut self.reason,
            b"param" => &mut self.param,
            b"type" => &mut self.error_type,
            b"requestid" => &mut self.request_id,
            b"status" | b"statuscode" => &mut String::new(),
            // With whatever stands before it: `errorMessage`, `resultMsg`, `ret_code`.
            _ => match (name.ends_with(b"message") || name.ends_with(b"msg"), name.ends_with(b"code")) {
                (true, _) => &mut self.message,
                (_, true) => &mut self.code,
                _ => return reader.value().map(drop),
            },
        });
        let value = match kind {
            Kind::String => reader.string()?.to_text(),
            Kind::Number => lossy(reader.value()?),
            _ => return reader.value().map(drop),
        };
        if name.ends_with(b"code") || name.starts_with(b"status") {
            let status = integer(value.as_bytes()).filter(|status| (400..600).contains(status));
            self.status = self.status.or(status).or_else(|| status_of_word(&value));
        }
        note(field, value);
        Ok(())
    }
}

impl Said {
    /// A status beside the answer: `{"status_code":1008,"status_msg":"…"}`.
    fn base_resp(&mut self, reader: &mut Reader<'_>) -> Result<(), Malformed> {
        let mut first = true;
        reader.object()?;
        while let Some(name) = reader.member(&mut first)? {
            let value = match reader.kind()? {
                Kind::String => reader.string()?.to_text(),
                _ => lossy(reader.value()?),
            };
            match_bytes!(name, {
                b"status_code" => note(&mut self.code, value),
                b"status_msg" => note(&mut self.message, value),
                _ => {}
            })
        }
        Ok(())
    }

    /// The words of the server behind a gateway (`raw`) say more than the gateway's own, which are alike for all servers.
    fn metadata(&mut self, reader: &mut Reader<'_>, level: u8) -> Result<(), Malformed> {
        let mut first = true;
        reader.object()?;
        while let Some(name) = reader.member(&mut first)? {
            let kind = reader.kind()?;
            let raw = match kind {
                Kind::String if name == b"raw" => reader.string()?.to_text(),
                _ => lossy(reader.value()?),
            };
            if name != b"raw" || level >= 3 || !matches!(kind, Kind::String | Kind::Object) {
                continue;
            }
            let mut inner = Said::default();
            let text = raw.trim_ascii();
            let is_json = matches!(text.as_bytes().first(), Some(b'{' | b'['));
            if is_json {
                // The elements before the break still count in a list that is cut.
                let _ = inner.read(&mut Reader::new(text.as_bytes()), level + 1);
            } else if !text.starts_with('<') {
                text.clone_into(&mut inner.message);
            }
            if !inner.message.is_empty() {
                self.message = inner.message;
            }
            note(&mut self.code, inner.code);
            note(&mut self.param, inner.param);
            note(&mut self.error_type, inner.error_type);
            self.status = self.status.or(inner.status);
        }
        Ok(())
    }
}

/// The HTTP status that a word of gRPC stands for.
fn status_of_word(word: &str) -> Option<u64> {
    const WORDS: [(&str, u64); 9] = [
        ("INVALID_ARGUMENT", 400),
        ("FAILED_PRECONDITION", 400),
        ("UNAUTHENTICATED", 401),
        ("PERMISSION_DENIED", 403),
        ("NOT_FOUND", 404),
        ("RESOURCE_EXHAUSTED", 429),
        ("INTERNAL", 500),
        ("UNAVAILABLE", 503),
        ("DEADLINE_EXCEEDED", 504),
    ];
    WORDS
        .iter()
        .find(|(known, _)| *known == word)
        .map(|(_, status)| *status)
}

fn note(field: &mut String, value: String) {
    if field.is_empty() {
        *field = value;
    }
}

/// The title of an HTML page, or its first heading, which is the message of a proxy or a login page. Empty where there is none.
pub(crate) fn html_title(page: &str) -> String {
    let lower = page.to_ascii_lowercase();
    let between = |open: &str, close: &str| {
        let start = find(&lower, open)?;
        let start = start + find(lower.get(start..)?, ">")? + 1;
        let end = start + find(lower.get(start..)?, close)?;
        let mut words = String::new();
        for word in page.get(start..end)?.split_ascii_whitespace() {
            words.push_str(if words.is_empty() { "" } else { " " });
            words.push_str(word);
        }
        (!words.is_empty()).then_some(words)
    };
    let title = between("<title", "</title").or_else(|| between("<h1", "</h1"));
    title.unwrap_or_default()
}

/// A hint for a status without a reason.
pub(crate) fn advice(status: u16) -> &'static str {
    match status {
        400 => "status code (no reason given): the request is malformed or asks for something unsupported",
        401 => "status code (no reason given): check the API key",
        403 => "status code (no reason given): this key has no access; check the plan and the model",
        404 => "status code (no reason given): check the base URL and the model",
        408 | 504 => "status code (no reason given): the server took too long; try again",
        413 => "status code (no reason given): the request is too large",
        429 => "status code (no reason given): too many requests; wait, then try again",
        500.. => "status code (no reason given): the server failed; try again later",
        _ => "status code (no reason given)",
    }
}

/// The error class of an HTTP status.
#[must_use]
pub fn name_for_status(status: u64) -> &'static str {
    match status {
        400 => "BadRequestError",
        401 => "AuthenticationError",
        403 => "PermissionDeniedError",
        404 => "NotFoundError",
        409 => "ConflictError",
        422 => "UnprocessableEntityError",
        429 => "RateLimitError",
        500.. => "InternalServerError",
        _ => "APIError",
    }
}
