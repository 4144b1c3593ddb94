//! Where a server writes how long to wait, and in which unit.
//!
//! `Retry-After` is a standard that few keep. The same time is written in headers that count a limit down, in a field of the
//! error, in the headers of another server's answer that the error quotes, or in the sentence for people. All of it is read
//! here; [`Hints`](crate::policy::retry::Hints) puts it in order.

use crate::json::{Kind, Malformed, Reader};
use crate::text::{find, joined, lossy, split_at_mark};

/// Digits, perhaps with a fraction. Signs, exponents and words are none: `-1`, `1e9` and `soon` are not times.
pub(crate) fn decimal(text: &str) -> Option<f64> {
    let text = text.trim_ascii();
    let (value, length) = number(text.as_bytes())?;
    // `120, 120`: a proxy has sent the header again.
    matches!(text.as_bytes().get(length..), Some([] | [b',', b' ', ..])).then_some(value)
}

/// The number at the beginning, and how many bytes it is.
fn number(text: &[u8]) -> Option<(f64, usize)> {
    let (mut value, mut scale, mut fraction, mut length) = (0.0, 1.0, false, 0);
    for byte in text {
        match byte {
            b'0'..=b'9' => {
                value = value * 10.0 + f64::from(byte - b'0');
                scale *= if fraction { 10.0 } else { 1.0 };
            }
            b'.' if length > 0 && !fraction && text.get(length + 1).is_some_and(u8::is_ascii_digit) => fraction = true,
            _ => break,
        }
        length += 1;
    }
    (length > 0).then_some((value / scale, length))
}

/// Units by their first letters, without the `s` of the plural; the longer ones first.
const UNITS: &[(&str, f64)] = &[
    ("millisecond", 1.0),
    ("milli", 1.0),
    ("minute", 60e3),
    ("second", 1e3),
    ("hour", 3600e3),
    ("day", 86_400e3),
    ("min", 60e3),
    ("sec", 1e3),
    ("hr", 3600e3),
    ("ms", 1.0),
    ("µs", 1e-3),
    ("us", 1e-3),
    ("ns", 1e-6),
    ("h", 3600e3),
    ("m", 60e3),
    ("s", 1e3),
    ("d", 86_400e3),
    ("秒钟", 1e3),
    ("秒", 1e3),
    ("초", 1e3),
    ("分钟", 60e3),
    ("分鐘", 60e3),
    ("分", 60e3),
    ("분", 60e3),
    ("小时", 3600e3),
    ("小時", 3600e3),
    ("時間", 3600e3),
    ("시간", 3600e3),
];

/// Any letter, and whatever else is not ASCII: the tables of what is a letter there are 2 KB of the npm module.
fn is_letter(next: char) -> bool {
    next.is_ascii_alphabetic() || !next.is_ascii()
}

/// A length of time at the beginning of a text, in milliseconds, and how many bytes it is: `2m59.56s`, `350ms`, `5 minutes
/// and 3 seconds`. A bare number has no unit, and is `bare` milliseconds each; `None` where that is none.
fn duration(text: &str, bare: Option<f64>) -> Option<(f64, usize)> {
    let (mut total, mut at, mut parts) = (0.0, 0, 0);
    while let Some((value, length)) = number(text.get(at..)?.as_bytes()) {
        let after = text.get(at + length..)?;
        let spaces = after.len() - after.trim_start_matches(' ').len();
        let word = after.get(spaces..)?;
        let unit = |(unit, ms): &(&str, f64)| {
            let rest = word.strip_prefix(unit)?;
            let rest = rest.strip_prefix('s').unwrap_or(rest);
            // `5 users` are no five microseconds. Chinese has no spaces.
            let is_whole = unit.bytes().next() > Some(127) || !rest.starts_with(is_letter);
            is_whole.then_some((rest, *ms))
        };
        let Some((rest, ms)) = UNITS.iter().find_map(unit) else {
            // Nor are they five seconds.
            let is_clock = matches!(word.as_bytes(), [b':', b'0'..=b'9', ..]);
            let is_bare = parts == 0 && !word.starts_with(is_letter) && !is_clock;
            return bare.filter(|_| is_bare).map(|bare| (value * bare, length));
        };
        total += value * ms;
        parts += 1;
        at = text.len() - rest.len();
        let next = rest.trim_start_matches([' ', ',']);
        let next = next.strip_prefix("and ").unwrap_or(next);
        if !next.starts_with(|first: char| first.is_ascii_digit()) {
            break;
        }
        at += rest.len() - next.len();
    }
    (parts > 0).then_some((total, at))
}

/// How long to wait for a time that a header names: seconds from now, a length of time, or a date in any of the common
/// forms. Numbers that can only be a time since 1970 are one, in seconds, milli-, micro- or nanoseconds.
///
/// ```
/// use chatwire::waits::until_reset;
///
/// let now = 1_795_262_400_000.0;
/// for text in ["30", "30s", "0m30s", "30000ms", "1795262430", "1795262430000", "2026-11-21T12:00:30Z"] {
///     assert_eq!(until_reset(text, now), Some(30_000.0), "{text}");
/// }
/// ```
#[must_use]
pub fn until_reset(text: &str, epoch_ms: f64) -> Option<f64> {
    let text = text.trim_ascii();
    let since_1970 = |ms: f64| Some((ms - epoch_ms).max(0.0));
    if let Some(value) = decimal(text) {
        return match value {
            1e18.. => since_1970(value / 1e6),
            1e15.. => since_1970(value / 1e3),
            1e12.. => since_1970(value),
            1e9.. => since_1970(value * 1e3),
            _ => Some(value * 1e3),
        };
    }
    let lower = text.to_ascii_lowercase();
    if let Some((ms, length)) = duration(&lower, None) {
        return (length == lower.len()).then_some(ms);
    }
    http_date(text).or_else(|| iso_date(text)).and_then(since_1970)
}

/// Milliseconds since 1970 of an IMF-fixdate (RFC 9110 §5.6.7), `Sun, 06 Nov 1994 08:49:37 GMT`: the one form that
/// servers may send today.
///
/// ```
/// assert_eq!(chatwire::waits::http_date("Sun, 06 Nov 1994 08:49:37 GMT"), Some(784_111_777_000.0));
/// ```
#[must_use]
pub fn http_date(text: &str) -> Option<f64> {
    let text = text.trim_ascii().as_bytes();
    if !has_shape(text, b"???, dd mmm yyyy hh:mm:ss GMT") {
        return None;
    }
    let months = b"JanFebMarAprMayJunJulAugSepOctNovDec";
    let month = months.chunks(3).position(|month| text.get(8..11) == Some(month))? as i64 + 1;
    moment(
        [part(text, 12, 4)?, month, part(text, 5, 2)?],
        [17, 20, 23].map(|at| part(text, at, 2)),
    )
}

/// Milliseconds since 1970 of `2026-11-21T12:00:30Z` (RFC 3339), with a fraction or another zone perhaps.
fn iso_date(text: &str) -> Option<f64> {
    let bytes = text.as_bytes();
    if !has_shape(bytes.get(..19)?, b"yyyy-mm-ddThh:mm:ss") {
        return None;
    }
    let date = [part(bytes, 0, 4)?, part(bytes, 5, 2)?, part(bytes, 8, 2)?];
    let whole = moment(date, [11, 14, 17].map(|at| part(bytes, at, 2)))?;
    let mut rest = text.get(19..)?;
    let mut fraction = 0.0;
    if let Some(digits) = rest.strip_prefix('.') {
        let end = digits.find(|next: char| !next.is_ascii_digit()).unwrap_or(digits.len());
        fraction = decimal(digits.get(..end)?)? / (0..end.min(30)).fold(1.0, |power, _| power * 10.0);
        rest = digits.get(end..)?;
    }
    let zone = match rest.as_bytes() {
        b"Z" | b"z" | b"" => 0.0,
        zone if has_shape(zone, b"?hh:mm") => {
            let minutes = part(zone, 1, 2)? * 60 + part(zone, 4, 2)?;
            minutes as f64 * 60e3 * if zone.first() == Some(&b'-') { -1.0 } else { 1.0 }
        }
        _ => return None,
    };
    Some(whole + fraction * 1e3 - zone)
}

/// Whether a text is shaped like another: letters and question marks of the shape stand for anything.
fn has_shape(text: &[u8], shape: &[u8]) -> bool {
    let fits = |(byte, shape): (&u8, &u8)| shape.is_ascii_lowercase() || *shape == b'?' || byte == shape;
    text.len() == shape.len() && text.iter().zip(shape).all(fits)
}

fn part(text: &[u8], place: usize, length: usize) -> Option<i64> {
    crate::json::integer(text.get(place..place + length)?).map(|number| number as i64)
}

fn moment([year, month, day]: [i64; 3], time: [Option<i64>; 3]) -> Option<f64> {
    let [hour, minute, second] = [time[0]?, time[1]?, time[2]?];
    if !(1..=12).contains(&month) || !(1..=31).contains(&day) || hour > 23 || minute > 59 || second > 60 {
        return None;
    }
    // Days since 1970, with years that begin in March, so that a leap day is a year's last.
    let (year, month) = if month < 3 {
        (year - 1, month + 9)
    } else {
        (year, month - 3)
    };
    let days = 365 * year + year / 4 - year / 100 + year / 400 + (month * 153 + 2) / 5 + day - 1 - 719_468;
    Some(((days * 24 + hour) * 60 + minute) as f64 * 60e3 + second as f64 * 1e3)
}

/// How long until the limits are free again that headers call used up. Of several, the last; where none is said to be used
/// up, the first of those of which nothing is said.
pub(crate) fn of_limits(headers: &[(String, String)], epoch_ms: f64) -> Option<f64> {
    let (mut used_up, mut unknown): (Option<f64>, Option<f64>) = (None, None);
    for (name, value) in headers {
        let name = name.to_ascii_lowercase();
        if find(&name, "ratelimit").or_else(|| find(&name, "rate-limit")).is_none() {
            continue;
        }
        if find(&name, "reset").is_none() {
            // RateLimit: limit=100, remaining=0, reset=50, or "default";r=0;t=50
            for (left, reset) in [("remaining=0", "reset="), (";r=0", ";t=")] {
                let at = find(value, left).and_then(|_| find(value, reset));
                let seconds = at.and_then(|at| number(value.get(at + reset.len()..)?.as_bytes()));
                used_up = longer(used_up, seconds.map(|(seconds, _)| seconds * 1e3));
            }
            continue;
        }
        // `x-ratelimit-reset-ms: 1500`
        let in_ms = name
            .strip_suffix("-ms")
            .filter(|_| decimal(value).is_some_and(|ms| ms < 1e9));
        let Some(wait) = until_reset(value, epoch_ms).map(|wait| if in_ms.is_some() { wait / 1e3 } else { wait })
        else {
            continue;
        };
        let (before, after) = split_at_mark(in_ms.unwrap_or(&name), "reset").unwrap_or_default();
        let remaining = joined(&[before, "remaining", after]);
        let left = headers.iter().find(|(other, _)| other.eq_ignore_ascii_case(&remaining));
        match left.map(|(_, left)| decimal(left)) {
            Some(Some(0.0)) => used_up = longer(used_up, Some(wait)),
            Some(Some(_)) => {}
            _ => unknown = Some(unknown.map_or(wait, |first| first.min(wait))),
        }
    }
    used_up.or(unknown)
}

fn longer(one: Option<f64>, other: Option<f64>) -> Option<f64> {
    match (one, other) {
        (Some(one), Some(other)) => Some(one.max(other)),
        (one, other) => one.or(other),
    }
}

/// Words after which a time to wait stands, in an error's text or as the name of one of its fields.
const BEFORE_WAIT: &[&str] = &[
    "again in",
    "again after",
    "retry in",
    "retry after",
    "request after",
    "retrydelay",
    "retry_delay",
    "retry-after",
    "retry_after",
    "retryafter",
    "available in",
    "resets in",
    "resets_in",
    "reset in",
    "reset after",
    "reset at",
    "resets at",
    "reset_at",
    "resets_at",
    "resetat",
    "resetsat",
    "reset_time",
    "back off for",
    "cooldown",
    "wait",
];

/// How long to wait by an error's text, in milliseconds: a field of it or a sentence. A number without a unit counts seconds.
///
/// ```
/// use chatwire::waits::in_text;
///
/// assert_eq!(in_text("Limit 6000, Used 5970. Please try again in 2m59.56s."), Some(179_560.0));
/// assert_eq!(in_text(r#"{"@type":"type.googleapis.com/google.rpc.RetryInfo","retryDelay":"36s"}"#), Some(36_000.0));
/// assert_eq!(in_text("Wait for it."), None);
/// ```
#[must_use]
pub fn in_text(text: &str) -> Option<f64> {
    in_text_at(text, 0.0)
}

/// The same for texts that may name a time: `"resets_at": 1795262430`, `"retry_after": "2026-11-21T12:00:30Z"`.
pub(crate) fn in_text_at(text: &str, epoch_ms: f64) -> Option<f64> {
    let lower = text.to_ascii_lowercase();
    for words in BEFORE_WAIT {
        let mut at = 0;
        while let Some(found) = find(lower.get(at..)?, words) {
            at += found + words.len();
            let mut rest = lower.get(at..)?;
            let mut bare = Some(1e3);
            for (unit, ms) in [
                ("_ms", 1.0),
                ("ms", 1.0),
                ("_seconds", 1e3),
                ("seconds", 1e3),
                ("_s", 1e3),
            ] {
                if let Some(after) = rest.strip_prefix(unit) {
                    (rest, bare) = (after, Some(ms));
                    break;
                }
            }
            let rest = opened(rest);
            let rest = ["for ", "about ", "approximately ", "at least ", "another "]
                .iter()
                .find_map(|word| rest.strip_prefix(word))
                .unwrap_or(rest);
            // `{"seconds": 36}`
            let rest = rest.strip_prefix("{\"seconds\"").unwrap_or(rest);
            let rest = opened(rest);
            let is_of_date = |byte| matches!(byte, b'0'..=b'9' | b'-' | b':' | b'.' | b'+' | b't' | b'z');
            let end = rest.bytes().position(|byte| !is_of_date(byte)).unwrap_or(rest.len());
            // A time since 1970 or a date: both are longer than any wait.
            let wait = if end > 9 {
                let time = text.get(text.len() - rest.len()..)?.get(..end)?;
                until_reset(time.strip_suffix('.').unwrap_or(time), epoch_ms)
            } else {
                duration(rest, bare).map(|(wait, _)| wait)
            };
            if wait.is_some() {
                return wait;
            }
        }
    }
    after_that_time(text)
}

/// `20 秒后`, `3分钟後`, `20초 후`: a time and a word for "after it", as Chinese, Japanese and Korean have them behind the number.
/// `60秒内` is a limit's own minute, and no wait.
fn after_that_time(text: &str) -> Option<f64> {
    let mut is_within = false;
    for (at, byte) in text.bytes().enumerate() {
        let is_number = byte.is_ascii_digit() || byte == b'.';
        if is_number && !is_within {
            let rest = text.get(at..)?;
            if let Some((wait, length)) = duration(rest, None) {
                let rest = opened(rest.get(length..)?);
                if ["后", "後", "之后", "후"].iter().any(|after| rest.starts_with(after)) {
                    return Some(wait);
                }
            }
        }
        is_within = is_number;
    }
    None
}

/// Without the marks between a word and its value. Not inlined: its copies cost more bytes of code than calls.
#[inline(never)]
fn opened(text: &str) -> &str {
    text.trim_start_matches([' ', '"', '\\', ':', '~', '=', '\'', '*', '`'])
}

/// The headers of another server's answer that an error quotes: the members of every object called `headers`.
pub(crate) fn quoted_headers(body: &str) -> Vec<(String, String)> {
    let mut headers = Vec::new();
    // A body that breaks off still tells what came before the break.
    let _ = collect(&mut Reader::new(body.as_bytes()), false, 0, &mut headers);
    headers
}

fn collect(
    reader: &mut Reader<'_>,
    is_headers: bool,
    level: u8,
    headers: &mut Vec<(String, String)>,
) -> Result<(), Malformed> {
    let mut first = true;
    match reader.kind()? {
        Kind::Object if level < 6 => {
            reader.object()?;
            while let Some(name) = reader.member(&mut first)? {
                let value = match reader.kind()? {
                    Kind::String if is_headers => reader.string()?.to_text(),
                    Kind::Number if is_headers => lossy(reader.value()?),
                    _ => {
                        collect(reader, name == b"headers", level + 1, headers)?;
                        continue;
                    }
                };
                headers.push((lossy(name), value));
            }
        }
        Kind::Array if level < 6 => {
            reader.array()?;
            while reader.element(&mut first)? {
                collect(reader, false, level + 1, headers)?;
            }
        }
        _ => drop(reader.value()?),
    }
    Ok(())
}
