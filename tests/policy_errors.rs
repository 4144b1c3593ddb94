//! Errors: one shape out of every body a server or a proxy can send, and no key in any of it.

#![allow(clippy::unwrap_used, clippy::indexing_slicing, missing_docs)]

use chatwire::Error;
use chatwire::error::{ErrorKind, MAX_BODY_BYTES};
use chatwire::redact::{check_header, check_key, scrub, scrub_cut};
use proptest::prelude::*;

fn read(status: u16, body: &str) -> Error {
    Error::from_response(status, Vec::new(), body, None)
}

#[test]
fn each_status_has_its_class() {
    for (status, name) in [
        (400, "BadRequestError"),
        (401, "AuthenticationError"),
        (403, "PermissionDeniedError"),
        (404, "NotFoundError"),
        (409, "ConflictError"),
        (422, "UnprocessableEntityError"),
        (429, "RateLimitError"),
        (500, "InternalServerError"),
        (502, "InternalServerError"),
        (503, "InternalServerError"),
        (599, "InternalServerError"),
        (302, "APIError"),
        (402, "APIError"),
        (408, "APIError"),
        (413, "APIError"),
    ] {
        let error = read(status, "");
        assert_eq!((error.name(), error.status()), (name, Some(status)));
        assert_eq!(ErrorKind::from_name(name).name(), name);
    }
    assert_eq!(ErrorKind::from_name("Nonsense"), ErrorKind::Configuration);
}

#[test]
fn electrons_error_is_read_whole() {
    let details = r#"[{"code":"unsupported","message":"n > 1","path":["n"]}]"#;
    let body = format!(
        r#"{{"error":{{"message":"Invalid request","type":"invalid_request_error","details":{details},"request_id":"req_1"}}}}"#
    );
    let error = Error::from_response(400, vec![("X-Request-Id".into(), "req_header".into())], &body, None);
    assert_eq!(error.to_string(), "400 Invalid request");
    assert_eq!(error.request_id(), Some("req_1"));
    let response = error.response.unwrap();
    assert_eq!(response.error_type.as_deref(), Some("invalid_request_error"));
    assert_eq!(response.details.as_deref(), Some(details));
    assert_eq!(
        response.error.as_deref(),
        body.strip_prefix(r#"{"error":"#)
            .and_then(|rest| rest.strip_suffix('}'))
    );
    assert_eq!(response.headers, [("x-request-id".to_owned(), "req_header".to_owned())]);
}

#[test]
fn the_request_id_comes_from_the_header_when_the_body_has_none() {
    let error = Error::from_response(503, vec![("X-Request-ID".into(), "req_h".into())], "", None);
    assert_eq!(error.request_id(), Some("req_h"));
}

#[test]
fn openais_error_is_read_whole() {
    let error = read(
        404,
        r#"{"error":{"message":"The model `x` does not exist","type":"invalid_request_error","param":"model","code":"model_not_found"}}"#,
    );
    assert_eq!(error.code.as_deref(), Some("model_not_found"));
    assert_eq!(error.response.unwrap().param.as_deref(), Some("model"));
}

#[test]
fn errors_of_every_shape_give_their_message() {
    for (body, message) in [
        (r#"{"error":"model overloaded"}"#, "model overloaded"),
        (r#"{"error":"quota","message":"You are out of quota"}"#, "quota"),
        (r#"{"message":"Unauthorized"}"#, "Unauthorized"),
        (r#"{"detail":"Not Found"}"#, "Not Found"),
        (
            r#"{"detail":[{"loc":["body","messages"],"msg":"field required","type":"value_error"}]}"#,
            "field required",
        ),
        (
            r#"{"errors":[{"code":10000,"message":"Authentication error"}],"success":false}"#,
            "Authentication error",
        ),
        (
            r#"[{"error":{"code":400,"message":"API key not valid","status":"INVALID_ARGUMENT"}}]"#,
            "API key not valid",
        ),
        (r#"{"error":{"error":{"message":"inner"}}}"#, "inner"),
        (r#"{"error":null,"message":"outer"}"#, "outer"),
        (r#"{"error":{"message":null,"code":"c"},"message":"outer"}"#, "outer"),
        (r#""just text""#, "just text"),
        ("upstream connect error", "upstream connect error"),
        ("  \n plain \n", "plain"),
        (
            "<!DOCTYPE html><html><head><title>502 Bad\n Gateway</title></head></html>",
            "502 Bad Gateway (an HTML page)",
        ),
        ("<html><body><h1 class=x>Login</h1>", "Login (an HTML page)"),
        ("<html></html>", "an HTML page came instead of an answer"),
        (r#"{"error":{"message":"cut off","code":"c","x":"#, "cut off"),
    ] {
        assert_eq!(read(400, body).to_string(), format!("400 {message}"), "{body}");
    }
}

#[test]
fn a_body_without_a_reason_gets_advice() {
    for body in [
        "",
        "{}",
        "[]",
        "null",
        r#"{"error":null}"#,
        r#"{"error":{}}"#,
        r#"{"error":5}"#,
        "   ",
    ] {
        let text = read(401, body).to_string();
        assert!(
            text.starts_with("401 ") && (text.contains("check the API key") || body == "null"),
            "{body}: {text}"
        );
    }
}

#[test]
fn a_numeric_code_is_kept_as_its_digits() {
    assert_eq!(
        read(429, r#"{"error":{"message":"slow down","code":429}}"#)
            .code
            .as_deref(),
        Some("429")
    );
}

#[test]
fn the_raw_error_is_json_or_nothing() {
    for (body, error) in [
        (r#"{"error":{"message":"m"}}"#, Some(r#"{"message":"m"}"#)),
        (r#"{"error":"text"}"#, Some(r#""text""#)),
        (r#"{"message":"m"}"#, Some(r#"{"message":"m"}"#)),
        (r#"{"error":{"message":"m""#, None),
        ("<html>", None),
        ("", None),
    ] {
        assert_eq!(read(400, body).response.unwrap().error.as_deref(), error, "{body}");
    }
}

#[test]
#[cfg_attr(miri, ignore = "reads long bodies")]
fn long_bodies_are_bounded() {
    let text = read(500, &"ü".repeat(1_000_000)).to_string();
    assert!(text.len() < 2_100 && text.ends_with('…'), "{} bytes", text.len());
    let body = format!(
        r#"{{"error":{{"message":"early","padding":"{}","message2":"late"}}}}"#,
        "x".repeat(2 * MAX_BODY_BYTES)
    );
    let error = read(500, &body);
    assert_eq!(error.to_string(), "500 early");
    assert_eq!(error.response.unwrap().error, None, "what was cut off is no JSON");
}

#[test]
fn the_key_is_nowhere_in_an_error() {
    const KEY: &str = "sk-live/0123456789";
    let escaped = r"sk-live\/0123456789";
    for body in [
        format!(
            r#"{{"error":{{"message":"Incorrect API key provided: {KEY}.","code":"{KEY}","param":"{KEY}","type":"{KEY}","details":["{KEY}"],"request_id":"{KEY}"}}}}"#
        ),
        format!(r#"{{"error":{{"message":"bad {escaped}","details":["{escaped}"],"code":"{escaped}"}}}}"#),
        format!("<html><title>{KEY}</title>"),
        format!("plain {KEY}"),
    ] {
        let headers = vec![
            ("X-Echo".to_owned(), format!("Bearer {KEY}")),
            ("x-request-id".to_owned(), KEY.to_owned()),
        ];
        let error = Error::from_response(401, headers, &body, Some(KEY));
        let shown = format!("{error} {error:?}");
        assert!(!shown.contains(KEY) && !shown.contains("0123456789"), "{shown}");
    }
    assert!(
        !Error::connection(&format!("getaddrinfo {KEY}"), Some(KEY))
            .to_string()
            .contains(KEY)
    );
}

#[test]
#[cfg_attr(miri, ignore = "reads long bodies")]
fn a_key_cut_in_two_by_the_limit_is_scrubbed_as_well() {
    let body = format!("{}sk-live-0123456789", "x".repeat(MAX_BODY_BYTES - 12));
    let error = Error::from_response(500, Vec::new(), &body, Some("sk-live-0123456789"));
    assert!(!format!("{error:?}").contains("sk-live"));
    assert_eq!(scrub_cut("... sk-li".into(), Some("sk-live")), "... [key]");
    assert_eq!(
        scrub_cut("... sk".into(), Some("sk-live")),
        "... sk",
        "two letters tell nothing"
    );
}

#[test]
fn scrubbing_replaces_every_occurrence_and_leaves_words_alone() {
    assert_eq!(scrub("abcd and abcd".into(), Some("abcd")), "[key] and [key]");
    assert_eq!(scrub("a cat".into(), Some("a")), "a cat");
    assert_eq!(scrub("text".into(), Some("")), "text");
    assert_eq!(scrub("text".into(), None), "text");
}

#[test]
fn keys_that_cannot_be_sent_are_named_and_not_quoted() {
    assert!(check_key("sk-proj_0123.ABC/+=").is_ok());
    for (key, says) in [
        ("", "empty"),
        ("s3cret\n", "trim"),
        (" s3cret", "trim"),
        ("s3\r\nX: y", "control"),
        ("s3 cret", "white space"),
        ("s3crét", "ASCII"),
        ("s3\0", "control"),
    ] {
        let problem = check_key(key).unwrap_err();
        assert_eq!(problem.path, ["apiKey"]);
        assert!(
            problem.message.contains(says) && !problem.message.contains("s3"),
            "{}",
            problem.message
        );
    }
}

#[test]
fn headers_cannot_be_injected() {
    assert!(check_header("defaultHeaders", "X-Trace", "a\tb ü").is_ok());
    for (name, value) in [
        ("X", "a\r\nEvil: 1"),
        ("X", "a\nb"),
        ("X", "a\0"),
        ("X", "\u{7f}"),
        ("X", "\u{85}"),
        ("X", "日本"),
        ("X Y", "a"),
        ("", "a"),
        ("X:", "a"),
        ("X\n", "a"),
    ] {
        let problem = check_header("headers", name, value).unwrap_err();
        assert_eq!(
            (problem.code, problem.path[0].as_str()),
            ("invalid_header", "headers"),
            "{name:?} {value:?}"
        );
    }
}

proptest! {
    #[test]
    fn any_body_is_read_without_a_panic(status in 0u16..1000, body in "\\PC{0,200}", json in "[\\[\\]{}\":,a-z0-9\\\\ ]{0,60}") {
        for body in [body, json] {
            let error = read(status, &body);
            prop_assert!(!error.to_string().is_empty());
        }
    }

    #[test]
    fn no_key_survives_wherever_it_stands(before in "[a-z \"{}:]{0,20}", key in "[A-Z0-9/\\-]{8,20}", after in "[a-z \"{}:]{0,20}") {
        let body = [before.as_str(), &key, &after, &key].concat();
        let error = Error::from_response(400, vec![("a".into(), body.clone())], &body, Some(&key));
        let shown = format!("{error:?}");
        prop_assert!(!shown.contains(&key));
    }
}
