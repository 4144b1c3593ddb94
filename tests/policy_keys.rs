//! Which key a client sends, and where it may not be.

#![cfg(not(target_arch = "wasm32"))]

use chatwire::policy::keys::{Environment, GivenKey, Key, KeyChoice, KeyQuestion, choose_key};
use chatwire::policy::retry::retries;
use chatwire::provider::{BaseUrl, Provider};

/// The choice in a word, or the codes of the problems.
fn chosen(base_url: &str, given: GivenKey<'_>, environment: Environment<'_>, in_page: bool, allowed: bool) -> String {
    let provider = Provider::named("electron").unwrap();
    let base = BaseUrl::parse(base_url, None).unwrap();
    let question = KeyQuestion {
        given,
        environment,
        in_page,
        allowed_in_page: allowed,
    };
    match choose_key(&provider, &base, question) {
        Ok(KeyChoice::Key(Key::None)) => "none".to_owned(),
        Ok(KeyChoice::Key(Key::Asked)) => "asked".to_owned(),
        Ok(KeyChoice::Key(Key::Value(key))) => key,
        Ok(KeyChoice::Read(variable)) => format!("read {variable}"),
        Err(problems) => {
            assert!(problems.iter().all(|problem| problem.path == ["apiKey"]));
            let codes: Vec<_> = problems.iter().map(|problem| problem.code).collect();
            codes.join(" ")
        }
    }
}

#[test]
fn what_is_given_goes_before_the_environment_and_only_an_own_host_needs_a_key() {
    use Environment::{Absent, Unread, Value};
    const OWN: &str = "https://api.smallest.ai/waves/v1";
    const OTHER: &str = "https://gateway.example/v1";
    let table = [
        (OWN, GivenKey::Text("sk-given"), Value("sk-env"), "sk-given"),
        (OWN, GivenKey::Null, Value("sk-env"), "none"),
        (OWN, GivenKey::Function, Value("sk-env"), "asked"),
        (OWN, GivenKey::Absent, Value(" sk-env\n"), "sk-env"),
        (OWN, GivenKey::Absent, Value(" "), "invalid_option"),
        (OWN, GivenKey::Absent, Absent, "missing_key"),
        (OWN, GivenKey::Absent, Unread, "read SMALLEST_API_KEY"),
        (OWN, GivenKey::Text("two words"), Absent, "invalid_api_key"),
        (OTHER, GivenKey::Absent, Unread, "none"),
        (OTHER, GivenKey::Absent, Value("sk-env"), "none"),
        (OTHER, GivenKey::Text("sk-given"), Unread, "sk-given"),
    ];
    for (host, given, environment, expected) in table {
        assert_eq!(
            chosen(host, given, environment, false, false),
            expected,
            "{host} {given:?} {environment:?}"
        );
    }
}

#[test]
fn a_key_for_an_own_host_is_guarded_in_pages() {
    const OWN: &str = "https://api.smallest.ai/waves/v1";
    let page = |host, given, allowed| chosen(host, given, Environment::Absent, true, allowed);
    assert_eq!(page(OWN, GivenKey::Text("sk-1"), false), "key_in_page");
    assert_eq!(page(OWN, GivenKey::Function, false), "key_in_page");
    assert_eq!(page(OWN, GivenKey::Text(" sk-1"), false), "invalid_api_key key_in_page");
    assert_eq!(page(OWN, GivenKey::Text("sk-1"), true), "sk-1");
    assert_eq!(page(OWN, GivenKey::Null, false), "none");
    assert_eq!(
        page("https://gateway.example/v1", GivenKey::Text("sk-1"), false),
        "sk-1"
    );
}

#[test]
fn retries_are_a_number_from_0_to_100() {
    for (number, expected) in [(0.0, Some(0)), (2.0, Some(2)), (100.0, Some(100))] {
        assert_eq!(retries(number).ok(), expected);
    }
    for number in [-1.0, 100.5, 101.0, f64::INFINITY, f64::NAN] {
        assert_eq!(retries(number).unwrap_err().path, ["maxRetries"], "{number}");
    }
}
