//! Requests and refusals: errors, validation, addresses, keys, waits.

use chatwire::chat::view::View;
use chatwire::json::{Str, is_json};
use chatwire::policy::retry::{Decision, FailedAttempt, Hints, LONGEST_NAMED_MS, LONGEST_WAIT_MS, decide};
use chatwire::policy::validate;
use chatwire::provider::{BaseUrl, Provider};
use chatwire::trouble::Trouble;
use chatwire::{Error, redact, waits};

use super::settings;

/// A key in no body, header or error survives, and no body is too odd for an error.
pub fn error_body(bytes: &[u8]) {
    const KEY: &str = "sk-Fuzz/1234";
    let ([high, low, flags], body) = settings(bytes);
    let status = u16::from(high % 4) * 200 + u16::from(low);
    let body = String::from_utf8_lossy(body);
    let headers = match flags & 1 {
        0 => Vec::new(),
        _ => vec![
            ("X-Request-Id".to_owned(), body.chars().take(64).collect()),
            ("a".to_owned(), KEY.to_owned()),
        ],
    };
    let error = Error::from_response(status, headers, &body, Some(KEY));
    assert!(!error.to_string().is_empty());
    let shown = format!("{error:?}");
    assert!(!shown.contains(KEY), "{shown}");
    if let Some(response) = &error.response {
        for json in [&response.error, &response.details].into_iter().flatten() {
            assert!(is_json(json.as_bytes()), "{json}");
            let read = Str::spelled(json.as_bytes()).to_text();
            assert!(!read.contains(KEY), "{json}");
        }
    }
    let trouble = error.trouble;
    let hints = Hints::read_all(&[], &body, trouble, 1.8e12);
    assert!(
        hints
            .wait_ms
            .is_none_or(|wait| (0.0..=LONGEST_NAMED_MS).contains(&wait))
    );
}

/// Any request is judged, by no more than a hundred problems, which quote no message.
pub fn validation(bytes: &[u8]) {
    const SAID: &str = "Xmarksthespot";
    let ([provider], body) = settings(bytes);
    let provider = ["electron", "electronhub", "openai"][usize::from(provider) % 3];
    let Ok(provider) = Provider::named(provider) else {
        panic!("{provider} is there");
    };
    let view = View::of_body(body);
    let problems = validate::validate(&view, &provider);
    assert!(problems.len() <= validate::MAX_PROBLEMS, "{}", problems.len());
    assert_eq!(View::from_json(body).is_ok(), is_json(body), "what is JSON is a view");
    let is_content = view.messages().iter().any(|message| {
        let content = message.get("content").and_then(|content| content.as_str());
        content.is_some_and(|content| content.contains(SAID))
    });
    let times = body.windows(SAID.len()).filter(|part| *part == SAID.as_bytes()).count();
    for problem in &problems {
        let sentence = problem.sentence();
        assert!(!sentence.is_empty() && !problem.code.is_empty());
        // Only the content says it.
        assert!(times != 1 || !is_content || !sentence.contains(SAID), "{sentence}");
    }
    let _ = (view.model(), provider.reasoning_place(&view));
}

/// A base URL that is accepted is plain, and is accepted again as it is.
pub fn base_url(bytes: &[u8]) {
    let text = String::from_utf8_lossy(bytes);
    let (text, page) = text.split_once('\n').unwrap_or((&text, ""));
    let Ok(base) = BaseUrl::parse(text, Some(page)) else {
        return;
    };
    let same = BaseUrl::parse(base.as_str(), None);
    assert_eq!(same.as_ref(), Ok(&base), "an accepted URL is accepted again");
    assert!(
        !base.as_str().contains(['?', '#', '\\']) && !base.origin().contains('@'),
        "{base:?}"
    );
    assert!(!base.host().is_empty() && !base.as_str().ends_with('/'), "{base:?}");
    assert_eq!(base.join("/chat"), [base.as_str(), "/chat"].concat());
}

/// No key is left in a text, nor its beginning where the text was cut; no header that passes is two.
pub fn redaction(bytes: &[u8]) {
    let text = String::from_utf8_lossy(bytes);
    let (key, text) = text.split_once('\n').unwrap_or(("sk-1234", &text));
    let _ = redact::check_key(key);
    if let Some((name, value)) = text.split_once(':')
        && redact::check_header("headers", name, value).is_ok()
    {
        assert!(!value.contains(['\r', '\n', '\0']) && !name.contains(['\r', '\n', ':', ' ']) && !name.is_empty());
    }
    // A key of these letters could be made of the placeholder itself.
    if key.len() < 4 || key.contains(['[', ']']) || "key".contains(key) {
        return;
    }
    let scrubbed = redact::scrub(text.to_owned(), Some(key));
    assert!(!scrubbed.contains(key), "{scrubbed}");
    for at in (0..=text.len()).filter(|at| text.is_char_boundary(*at)).take(200) {
        let cut = redact::scrub_cut(text[..at].to_owned(), Some(key));
        assert!(!cut.contains(key), "{cut}");
        for length in (4..key.len()).filter(|length| key.is_char_boundary(*length)) {
            assert!(!cut.ends_with(&key[..length]), "{cut} ends in the start of {key}");
        }
    }
}

/// For all headers and sentences, a wait is a length of time, and a decision keeps to the caller's budget.
pub fn retry(bytes: &[u8]) {
    let ([number, trouble, budget], text) = settings(bytes);
    let text = String::from_utf8_lossy(text);
    let (head, body) = text.split_once("\n\n").unwrap_or((&text, &text));
    let headers: Vec<(String, String)> = head
        .lines()
        .filter_map(|line| line.split_once(':'))
        .map(|(name, value)| (name.to_owned(), value.to_owned()))
        .collect();
    for epoch in [0.0, 1.795_262_4e12] {
        for wait in [waits::until_reset(&text, epoch), waits::in_text(&text)] {
            assert!(wait.is_none_or(|wait| wait >= 0.0), "{wait:?}");
        }
        let _ = waits::http_date(&text);
        let kinds = [Trouble::Limit, Trouble::Server, Trouble::Quota];
        let trouble = kinds[usize::from(trouble) % kinds.len()];
        let hints = Hints::read_all(&headers, body, trouble, epoch);
        let is_wait = |wait: f64| (0.0..=LONGEST_NAMED_MS).contains(&wait);
        assert!(hints.wait_ms.is_none_or(is_wait), "{hints:?}");
        let attempt = FailedAttempt {
            number: u32::from(number),
            max_retries: 2,
            trouble,
            hints,
            now_ms: epoch,
            random: 0.5,
            remaining_budget_ms: f64::from(budget) * 1000.0,
            cooldown_ms: Some(60_000.0),
        };
        match decide(&attempt) {
            Decision::Retry { after_ms } => {
                assert!(attempt.number <= 2 && after_ms >= 0.0);
                assert!(
                    after_ms <= attempt.remaining_budget_ms.min(LONGEST_WAIT_MS),
                    "{after_ms}"
                );
            }
            Decision::Fail { retry_at } => assert!(retry_at.is_none_or(|at| at.is_finite() && at >= epoch)),
        }
    }
}
