//! Providers: the documented facts, base URLs, and where reasoning appears.

#![allow(clippy::unwrap_used, clippy::indexing_slicing, missing_docs)]

use chatwire::chat::view::View;
use chatwire::provider::{BaseUrl, Prices, Provider, ReasoningPlace, authorization, is_own_host};
use proptest::prelude::*;
use serde_json::{Value, json};

fn view(value: &Value) -> View {
    View::from_json(value.to_string().as_bytes()).unwrap()
}

#[test]
fn electron_is_as_its_documentation_says() {
    let electron = Provider::named("electron").unwrap();
    assert_eq!(electron.base_url, "https://api.smallest.ai/waves/v1");
    assert_eq!(electron.key_variable, Some("SMALLEST_API_KEY"));
    assert_eq!(
        electron.prices,
        Some(Prices {
            input: 0.4,
            cached_input: Some(0.1),
            output: 1.6,
            up_to: None,
        })
    );
    assert_eq!(electron.context_tokens, Some(32_768));
    let plans = ["standard", "enterprise"].map(|name| electron.plan(name).unwrap());
    assert_eq!(
        plans.map(|plan| (plan.requests_per_minute, plan.concurrent)),
        [(Some(10), Some(3)), (Some(200), Some(20))]
    );
    assert!(!electron.capabilities.json_schema);
}

#[test]
fn unknown_prices_stay_unknown() {
    for provider in [
        Provider::named("electronhub").unwrap(),
        Provider::named("openai").unwrap(),
        Provider::custom("https://a.example"),
    ] {
        assert_eq!(provider.prices, None, "{}", provider.name);
    }
}

#[test]
fn names_endpoints_and_plans_that_do_not_exist_are_named_problems() {
    let problem = Provider::named("elektron").unwrap_err();
    assert_eq!(
        problem.sentence(),
        r#"provider: provider must be "electron", "electronhub", "openai", or { baseURL }"#
    );
    assert_eq!(
        Provider::named("openai")
            .unwrap()
            .endpoint("v1thinking")
            .unwrap_err()
            .path,
        ["endpoint"]
    );
    let problem = Provider::named("electronhub").unwrap().endpoint("v2").unwrap_err();
    assert!(
        problem.message.contains("v1, v1legacy, v1thinking"),
        "{}",
        problem.message
    );
    assert!(Provider::named("openai").unwrap().plan("standard").is_err());
    assert!(Provider::named("electron").unwrap().plan("gold").is_err());
}

#[test]
fn a_debug_print_does_not_show_the_key() {
    let provider = Provider::electron("sk-very-secret");
    assert!(!format!("{provider:?}").contains("secret"));
    assert_eq!(
        authorization(provider.api_key.unwrap().expose()),
        "Bearer sk-very-secret"
    );
}

#[test]
fn only_built_in_hosts_are_guarded() {
    for host in [
        "api.smallest.ai",
        "API.ELECTRONHUB.AI",
        "api.openai.com",
        "api.openai.com.",
    ] {
        assert!(is_own_host(host), "{host}");
    }
    for host in [
        "localhost",
        "smallest.ai",
        "api.smallest.ai.example.com",
        "notapi.openai.com",
        "",
    ] {
        assert!(!is_own_host(host), "{host}");
    }
}

#[test]
fn base_urls_are_joined_with_exactly_one_slash() {
    for (base, joined) in [
        (
            "https://api.smallest.ai/waves/v1",
            "https://api.smallest.ai/waves/v1/chat/completions",
        ),
        (
            "https://api.smallest.ai/waves/v1/",
            "https://api.smallest.ai/waves/v1/chat/completions",
        ),
        ("http://127.0.0.1:4010", "http://127.0.0.1:4010/chat/completions"),
        (
            "HTTP://LocalHost:8080//v1//",
            "http://localhost:8080//v1/chat/completions",
        ),
        ("http://[::1]:4010/v1", "http://[::1]:4010/v1/chat/completions"),
        ("https://a.example/x/../v1/./", "https://a.example/v1/chat/completions"),
        (" https://a.example/v1 ", "https://a.example/v1/chat/completions"),
    ] {
        for path in ["chat/completions", "/chat/completions"] {
            assert_eq!(BaseUrl::parse(base, None).unwrap().join(path), joined, "{base}");
        }
    }
}

#[test]
fn a_base_url_that_cannot_be_one_says_why() {
    for (base, says) in [
        ("", "empty"),
        ("ftp://a.example", "https://"),
        ("javascript:alert(1)", "https://"),
        ("file:///etc/passwd", "https://"),
        ("https:/a.example", "//"),
        ("https:a.example", "//"),
        ("https://", "host"),
        ("https:///v1", "host"),
        ("https://me:pw@a.example/v1", "password"),
        ("https://me@a.example/v1", "password"),
        ("https://a.example/v1?x=1", "query"),
        ("https://a.example/v1#x", "fragment"),
        ("https://api.smallest.ai\\@a.example", "backslash"),
        ("https://a.exa\tmple", "control"),
        ("https://a.example/v1\n", "control"),
        ("https://a b.example", "white space"),
        ("https://a.example:99999", "port"),
        ("https://a.example:x", "port"),
        ("https://a.example:", "port"),
        ("https://ａpi.smallest.ai/v1", "xn--"),
        ("https://%61pi.smallest.ai/v1", "xn--"),
        ("https://a..example", "host"),
        ("/v1", "relative"),
        ("v1", "relative"),
        ("localhost:8080/v1", "relative"),
    ] {
        let problem = BaseUrl::parse(base, None).unwrap_err();
        assert_eq!(
            (problem.code, problem.path),
            ("invalid_base_url", vec!["baseURL".to_owned()]),
            "{base}"
        );
        assert!(problem.message.contains(says), "{base:?}: {}", problem.message);
        assert!(!problem.message.contains("pw"), "a password is not quoted");
    }
}

#[test]
fn a_port_has_one_to_five_digits() {
    for port in ["1", "80", "443", "3000", "8080", "11434", "54321", "65535"] {
        for host in ["localhost", "127.0.0.1", "[::1]", "api.example.com"] {
            let text = format!("http://{host}:{port}/v1");
            let base = BaseUrl::parse(&text, None).unwrap();
            assert_eq!((base.as_str(), base.host()), (text.as_str(), host));
            assert_eq!(base.origin(), format!("http://{host}:{port}"));
        }
    }
    for port in ["65536", "99999", "123456", "-1", "8o80", " 80"] {
        assert!(
            BaseUrl::parse(&format!("http://localhost:{port}/v1"), None).is_err(),
            "{port}"
        );
    }
}

#[test]
fn a_relative_base_url_is_resolved_against_the_page() {
    let page = Some("https://app.example.com:8443/chat/index.html?q=/a#/b");
    for (base, url) in [
        ("/v1", "https://app.example.com:8443/v1"),
        ("v1", "https://app.example.com:8443/chat/v1"),
        ("./v1", "https://app.example.com:8443/chat/v1"),
        ("../v1", "https://app.example.com:8443/v1"),
        ("../../../v1", "https://app.example.com:8443/v1"),
        ("//other.example/v1", "https://other.example/v1"),
        ("http://other.example/v1", "http://other.example/v1"),
    ] {
        assert_eq!(BaseUrl::parse(base, page).unwrap().as_str(), url, "{base}");
    }
    for page in [
        "about:blank",
        "blob:https://a.example/x",
        "file:///home/page.html",
        "https://a.example/x\nhttps://b.example/",
        "https://a.example\\x/",
        "null",
        "",
    ] {
        assert!(
            BaseUrl::parse("/v1", Some(page))
                .unwrap_err()
                .message
                .contains("no page"),
            "{page}"
        );
    }
}

proptest! {
    #[test]
    fn any_text_is_a_base_url_or_a_problem(text in "\\PC{0,40}", page in "\\PC{0,20}") {
        if let Ok(base) = BaseUrl::parse(&text, Some(&page)) {
            prop_assert!(base.as_str().starts_with("http"));
            prop_assert!(!base.host().is_empty());
            prop_assert_eq!(BaseUrl::parse(base.as_str(), None).unwrap(), base);
        }
    }
}

#[test]
fn electronhubs_reasoning_is_where_endpoint_and_request_say() {
    use ReasoningPlace::{Field, None as Nowhere, Tags};
    let (new, old) = (Field("reasoning"), Field("reasoning_content"));
    for (endpoint, request, place) in [
        ("v1", json!({}), new),
        ("v1legacy", json!({}), old),
        ("v1thinking", json!({}), Tags),
        ("v1thinking", json!({"reasoning": {"delta_field": "reasoning"}}), new),
        ("v1", json!({"reasoning": {"delta_field": "reasoning_content"}}), old),
        ("v1", json!({"reasoning_delta_field": "reasoning_content"}), old),
        ("v1legacy", json!({"reasoning_delta_field": "reasoning"}), new),
        ("v1", json!({"reasoning_content_compat": true}), old),
        ("v1", json!({"reasoning_content_compat": false}), new),
        ("v1thinking", json!({"reasoning_content_compat": true}), old),
        (
            "v1",
            json!({"reasoning": {"delta_field": "reasoning"}, "reasoning_content_compat": true}),
            new,
        ),
        ("v1", json!({"reasoning": {"exclude": true}}), Nowhere),
        (
            "v1thinking",
            json!({"reasoning": {"exclude": true, "delta_field": "reasoning"}}),
            Nowhere,
        ),
        ("v1thinking", json!({"model": "deepseek-r1:reasoning-exclude"}), Nowhere),
        ("v1thinking", json!({"reasoning_effort": "none"}), Tags),
        (
            "v1",
            json!({"reasoning": {"exclude": false}, "reasoning_delta_field": "nonsense"}),
            new,
        ),
        (
            "v1",
            json!({"reasoning": "high", "reasoning_content_compat": "yes"}),
            new,
        ),
    ] {
        let provider = Provider::named("electronhub").unwrap().endpoint(endpoint).unwrap();
        assert_eq!(provider.reasoning_place(&view(&request)), place, "{endpoint} {request}");
    }
}

#[test]
fn a_gateways_address_may_name_the_variant() {
    let hub = || Provider::named("electronhub").unwrap();
    let at = hub().at("http://127.0.0.1:4010/v1thinking/", None).unwrap();
    assert_eq!(
        (at.base_url.as_ref(), at.reasoning),
        ("http://127.0.0.1:4010/v1thinking", ReasoningPlace::Tags)
    );
    let both = hub()
        .at("http://127.0.0.1:4010/proxy", None)
        .unwrap()
        .endpoint("v1legacy")
        .unwrap();
    assert_eq!(
        (both.base_url.as_ref(), both.reasoning),
        (
            "http://127.0.0.1:4010/proxy",
            ReasoningPlace::Field("reasoning_content")
        )
    );
    assert_eq!(
        hub().endpoint("v1thinking").unwrap().base_url,
        "https://api.electronhub.ai/v1thinking"
    );
}

#[test]
fn other_servers_ignore_electronhubs_overrides() {
    let request = view(&json!({"model": "x:reasoning-exclude", "reasoning": {"exclude": true}}));
    assert_eq!(
        Provider::custom("https://a.example").reasoning_place(&request),
        ReasoningPlace::Detect
    );
}

#[test]
fn reasoning_places_have_the_names_of_the_option() {
    for name in ["reasoning", "reasoning_content", "tags", "none", "detect"] {
        assert_eq!(ReasoningPlace::from_name(name).unwrap().name(), name);
    }
    assert_eq!(ReasoningPlace::from_name("thoughts"), None);
}
