//! Where a server writes how long to wait, and in which unit.
//!
//! `Retry-After` is a standard that few keep. The same time is written in headers that count a limit down, in a field of the
//! error, in the headers of another server's answer that the error quotes, or in the sentence for people. All of it is read
//! here; [`Hints`](crate::policy::retry::Hints) puts it in order.

use crate::json::{Kind, Malformed, Reader};
use crate::text::{find, joined, lossy, split_at_mark};

/// A server that names a longer time than a day, in milliseconds, is taken to have said a day.
pub const LONGEST_NAMED_MS: f64 = 86_400_000.0;

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
    let is_digit = |at: usize| text.get(at).is_some_and(u8::is_ascii_digit);
    for byte in text {
        match byte {
            b'0'..=b'9' => {
                value = value * 10.0 + f64::from(byte - b'0');
                scale *= if fraction { 10.0 } else { 1.0 };
            }
            b'.' | b',' if length > 0 && !fraction && is_digit(length + 1) => {
                // `1,5` is one and a half, and `1,500` perhaps not.
                if *byte == b',' && is_digit(length + 3) {
                    break;
                }
                fraction = true;
            }
            _ => break,
        }
        length += 1;
    }
    (length > 0).then_some((value / scale, length))
}

/// Units without the `s` of the plural, and their milliseconds; those of four bytes and more are beginnings, of other languages too.
/// Of those that are not ASCII the longer ones first. One text for each: tables of texts are larger in the npm module.
const UNITS: [(&str, f64); 7] = [
    ("ms|milli", 1.0),
    ("s|sec|seco|seku|segu|сек|सेक|秒钟|秒|초", 1e3),
    ("m|min|minu|мин|मिन|分钟|分鐘|分|분", 60e3),
    ("h|hr|hour|heur|hora|stund|час|घं|小时|小時|時間|시간", 3600e3),
    ("d|day", 86_400e3),
    ("us|µs", 1e-3),
    ("ns", 1e-6),
];

/// Any letter, and whatever else is not ASCII: the tables of what is a letter there are 2 KB of the npm module.
fn is_letter(next: char) -> bool {
    next.is_ascii_alphabetic() || !next.is_ascii()
}

/// The text after a unit at its beginning, and the milliseconds of the unit.
fn unit(text: &str) -> Option<(&str, f64)> {
    for (units, ms) in UNITS {
        for unit in units.split('|') {
            let Some(rest) = text.strip_prefix(unit) else { continue };
            // `5 users` are no five microseconds. Chinese has no spaces.
            let is_plain = unit.bytes().next() < Some(128);
            let letters = match is_plain && unit.len() > 3 {
                true => rest.bytes().take_while(u8::is_ascii_lowercase).count(),
                false => usize::from(rest.starts_with('s')),
            };
            let rest = rest.get(letters..)?;
            if !is_plain || !rest.starts_with(is_letter) {
                return Some((rest, ms));
            }
        }
    }
    None
}

/// A length of time at the beginning of a text, in milliseconds, and how many bytes it is: `2m59.56s`, `350ms`, `5 minutes
/// and 3 seconds`. A bare number has no unit, and is `bare` milliseconds each; `None` where that is none.
fn duration(text: &str, bare: Option<f64>) -> Option<(f64, usize)> {
    let (mut total, mut at, mut parts) = (0.0, 0, 0);
    while let Some((value, length)) = number(text.get(at..)?.as_bytes()) {
        let after = text.get(at + length..)?;
        let spaces = after.len() - after.trim_start_matches(' ').len();
        let word = after.get(spaces..)?;
        let Some((rest, ms)) = unit(word) else {
            // Nor are they five seconds.
            let is_clock = matches!(word.as_bytes(), [b':' | b',', b'0'..=b'9', ..]);
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
    date(&lower, None).and_then(since_1970)
}

/// Milliseconds since 1970 of a date in any of HTTP's three forms (RFC 9110 §5.6.7): `Sun, 06 Nov 1994 08:49:37 GMT`, and
/// those that servers may send no more. Of a year of two digits, those below 70 are of this century.
///
/// ```
/// for text in ["Sun, 06 Nov 1994 08:49:37 GMT", "Sunday, 06-Nov-94 08:49:37 GMT", "Sun Nov  6 08:49:37 1994"] {
///     assert_eq!(chatwire::waits::http_date(text), Some(784_111_777_000.0), "{text}");
/// }
/// ```
#[must_use]
pub fn http_date(text: &str) -> Option<f64> {
    date(&text.to_ascii_lowercase(), None)
}

/// The same of a text in lower case, or one of RFC 3339, with a fraction or another zone perhaps; a text with the name of its
/// zone may go on. A time of day alone, `14:30 utc`, is the next one after `now`.
fn date(text: &str, now: Option<f64>) -> Option<f64> {
    let mut rest = text.as_bytes();
    // Year, month, day, hour, minute and second; what there is beside, in milliseconds.
    let (mut parts, mut beside) = ([-1, -1, -1, -1, -1, 0], 0.0);
    let (mut has_zone, mut hour_ms, mut before) = (false, 0.0, b' ');
    while let [first, after_first @ ..] = rest {
        if !first.is_ascii_alphanumeric() {
            (before, rest) = (*first, after_first);
            continue;
        }
        let is_alike = |byte: &&u8| byte.is_ascii_alphanumeric() && byte.is_ascii_digit() == first.is_ascii_digit();
        let (word, after) = rest.split_at_checked(rest.iter().take_while(is_alike).count())?;
        rest = after;
        let Some(count) = part(word, 0, word.len()) else {
            match word {
                _ if has_zone => break,
                b"gmt" | b"utc" | b"z" => has_zone = true,
                b"t" => {}
                _ => {
                    let names = b"janfebmaraprmayjunjulaugsepoctnovdecmontuewedthufrisatsun";
                    let at = names.chunks(3).position(|name| word.starts_with(name))? as i64;
                    if at < 12 {
                        parts[1] = at + 1;
                    }
                }
            }
            continue;
        };
        let has_minute = parts[4] >= 0;
        match (before, word.len()) {
            (b':', 2) if has_zone => beside -= count as f64 / 60.0 * hour_ms,
            (b':', 2) => parts[if has_minute { 5 } else { 4 }] = count,
            // `UTC-5` is another zone.
            _ if has_zone => return None,
            (b'+' | b'-', 2) if has_minute => {
                hour_ms = if before == b'+' { 3600e3 } else { -3600e3 };
                beside -= count as f64 * hour_ms;
                has_zone = true;
            }
            (b'.', digits) if has_minute => beside = (0..digits).fold(count as f64 * 1e3, |ms, _| ms / 10.0),
            (_, 1 | 2) if rest.first() == Some(&b':') => parts[3] = count,
            (_, 4) => parts[0] = count,
            (b'-', 2) if parts[1] < 0 => parts[1] = count,
            (_, 1 | 2) if parts[2] < 0 => parts[2] = count,
            (_, 2) => parts[0] = count + if count < 70 { 2000 } else { 1900 },
            _ => return None,
        }
    }
    if let ([-1, -1, -1, ..], true, Some(now)) = (parts, has_zone, now) {
        const DAY_MS: f64 = 86_400e3;
        let [.., hour, minute, second] = parts;
        let next = moment([1970, 1, 1, hour, minute, second])? + beside + (now / DAY_MS).floor() * DAY_MS;
        return Some(if next < now { next + DAY_MS } else { next });
    }
    Some(moment(parts)? + beside)
}

fn part(text: &[u8], place: usize, length: usize) -> Option<i64> {
    crate::json::integer(text.get(place..place + length)?).map(|number| number as i64)
}

fn moment([year, month, day, hour, minute, second]: [i64; 6]) -> Option<f64> {
    let are_parts = [hour, minute, 59 - minute, second, 60 - second, 23 - hour, year]
        .iter()
        .all(|part| *part >= 0);
    if !are_parts || !(1..=12).contains(&month) || !(1..=31).contains(&day) {
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
            // RateLimit: "minute";r=0;t=50, "day";r=7;t=40000, or limit=100, remaining=0, reset=50
            let (mut is_left, mut seconds) = (true, None);
            for part in value.split(',').flat_map(|limit| limit.split(';')) {
                let (key, value) = split_at_mark(part, "=").unwrap_or(("limit", part));
                match key.trim_ascii() {
                    "r" | "remaining" => is_left = value != "0",
                    "t" | "reset" => seconds = decimal(value),
                    // The next limit begins.
                    "limit" => (is_left, seconds) = (true, None),
                    _ => {}
                }
                if !is_left {
                    used_up = longer(used_up, seconds.map(|seconds| seconds * 1e3));
                }
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

/// Words of an error, in a sentence or in the name of a field, before a time to come back.
const BEFORE_WAIT: &str =
    "again|retry|reset|available|resume|back|blocked|limited|lifted|next|another request|重试|cooldown|wait|等";

/// The words between one of these and its time.
const BETWEEN: &str = "interval|in|after|at least|at|for|delay|time|off|until|on|about|approximately|around|another|date|时间|待|mon|tue|wed|thu|fri|sat|sun";

/// How long to wait by an error's text, in milliseconds: a field of it or a sentence. A number without a unit counts
/// seconds, or what the field's name says.
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
    for words in BEFORE_WAIT.split('|') {
        let mut at = 0;
        while let Some(found) = find(lower.get(at..)?, words) {
            at += found + words.len();
            // The first number of the same sentence, or of the same member.
            let is_over = |byte| matches!(byte, b'0'..=b'9' | b'.' | b',' | b';' | b'}' | b'!' | b'\n');
            let rest = lower.get(at..)?;
            let way = rest.bytes().position(is_over).unwrap_or(rest.len());
            let (between, is_wait) = (rest.get(..way)?, matches!(words, "cooldown" | "wait" | "等"));
            let wait = time_after(between, is_wait)
                .and_then(|bare| moment_or_duration(rest.get(way..)?, bare, epoch_ms))
                .or_else(|| in_words(between, is_wait));
            if wait.is_some() {
                return wait;
            }
        }
    }
    after_that_time(text)
}

/// Small numbers in words. The first three are one.
const NUMBERS: &str = "a|an|one|two|three|four|five|six|seven|eight|nine|ten";

/// `in a minute`, `for at least two hours`: a length of time without digits. `a second time` is none.
fn in_words(between: &str, mut has_word: bool) -> Option<f64> {
    let mut rest = between;
    while let Some((word, after)) = split_at_mark(rest, " ") {
        rest = after;
        if let Some(at) = NUMBERS.split('|').position(|number| number == word) {
            let number = at.max(2) - 1;
            return unit(after).filter(|_| has_word).map(|(_, ms)| ms * number as f64);
        }
        has_word = word.is_empty() && has_word
            || !word.is_empty() && BETWEEN.split('|').any(|between| between.ends_with(word));
    }
    None
}

/// Whether a time can follow these words: the milliseconds of a number without a unit, or nothing where it needs one.
fn time_after(between: &str, mut has_word: bool) -> Option<Option<f64>> {
    let (mut rest, mut bare) = (between, 1e3);
    loop {
        rest = opened(rest);
        if let Some(after) = BETWEEN.split('|').find_map(|word| rest.strip_prefix(word)) {
            (rest, has_word) = (after, true);
        } else if let Some((after, ms)) = unit(rest) {
            (rest, bare) = (after, ms);
        } else {
            break;
        }
    }
    // `retry your request in`: words that say nothing, and then one that does.
    let end = between.trim_end_matches([' ', ':', '"']);
    let is_said = rest.is_empty() || BETWEEN.split('|').any(|word| end.ends_with(word));
    (is_said && !between.ends_with('-')).then_some(Some(bare).filter(|_| has_word && rest.is_empty()))
}

/// A length of time, a time since 1970 or a date at the beginning of a text in lower case: how long it is until then.
fn moment_or_duration(text: &str, bare: Option<f64>, epoch_ms: f64) -> Option<f64> {
    let is_of_date = |byte| matches!(byte, b'0'..=b'9' | b'-' | b':' | b'.' | b'+' | b't' | b'z' | b' ');
    let end = text.bytes().position(|byte| !is_of_date(byte)).unwrap_or(text.len());
    let time = text.get(..end)?.trim_end_matches([' ', '.']);
    // A time since 1970 or a date is longer than any number of seconds.
    let is_moment = time.len() > 9;
    match duration(text, bare.filter(|_| !is_moment)) {
        None if is_moment => until_reset(time, epoch_ms),
        // The rest of `Sat, 21 Nov 2026 12:01:30 GMT`.
        None => date(text, Some(epoch_ms)).map(|date| (date - epoch_ms).max(0.0)),
        wait => wait.map(|(wait, _)| wait),
    }
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
                if ["后", "後", "之后", "후", "뒤", "待", "お待"]
                    .iter()
                    .any(|after| rest.starts_with(after))
                {
                    return Some(wait);
                }
            }
        }
        is_within = is_number;
    }
    None
}

/// The words before or behind a time that a limit is for: "too many requests within 60 seconds".
const WITHIN: &str = "within|per|every|each|/|innerhalb von|pro|par|por|за|每|内|內|以内|以內|이내|안에|のうち";

/// The wait in the message of a limit in any language: the sum of its numbers, where each of them is a length of time, and
/// none the time that the limit is for.
///
/// ```
/// use chatwire::waits::only_times;
///
/// assert_eq!(only_times("Bitte versuchen Sie es in 1 Minute und 30 Sekunden erneut."), Some(90_000.0));
/// assert_eq!(only_times("5 Anfragen in 60 Sekunden"), None);
/// assert_eq!(only_times("Too many requests within 60 seconds"), None);
/// ```
#[must_use]
pub fn only_times(message: &str) -> Option<f64> {
    let lower = message.to_ascii_lowercase();
    let (mut rest, mut total) = (&*lower, None);
    while let Some(at) = rest.bytes().position(|byte| byte.is_ascii_digit()) {
        let before = rest.get(..at)?.trim_end_matches(' ');
        let (value, length) = number(rest.get(at..)?.as_bytes())?;
        let (after, ms) = unit(rest.get(at + length..)?.trim_start_matches(' '))?;
        let is_within = |word| before.ends_with(word) || opened(after).starts_with(word);
        if WITHIN.split('|').any(is_within) {
            return None;
        }
        rest = after;
        total = Some(total.unwrap_or(0.0) + value * ms);
    }
    total
}

/// Without the marks between a word and its value. Not inlined: its copies cost more bytes of code than calls.
#[inline(never)]
fn opened(text: &str) -> &str {
    text.trim_start_matches([' ', '"', '\\', ':', '~', '=', '\'', '*', '`', '_', '-', '(', '{', '：'])
}

/// The headers of another server's answer that an error quotes: the members of every object whose name ends in `headers`.
pub(crate) fn quoted_headers(body: &str) -> Vec<(String, String)> {
    let mut headers = Vec::new();
    // The members before the break still count in a body that is cut.
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
                        collect(
                            reader,
                            name.to_ascii_lowercase().ends_with(b"headers"),
                            level + 1,
                            headers,
                        )?;
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
