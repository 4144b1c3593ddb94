//! Base URLs: checked once, then joined without surprises.
//!
//! Not a URL parser. It accepts the plain `http(s)://host[:port]/path` a base URL should be and refuses everything whose
//! meaning parsers disagree on (backslashes, user names, percent signs in the host), because the host decides whether a
//! key is needed and guarded.

use crate::policy::{Problem, joined};

/// A checked base URL, without a slash at its end.
///
/// ```
/// use chatwire::provider::BaseUrl;
///
/// let base = BaseUrl::parse("https://api.example.com/v1/", None).unwrap();
/// assert_eq!(base.join("/chat/completions"), "https://api.example.com/v1/chat/completions");
/// assert!(BaseUrl::parse("https://me:secret@example.com", None).is_err());
///
/// let own = BaseUrl::parse("/v1", Some("https://app.example.com/chat?x=1#top")).unwrap();
/// assert_eq!(own.as_str(), "https://app.example.com/v1");
/// ```
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct BaseUrl {
    text: String,
    /// Where the host starts and ends, and where the path starts (or the text ends).
    host: (usize, usize),
    path: usize,
}

impl BaseUrl {
    /// Checks a base URL; a relative one is resolved against `location`, the page's own URL, where there is one.
    ///
    /// # Errors
    /// A [`Problem`] at `baseURL` that says what to change.
    pub fn parse(text: &str, location: Option<&str>) -> Result<Self, Problem> {
        let spaces = text.bytes().take_while(|byte| *byte == b' ').count();
        let end = text.len() - text.bytes().rev().take_while(|byte| *byte == b' ').count();
        let text = text.get(spaces..end).unwrap_or_default();
        if text.is_empty() {
            return Err(problem(
                "is empty: give the URL up to, not including, /chat/completions",
            ));
        }
        let wrong = text.bytes().find_map(|byte| match byte {
            0..=0x20 | 0x7F => Some("contains white space or a control character: remove it"),
            b'\\' => Some("contains a backslash: use forward slashes"),
            b'#' => Some("contains a fragment (#): remove it"),
            b'?' => Some("contains a query (?): remove it and use defaultQuery"),
            _ => None,
        });
        if let Some(message) = wrong {
            return Err(problem(message));
        }
        if scheme_end(text).is_some() {
            return Self::absolute(text);
        }
        let base = match location.map(|location| Self::absolute(before_query(location))) {
            Some(Ok(base)) => base,
            _ => {
                return Err(problem(
                    "is relative, and there is no page to resolve it against: start it with https://",
                ));
            }
        };
        if let Some(rest) = text.strip_prefix("//") {
            let scheme = base.text.get(..scheme_end(&base.text).unwrap_or(0)).unwrap_or_default();
            return Self::absolute(&joined(&[scheme, "://", rest]));
        }
        let path = base.path();
        let directory = path.len()
            - path
                .bytes()
                .rev()
                .position(|byte| byte == b'/')
                .map_or(0, |name| name + 1);
        let (directory, slash) = match text.as_bytes() {
            [b'/', ..] => ("", ""),
            _ => (path.get(..directory).unwrap_or_default(), "/"),
        };
        Self::absolute(&joined(&[base.origin(), directory, slash, text]))
    }

    /// The URL, without a slash at its end.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.text
    }

    /// The host, in lower case, without a port.
    #[must_use]
    pub fn host(&self) -> &str {
        self.text.get(self.host.0..self.host.1).unwrap_or_default()
    }

    /// Scheme, host and port.
    #[must_use]
    pub fn origin(&self) -> &str {
        self.text.get(..self.path).unwrap_or_default()
    }

    /// The path, empty or starting with a slash.
    #[must_use]
    pub fn path(&self) -> &str {
        self.text.get(self.path..).unwrap_or_default()
    }

    /// The last part of the path: `v1` of `https://host/api/v1`.
    #[must_use]
    pub fn last_segment(&self) -> &str {
        let path = self.path();
        let name = path.bytes().rev().position(|byte| byte == b'/').unwrap_or(path.len());
        path.get(path.len() - name..).unwrap_or_default()
    }

    /// The URL of something below this one, with exactly one slash between.
    #[must_use]
    pub fn join(&self, path: &str) -> String {
        let slashes = path.bytes().take_while(|byte| *byte == b'/').count();
        joined(&[&self.text, "/", path.get(slashes..).unwrap_or_default()])
    }

    fn absolute(text: &str) -> Result<Self, Problem> {
        let scheme = scheme_end(text)
            .and_then(|end| text.get(..end))
            .unwrap_or_default()
            .to_ascii_lowercase();
        if scheme != "http" && scheme != "https" {
            return Err(problem(
                "has a scheme other than http and https: start it with https://",
            ));
        }
        let Some(rest) = text.get(scheme.len()..).and_then(|rest| rest.strip_prefix("://")) else {
            return Err(problem("has no // after its scheme: write https://host/path"));
        };
        let (authority, path) = rest.split_at(position(rest, b'/').unwrap_or(rest.len()));
        if position(authority, b'@').is_some() {
            return Err(problem(
                "contains a user name or password: remove it and use apiKey or defaultHeaders",
            ));
        }
        // The colons of an IPv6 address stand within its brackets.
        let address_end = position(authority, b']').unwrap_or(0);
        let colon = authority.get(address_end..).and_then(|rest| position(rest, b':'));
        let (host, port) = authority.split_at(colon.map_or(authority.len(), |colon| address_end + colon));
        let digits = port.strip_prefix(':').unwrap_or_default();
        let number = crate::json::integer(digits.as_bytes());
        if !port.is_empty() && number.is_none_or(|port| port > 65_535) {
            return Err(problem("has a port that is not a number up to 65535"));
        }
        let address = host.strip_prefix('[').and_then(|host| host.strip_suffix(']'));
        let is_host = match address {
            Some(address) => {
                position(address, b':').is_some()
                    && address
                        .bytes()
                        .all(|byte| byte.is_ascii_hexdigit() || matches!(byte, b':' | b'.'))
            }
            None => {
                !host.starts_with('.')
                    && !host.as_bytes().windows(2).any(|pair| pair == b"..")
                    && host
                        .bytes()
                        .all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'.' | b'_'))
            }
        };
        if host.is_empty() || !is_host {
            return Err(problem(
                "has no valid host name: write a plain one (an international one as xn--…)",
            ));
        }
        let host = host.to_ascii_lowercase();
        let mut url = joined(&[&scheme, "://"]);
        let start = url.len();
        url.push_str(&host);
        let end = url.len();
        url.push_str(port);
        let path_start = url.len();
        url.push_str(&without_dots(path));
        while url.len() > path_start && url.ends_with('/') {
            url.pop();
        }
        Ok(Self {
            text: url,
            host: (start, end),
            path: path_start,
        })
    }
}

/// Where the scheme ends, if the text starts with one. `localhost:8080/v1` has none: a digit after the colon is a port.
fn scheme_end(text: &str) -> Option<usize> {
    let end = position(text, b':')?;
    let (scheme, rest) = (text.get(..end)?, text.get(end + 1..)?);
    let first = scheme.bytes().next()?;
    let plain = scheme
        .bytes()
        .all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'+' | b'-' | b'.'));
    (first.is_ascii_alphabetic() && plain && !rest.bytes().next().is_some_and(|byte| byte.is_ascii_digit()))
        .then_some(end)
}

fn before_query(location: &str) -> &str {
    let end = location
        .bytes()
        .position(|byte| matches!(byte, b'?' | b'#'))
        .unwrap_or(location.len());
    location.get(..end).unwrap_or_default()
}

/// Takes `.` and `..` out of a path, as every fetch would.
fn without_dots(path: &str) -> String {
    let mut kept = String::new();
    let mut rest = path;
    while let Some(after) = rest.strip_prefix('/') {
        let (part, next) = after.split_at(position(after, b'/').unwrap_or(after.len()));
        match part {
            "." => {}
            ".." => kept.truncate(
                kept.len()
                    - kept
                        .bytes()
                        .rev()
                        .position(|byte| byte == b'/')
                        .map_or(0, |name| name + 1),
            ),
            part => {
                kept.push('/');
                kept.push_str(part);
            }
        }
        rest = next;
    }
    kept
}

fn position(text: &str, byte: u8) -> Option<usize> {
    text.bytes().position(|other| other == byte)
}

fn problem(message: &str) -> Problem {
    Problem::refused("invalid_base_url", &["baseURL"], joined(&["baseURL ", message]))
}
