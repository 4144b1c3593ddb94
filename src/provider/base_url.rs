//! Base URLs: checked once, then joined without surprises.
//!
//! Not a URL parser. The check accepts the plain `http(s)://host[:port]/path` a base URL should be and refuses everything whose
//! meaning parsers disagree on (backslashes, user names, percent signs in the host), because the host decides whether a
//! key is needed and guarded.

use crate::problem::Problem;
use crate::text::joined;

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
        let mut text = text;
        while let Some(rest) = text.strip_prefix(' ').or(text.strip_suffix(' ')) {
            text = rest;
        }
        if text.is_empty() {
            return Err(problem(
                "is empty: give the URL up to, not including, /chat/completions",
            ));
        }
        check_letters(text)?;
        if scheme_end(text) > 0 {
            return Self::absolute(text);
        }
        let location = location.unwrap_or_default();
        let (location, _) = cut(location, find(location, b'?').min(find(location, b'#')));
        let Ok(base) = Self::absolute(location) else {
            return Err(problem(
                "is relative, and there is no page to resolve it against: start it with https://",
            ));
        };
        if text.starts_with("//") {
            let (scheme, _) = cut(&base.text, scheme_end(&base.text));
            return Self::absolute(&joined(&[scheme, ":", text]));
        }
        let (directory, slash) = match text.starts_with('/') {
            true => ("", ""),
            false => (directory(base.path()), "/"),
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
        let (_, name) = cut(path, directory(path).len());
        name.strip_prefix('/').unwrap_or(name)
    }

    /// The URL of something below this one, with exactly one slash between.
    #[must_use]
    pub fn join(&self, path: &str) -> String {
        let mut path = path;
        while let Some(rest) = path.strip_prefix('/') {
            path = rest;
        }
        joined(&[&self.text, "/", path])
    }

    fn absolute(text: &str) -> Result<Self, Problem> {
        // The same holds for the parts that come from the page's own URL.
        check_letters(text)?;
        let (scheme, rest) = cut(text, scheme_end(text));
        let scheme = scheme.to_ascii_lowercase();
        if scheme != "http" && scheme != "https" {
            return Err(problem(
                "has a scheme other than http and https: start it with https://",
            ));
        }
        let Some(rest) = rest.strip_prefix("://") else {
            return Err(problem("has no // after its scheme: write https://host/path"));
        };
        let (authority, path) = cut(rest, find(rest, b'/'));
        if find(authority, b'@') < authority.len() {
            return Err(problem(
                "contains a user name or password: remove it and use apiKey or defaultHeaders",
            ));
        }
        // The colons of an IPv6 address stand within its brackets.
        let (_, after) = cut(authority, find(authority, b']'));
        let after = if after.is_empty() { authority } else { after };
        let (host, port) = cut(authority, authority.len() - after.len() + find(after, b':'));
        let number = port.as_bytes().get(1..).and_then(crate::json::integer);
        if !port.is_empty() && number.is_none_or(|port| port > 65_535) {
            return Err(problem("has a port that is not a number up to 65535"));
        }
        let address = host.strip_prefix('[').and_then(|host| host.strip_suffix(']'));
        let allowed = |byte: &u8| match address {
            Some(_) => byte.is_ascii_hexdigit() || matches!(byte, b':' | b'.'),
            None => byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'.' | b'_'),
        };
        let has_shape = match address {
            Some(address) => find(address, b':') < address.len(),
            None => !host.is_empty() && !host.starts_with('.') && crate::text::find(host, "..").is_none(),
        };
        if !has_shape || !address.unwrap_or(host).as_bytes().iter().all(allowed) {
            return Err(problem(
                "has no valid host name: write a plain one (an international one as xn--…)",
            ));
        }
        let mut url = joined(&[&scheme, "://"]);
        let start = url.len();
        url.push_str(&host.to_ascii_lowercase());
        let end = url.len();
        url.push_str(port);
        let path_start = url.len();
        // Takes `.` and `..` out of the path, as every fetch would.
        let mut rest = path;
        while let Some(after) = rest.strip_prefix('/') {
            let (part, next) = cut(after, find(after, b'/'));
            match part {
                "." => {}
                ".." => url.truncate(path_start + directory(cut(&url, path_start).1).len()),
                part => {
                    url.push('/');
                    url.push_str(part);
                }
            }
            rest = next;
        }
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

fn check_letters(text: &str) -> Result<(), Problem> {
    for byte in text.as_bytes() {
        return Err(problem(match byte {
            0..=0x20 | 0x7F => "contains white space or a control character: remove it",
            b'\\' => "contains a backslash: use forward slashes",
            b'#' => "contains a fragment (#): remove it",
            b'?' => "contains a query (?): remove it and use defaultQuery",
            _ => continue,
        }));
    }
    Ok(())
}

/// Where the scheme ends, 0 if the text starts with none. `localhost:8080/v1` has none: a digit after the colon is a port.
fn scheme_end(text: &str) -> usize {
    let (scheme, rest) = cut(text, find(text, b':'));
    let is_plain = |byte: &u8| byte.is_ascii_alphanumeric() || matches!(byte, b'+' | b'-' | b'.');
    let is_scheme = !matches!(rest.as_bytes(), [] | [_, b'0'..=b'9', ..])
        && scheme.as_bytes().first().is_some_and(u8::is_ascii_alphabetic)
        && scheme.as_bytes().iter().all(is_plain);
    if is_scheme { scheme.len() } else { 0 }
}

/// A path up to, not including, its last slash.
fn directory(path: &str) -> &str {
    let mut at = path.len();
    while at > 0 && path.as_bytes().get(at) != Some(&b'/') {
        at -= 1;
    }
    cut(path, at).0
}

/// Where a byte stands first, or the length of the text.
fn find(text: &str, byte: u8) -> usize {
    let mut at = 0;
    while text.as_bytes().get(at).is_some_and(|other| *other != byte) {
        at += 1;
    }
    at
}

fn cut(text: &str, at: usize) -> (&str, &str) {
    text.split_at_checked(at).unwrap_or((text, ""))
}

fn problem(message: &str) -> Problem {
    Problem::refused("invalid_base_url", &["baseURL"], joined(&["baseURL ", message]))
}
