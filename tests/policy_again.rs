//! Retries: what a refusal is about, where the wait is written, and how much may be asked again. Tables of what servers
//! send, most of them as they were seen in public reports.
//!
//! Long because each table of refusals and waits is read whole.

#![allow(clippy::unwrap_used, clippy::indexing_slicing, missing_docs)]

use chatwire::Error;
use chatwire::policy::quota::{CAPACITY, GAIN, Quota};
use chatwire::policy::retry::Hints;
use chatwire::trouble::{Refusal, Trouble};
use chatwire::waits::{in_text, only_times, until_reset};

/// Sat, 21 Nov 2026 12:00:00 GMT
const NOW: f64 = 1_795_262_400_000.0;

fn trouble(status: u16, body: &str) -> Trouble {
    Error::from_response(status, Vec::new(), body, None).trouble
}

fn wait(status: u16, headers: &[(&str, &str)], body: &str) -> Option<f64> {
    let headers: Vec<_> = headers
        .iter()
        .map(|(name, value)| (name.to_string(), value.to_string()))
        .collect();
    Hints::read_all(&headers, body, trouble(status, body), NOW).wait_ms
}

#[test]
fn a_refusal_is_told_by_code_words_and_status_in_that_order() {
    for (status, body, expected) in [
        (
            429,
            r#"{"error":{"message":"Rate limit reached","type":"requests","code":"rate_limit_exceeded"}}"#,
            Trouble::Limit,
        ),
        (429, "", Trouble::Limit),
        (
            413,
            r#"{"error":{"message":"Request too large for model `llama` on tokens per minute (TPM)","type":"tokens","code":"rate_limit_exceeded"}}"#,
            Trouble::Limit,
        ),
        (
            413,
            r#"{"error":{"message":"Request body too large","type":"invalid_request_error"}}"#,
            Trouble::Request,
        ),
        (
            400,
            r#"{"error":{"type":"rate_limit_error","message":"slow down"}}"#,
            Trouble::Limit,
        ),
        (
            400,
            r#"{"error":{"message":"The server had an error while processing your request","type":"server_error"}}"#,
            Trouble::Server,
        ),
        (
            400,
            r#"{"error":{"code":"internal_server_error","message":"oops"}}"#,
            Trouble::Server,
        ),
        (
            400,
            r#"{"error":{"type":"overloaded_error","message":"Overloaded"}}"#,
            Trouble::Server,
        ),
        (
            400,
            r#"{"error":{"message":"Unknown parameter: 'x' for this model","type":"invalid_request_error"}}"#,
            Trouble::Request,
        ),
        (408, "", Trouble::Server),
        (409, "", Trouble::Server),
        (
            498,
            r#"{"error":{"message":"flex tier capacity exceeded"}}"#,
            Trouble::Limit,
        ),
        (500, "", Trouble::Server),
        (
            529,
            r#"{"type":"error","error":{"type":"overloaded_error","message":"Overloaded"}}"#,
            Trouble::Server,
        ),
        (
            429,
            r#"{"error":{"message":"You exceeded your current quota, please check your plan and billing details.","type":"insufficient_quota","code":"insufficient_quota"}}"#,
            Trouble::Quota,
        ),
        (
            429,
            r#"{"error":{"code":"billing_hard_limit_reached","message":"Billing hard limit has been reached"}}"#,
            Trouble::Quota,
        ),
        (
            429,
            r#"{"error":{"type":"exceeded_current_quota_error","message":"Your account is suspended"}}"#,
            Trouble::Quota,
        ),
        (
            429,
            r#"{"error":{"code":"1113","message":"Insufficient balance or no resource package. Please recharge."}}"#,
            Trouble::Quota,
        ),
        (
            402,
            r#"{"error":{"message":"Insufficient Balance","type":"unknown_error"}}"#,
            Trouble::Quota,
        ),
        (402, "", Trouble::Quota),
        (
            429,
            r#"{"error":{"status":"RESOURCE_EXHAUSTED","message":"You exceeded your current quota, please check your plan and billing details.","details":[{"retryDelay":"36s"}]}}"#,
            Trouble::Limit,
        ),
        (
            400,
            r#"{"type":"error","error":{"type":"invalid_request_error","message":"Your credit balance is too low to access the API."}}"#,
            Trouble::Quota,
        ),
        (
            404,
            r#"{"error":{"message":"The model `gpt-9` does not exist or you do not have access to it.","code":"model_not_found"}}"#,
            Trouble::Model,
        ),
        (
            404,
            r#"{"error":"model 'llama9' not found, try pulling it first"}"#,
            Trouble::Model,
        ),
        (
            404,
            r#"{"error":{"message":"No endpoints found for foo/bar.","code":404}}"#,
            Trouble::Model,
        ),
        (
            404,
            r#"{"error":{"code":"DeploymentNotFound","message":"The API deployment for this resource does not exist."}}"#,
            Trouble::Model,
        ),
        (
            410,
            r#"{"error":{"message":"This model was shut down"}}"#,
            Trouble::Model,
        ),
        (
            400,
            r#"{"error":{"message":"foo/bar is not a valid model ID","code":400}}"#,
            Trouble::Model,
        ),
        (
            400,
            r#"{"error":{"code":"model_decommissioned","message":"The model has been decommissioned"}}"#,
            Trouble::Model,
        ),
        (
            403,
            r#"{"error":{"code":"model_not_found","message":"Project does not have access to model `o9`"}}"#,
            Trouble::Model,
        ),
        (
            404,
            r#"{"error":{"message":"File Not Found","type":"not_found_error"}}"#,
            Trouble::Request,
        ),
        (404, "<html><title>404 Not Found</title></html>", Trouble::Request),
        (404, r#"{"error":{"message":"no"}}"#, Trouble::Request),
        (
            403,
            r#"{"error":{"code":"unsupported_country_region_territory","message":"Country, region, or territory not supported"}}"#,
            Trouble::Region,
        ),
        (
            400,
            r#"[{"error":{"code":400,"message":"User location is not supported for the API use.","status":"FAILED_PRECONDITION"}}]"#,
            Trouble::Region,
        ),
        (
            403,
            r#"{"error":{"message":"This model is not available in your region."}}"#,
            Trouble::Region,
        ),
        (451, "", Trouble::Region),
        // A field of the request, and no place that is refused.
        (
            400,
            r#"{"error":{"message":"Field 'region' is not supported for this model."}}"#,
            Trouble::Request,
        ),
        (
            400,
            r#"{"error":{"message":"Unsupported parameter: web_search_options.user_location"}}"#,
            Trouble::Request,
        ),
        (
            400,
            r#"{"error":{"message":"extra_body.user_location is not supported"}}"#,
            Trouble::Request,
        ),
        (403, r#"{"error":{"message":"no"}}"#, Trouble::Request),
        (499, "", Trouble::Server),
        (
            499,
            r#"{"error":{"code":499,"message":"The operation was cancelled.","status":"CANCELLED"}}"#,
            Trouble::Server,
        ),
        (530, "error code: 1033", Trouble::Server),
        (
            401,
            r#"{"error":{"message":"Incorrect API key","type":"server_error"}}"#,
            Trouble::Request,
        ),
        (422, "", Trouble::Request),
        (307, "", Trouble::Request),
    ] {
        assert_eq!(trouble(status, body), expected, "{status} {body}");
    }
}

#[test]
fn money_models_and_full_contexts_are_told_whatever_the_status() {
    for (status, body, expected) in [
        (
            429,
            r#"{"error":{"message":"Billing hard limit has been reached"}}"#,
            Trouble::Quota,
        ),
        (
            429,
            r#"{"error":{"message":"Insufficient account balance"}}"#,
            Trouble::Quota,
        ),
        (
            429,
            r#"{"error":{"message":"Your account is not active, please check your billing details."}}"#,
            Trouble::Quota,
        ),
        (
            429,
            r#"{"error":{"message":"You've reached your monthly spend limit"}}"#,
            Trouble::Quota,
        ),
        (
            429,
            r#"{"error":{"message":"You have not enough credits"}}"#,
            Trouble::Quota,
        ),
        (
            429,
            r#"{"code":1113,"message":"余额不足或无可用资源包,请充值。"}"#,
            Trouble::Quota,
        ),
        (
            429,
            r#"{"error":{"message":"Spending limit: try again in 20s"}}"#,
            Trouble::Limit,
        ),
        (
            400,
            r#"{"error":{"message":"Max budget: 1","type":"budget_exceeded"}}"#,
            Trouble::Quota,
        ),
        (
            403,
            r#"{"error":{"message":"Your team has used all available credits.","code":"permission-denied"}}"#,
            Trouble::Quota,
        ),
        // No place.
        (
            403,
            r#"{"error":{"message":"No more","code":"AllocationQuota.FreeTierOnly"}}"#,
            Trouble::Quota,
        ),
        (
            403,
            r#"{"error":{"message":"No more","code":"AllocationQuota"}}"#,
            Trouble::Request,
        ),
        (
            403,
            r#"{"error":{"message":"Access from your country is blocked"}}"#,
            Trouble::Region,
        ),
        (
            503,
            r#"{"error":{"message":"No available channel for model m","code":"model_not_found"}}"#,
            Trouble::Model,
        ),
        (
            400,
            r#"{"error":{"message":"m is not supported","code":"model_not_supported"}}"#,
            Trouble::Model,
        ),
        (
            400,
            r#"{"error":{"message":"'max_tokens' is not supported with this model"}}"#,
            Trouble::Request,
        ),
        (
            500,
            r#"{"error":{"message":"Too long","code":"context_length_exceeded"}}"#,
            Trouble::Request,
        ),
        (
            500,
            r#"{"error":{"message":"This exceeds the maximum context length"}}"#,
            Trouble::Request,
        ),
        (
            503,
            r#"{"error":{"message":"No","type":"content_filter"}}"#,
            Trouble::Request,
        ),
        (
            500,
            r#"{"error":{"message":"No","type":"invalid_request_error"}}"#,
            Trouble::Server,
        ),
    ] {
        assert_eq!(trouble(status, body), expected, "{status} {body}");
    }
}

#[test]
fn a_day_is_gone_a_place_is_refused_and_a_server_is_busy_in_many_words() {
    let said = |message: &str| format!(r#"{{"error":{{"message":"{message}"}}}}"#);
    let coded = |code: &str| format!(r#"{{"error":{{"message":"x","code":"{code}"}}}}"#);
    for message in [
        "You have exceeded your daily quota",
        "Rate limit reached on tokens per day (TPD)",
        "Monthly quota exceeded",
        "Weekly limit reached",
        "Credits exhausted",
        "Your credits are depleted. Please top up",
        "Your free trial has ended",
        "今日额度已用完",
    ] {
        assert_eq!(trouble(429, &said(message)), Trouble::Quota, "{message}");
    }
    for code in [
        "daily_limit_exceeded",
        "usage_limit_reached",
        "credits_exhausted",
        "trial_expired",
        "no_credits_left",
    ] {
        assert_eq!(trouble(429, &coded(code)), Trouble::Quota, "{code}");
    }
    for message in [
        "Rate limit reached for requests per minute",
        "Quota exceeded for requests per minute",
        "Daily limit reached. Please try again in 20s",
    ] {
        assert_eq!(trouble(429, &said(message)), Trouble::Limit, "{message}");
    }
    assert_eq!(
        trouble(400, &said("schedule must be daily or monthly")),
        Trouble::Request
    );
    for message in [
        "This service isn't available in your region.",
        "Sorry, we do not serve your country",
        "Requests from unsupported countries",
        "Your location is prohibited",
        "Not offered in this jurisdiction",
        "Geographic restriction",
        "当前地区不支持访问",
    ] {
        assert_eq!(trouble(403, &said(message)), Trouble::Region, "{message}");
    }
    assert_eq!(trouble(403, &coded("geo_blocked")), Trouble::Region);
    for code in [
        "server_busy",
        "upstream_timeout",
        "timeout",
        "engine_overloaded",
        "DEADLINE_EXCEEDED",
        "capacity_exceeded",
    ] {
        assert_eq!(trouble(400, &coded(code)), Trouble::Server, "{code}");
    }
    for message in [
        "模型不存在，请检查模型代码。",
        "The model `x` has been retired",
        "The model x is deprecated",
    ] {
        assert_eq!(trouble(400, &said(message)), Trouble::Model, "{message}");
    }
}

#[test]
fn a_wait_stands_behind_a_word_for_it_in_the_same_sentence_or_member() {
    for words in [
        "Please retry your request in 90 seconds",
        "Retry the request after 90s",
        "Please come back in 90 seconds",
        "Requests will resume in 90 seconds",
        "You are limited for 90 seconds",
        "You have been blocked for 90 seconds",
        "The limit will be lifted in 90 seconds",
        "Please try again (in 90 seconds)",
        "Try again in around 90 seconds",
        "try again in 90.0000000s",
        r#"{"retry_in":90}"#,
        r#"{"retryAfterMs":90000}"#,
        r#"{"retry_after_millis":90000}"#,
        r#"{"retryAfterMinutes":1.5}"#,
        r#"{"wait_time":90}"#,
        r#"{"waitTimeMs":90000}"#,
        r#"{"reset_after":90}"#,
        r#"{"resetIn":"1m30s"}"#,
        r#"{"cooldown_ms":90000}"#,
        r#"{"retryDelay":{"seconds":"90"}}"#,
        "请等待90秒",
        "重试时间：90秒",
    ] {
        assert_eq!(in_text(words), Some(90_000.0), "{words}");
    }
    for words in [
        "Rate limit: 5 requests in 60 seconds. Try again later.",
        "Limited to 5 requests in 60 seconds",
        "max 100 requests every 60 seconds; retry later",
        r#"{"retry":true,"wait_list":4,"retry_count":5,"max_retries":3,"seconds":60}"#,
        "Connection reset 104",
        "Try again: 429",
        "retry attempt 3",
        "retry in -5s",
    ] {
        assert_eq!(in_text(words), None, "{words}");
    }
    let date = "2026-11-21 12:01:30";
    for body in [
        format!(r#"{{"error":{{"message":"no","blocked_until":"{date}"}}}}"#),
        format!(r#"{{"error":{{"message":"no","retry_at":{}}}}}"#, NOW / 1e3 + 90.0),
        format!(r#"{{"error":{{"message":"no","available_at":"{date}Z"}}}}"#),
        format!("Try again after {date} UTC"),
    ] {
        assert_eq!(wait(429, &[], &body), Some(90_000.0), "{body}");
    }
    assert_eq!(
        wait(429, &[("x-chatwire-retry-after", "90")], ""),
        None,
        "another header, of a gateway's own"
    );
    let quoted = r#"{"error":{"message":"no","responseHeaders":{"x-ratelimit-reset-requests":"90"}}}"#;
    assert_eq!(wait(429, &[], quoted), Some(90_000.0));
}

#[test]
fn the_wait_is_found_in_other_words_and_units() {
    let epoch = (NOW / 1e3 + 120.0).to_string();
    for retry_after in [
        "120",
        "120s",
        "2m0s",
        "120, 120",
        &epoch,
        "2026-11-21T12:02:00Z",
        "Sat, 21 Nov 2026 12:02:00 GMT",
        "Saturday, 21-Nov-26 12:02:00 GMT",
        "Sat Nov 21 12:02:00 2026",
    ] {
        assert_eq!(
            wait(429, &[("Retry-After", retry_after)], ""),
            Some(120_000.0),
            "{retry_after}"
        );
    }
    let twice = [("x-ratelimit-reset-requests", "120, 120")];
    assert_eq!(wait(429, &twice, ""), Some(120_000.0));
    for words in [
        "You must wait 90s before retrying",
        "wait_seconds: 90",
        "Your limit will be reset after 90s",
        r#"{"resets_in_seconds":90}"#,
        "Please try your request again in 90 seconds",
        "Please retry your request after 90 seconds",
        "Available in 90s",
        "back off for 90 seconds",
        r#"{"cooldown":"1m30s"}"#,
        "try again in **90 seconds**",
        "try again in `90s`",
    ] {
        assert_eq!(in_text(words), Some(90_000.0), "{words}");
    }
    for words in [
        "请求过于频繁，请在 90 秒后重试",
        "请等待90秒钟后再试",
        "已达到速率限制，1.5分钟之后恢复",
        "請於90秒後再試",
        "90秒後に再試行してください",
        "90초 후에 다시 시도해 주세요",
    ] {
        assert_eq!(in_text(words), Some(90_000.0), "{words}");
    }
    for words in [
        "90초 뒤에 다시 시도해 주세요",
        "あと90秒お待ちください",
        "90秒待ってから再試行してください",
        "请稍等90秒",
        "You can make another request in 90 seconds",
    ] {
        assert_eq!(in_text(words), Some(90_000.0), "{words}");
    }
    // Neither nothing nor a second.
    for words in [
        "60秒内最多请求3次",
        "请稍后重试",
        "第 3 次后停止",
        "秒后",
        "try again in 00:01:30",
        "wait 3 turns",
        "try again in 1,5,2 minutes",
        "try again in 1,500 ms",
        "try again in 1,5000 minutes",
        "Wait for it.",
        "available in 2 regions",
    ] {
        assert_eq!(in_text(words), None, "{words}");
    }
}

#[test]
fn a_wait_may_have_a_comma_for_the_point_or_words_for_its_number() {
    for (words, ms) in [
        ("try again in 1,5 minutes", 90_000.0),
        ("try again in 1,25s", 1_250.0),
        ("Please try again in a minute.", 60_000.0),
        ("Please try again in two minutes.", 120_000.0),
        ("Wait for at least ten seconds.", 10_000.0),
        ("Please try again in one minute", 60_000.0),
        ("Rate limited. Please wait a minute before you try again.", 60_000.0),
        ("try again in an hour", 3_600_000.0),
        ("Please retry your request after one minute", 60_000.0),
        ("You are blocked for at least an hour!", 3_600_000.0),
        ("Wait one second, then go on", 1_000.0),
        (r#"{"message":"try again in a day"}"#, 86_400_000.0),
    ] {
        assert_eq!(in_text(words), Some(ms), "{words}");
    }
    for words in [
        "Do not retry a second time",
        "try again in a few minutes",
        "try again in a moment",
        "wait a while",
        "wait for one of them",
        "retry one request",
        "Try again later. A minute has 60 seconds.",
    ] {
        assert_eq!(in_text(words), None, "{words}");
    }
}

#[test]
fn the_wait_is_found_as_a_moment_and_in_milliseconds() {
    for body in [
        format!(
            r#"{{"error":{{"type":"usage_limit_reached","resets_at":{}}}}}"#,
            (NOW / 1e3 + 90.0)
        ),
        format!(r#"{{"error":{{"message":"no","reset_at":"{}"}}}}"#, NOW + 90e3),
        r#"{"error":{"message":"no","resetAt":"2026-11-21T12:01:30Z"}}"#.to_owned(),
        r#"{"error":{"message":"no","retry_after":"2026-11-21T12:01:30Z"}}"#.to_owned(),
        format!("Please retry after {}", NOW / 1e3 + 90.0),
        r#"{"error":{"message":"no","reset_time":"2026-11-21T14:01:30+02:00"}}"#.to_owned(),
        "Your limit resets at 2026-11-21T12:01:30Z.".to_owned(),
        "Please try again after Sat, 21 Nov 2026 12:01:30 GMT.".to_owned(),
        "You are rate limited until Sat, 21 Nov 2026 12:01:30 GMT".to_owned(),
        "Blocked until 21 Nov 2026 12:01:30 UTC (in a while)".to_owned(),
        "Your limit resets at 12:01:30 UTC.".to_owned(),
        "Try again after 12:01:30 (UTC)".to_owned(),
        r#"{"error":{"message":"no","retry_after":"Sat, 21 Nov 2026 12:01:30 GMT"}}"#.to_owned(),
        r#"{"error":{"message":"Retry later","date":"Sat, 21 Nov 2026 12:00:00 GMT","reset":"1m30s"}}"#.to_owned(),
    ] {
        assert_eq!(wait(429, &[], &body), Some(90_000.0), "{body}");
    }
    for body in [
        "The limit resets at midnight",
        "it resets at 12:30",
        "it resets at 12:30 UTC-5",
        "it resets at 12:30 GMT+1",
        "it resets at 12:30 PST",
        "it resets at 25:30 UTC",
        "reset at",
        "a dataset at 5",
    ] {
        assert_eq!(wait(429, &[], body), None, "{body}");
    }
    assert_eq!(
        wait(429, &[], "resets at 11:59 UTC"),
        Some(86_340_000.0),
        "a time of day that was is tomorrow's"
    );
    let past = r#"{"error":{"resets_at":1700000000}}"#;
    assert_eq!(wait(429, &[], past), Some(0.0), "a time that has passed");
    assert_eq!(wait(429, &[("x-ratelimit-reset-ms", "1500")], ""), Some(1_500.0));
    assert_eq!(
        wait(429, &[("X-RateLimit-Reset-Ms", &(NOW + 1500.0).to_string())], ""),
        Some(1_500.0),
        "a time since 1970"
    );
    let left = [("x-ratelimit-remaining", "5"), ("x-ratelimit-reset-ms", "1500")];
    assert_eq!(wait(429, &left, ""), None, "another limit than the one that was hit");
}

#[test]
fn an_error_without_a_status_is_told_by_its_words() {
    for (code, error_type, message, expected) in [
        ("rate_limit_exceeded", "", "", Trouble::Limit),
        ("", "", "Too many requests, slow down", Trouble::Limit),
        ("", "server_error", "The server had an error", Trouble::Server),
        ("", "overloaded_error", "Overloaded", Trouble::Server),
        ("insufficient_quota", "", "", Trouble::Quota),
        ("", "invalid_request_error", "messages is missing", Trouble::Request),
        ("context_length_exceeded", "", "", Trouble::Request),
        ("content_filter", "", "", Trouble::Request),
        ("", "", "Provider returned error", Trouble::Broken),
        ("", "", "", Trouble::Broken),
    ] {
        let refusal = Refusal {
            status: None,
            code,
            error_type,
            message,
        };
        assert_eq!(Trouble::of(refusal), expected, "{code} {error_type} {message}");
    }
}

#[test]
fn what_may_pass_is_asked_again_and_what_another_may_cure_is_asked_elsewhere() {
    for (trouble, passes, word) in [
        (Trouble::Connection, true, Some("connection")),
        (Trouble::Timeout, true, Some("connection")),
        (Trouble::HostLimit, false, Some("connection")),
        (Trouble::Server, true, Some("server")),
        (Trouble::Limit, true, Some("limit")),
        (Trouble::Quota, false, Some("quota")),
        (Trouble::Model, false, Some("model")),
        (Trouble::Region, false, Some("region")),
        (Trouble::Broken, true, Some("broken")),
        (Trouble::Unreadable, false, Some("broken")),
        (Trouble::Request, false, None),
    ] {
        assert_eq!(
            (trouble.is_passing(), trouble.fallback()),
            (passes, word),
            "{trouble:?}"
        );
    }
}

#[test]
fn the_wait_is_found_wherever_a_server_writes_it() {
    let retry_info = r#"{"error":{"code":429,"message":"You exceeded your current quota, please check your plan and billing details.","status":"RESOURCE_EXHAUSTED","details":[{"@type":"type.googleapis.com/google.rpc.QuotaFailure","violations":[{"quotaId":"PerMinute"}]},{"@type":"type.googleapis.com/google.rpc.RetryInfo","retryDelay":"36s"}]}}"#;
    let openrouter = r#"{"error":{"message":"Rate limit exceeded: free-models-per-min.","code":429,"metadata":{"headers":{"X-RateLimit-Limit":"20","X-RateLimit-Remaining":"0","X-RateLimit-Reset":"1795262430000"}}}}"#;
    for (headers, body, expected) in [
        (
            &[][..],
            r#"{"error":{"message":"Rate limit reached for model. Please try again in 2m59.56s. Visit https://…","code":"rate_limit_exceeded"}}"#,
            179_560.0,
        ),
        (&[], r#"{"error":{"message":"Please try again in 350ms."}}"#, 350.0),
        (
            &[],
            r#"{"error":{"message":"Requests exceeded the rate limit. Please retry after 26 seconds."}}"#,
            26_000.0,
        ),
        (
            &[],
            r#"{"error":{"message":"Please retry in 36.739437s."}}"#,
            36_739.437,
        ),
        (
            &[],
            r#"{"message":"Too many requests, try again in 5 minutes"}"#,
            300_000.0,
        ),
        (
            &[],
            r#"{"message":"You are being rate limited.","retry_after":1.5}"#,
            1_500.0,
        ),
        (&[], r#"{"error":{"message":"slow","retry_after_ms":1200}}"#, 1_200.0),
        (
            &[],
            r#"{"error":{"message":"slow","metadata":{"retry_after_seconds":7}}}"#,
            7_000.0,
        ),
        (&[], retry_info, 36_000.0),
        (&[], openrouter, 30_000.0),
        (
            &[],
            r#"{"error":{"message":"Provider returned error","metadata":{"raw":"{\"error\":{\"message\":\"please try again in 20s\"}}"}}}"#,
            20_000.0,
        ),
        (
            &[],
            r#"{"error":{"metadata":{"headers":{"Retry-After":"4"}}}}"#,
            4_000.0,
        ),
        (&[("retry-after", "2")], retry_info, 2_000.0),
        (&[("x-ratelimit-reset-requests", "1s")], "", 1_000.0),
        (&[("x-ratelimit-reset-tokens", "6m0s")], "", 360_000.0),
        (&[("X-RateLimit-Reset", "1795262430")], "", 30_000.0),
        (&[("x-ratelimit-reset", "1795262430000")], "", 30_000.0),
        (
            &[("x-ratelimit-reset-requests-day", "33011.382867")],
            "",
            33_011_382.867,
        ),
        (
            &[("anthropic-ratelimit-requests-reset", "2026-11-21T12:00:30Z")],
            "",
            30_000.0,
        ),
        (&[("ratelimitbysize-reset", "12")], "", 12_000.0),
        (&[("RateLimit", "limit=10, remaining=0, reset=50")], "", 50_000.0),
        (&[("ratelimit", "\"default\";r=0;t=9")], "", 9_000.0),
        // Only the limit that is used up counts; of several, the last to be free.
        (
            &[
                ("x-ratelimit-remaining-requests", "59"),
                ("x-ratelimit-reset-requests", "1s"),
                ("x-ratelimit-remaining-tokens", "0"),
                ("x-ratelimit-reset-tokens", "17ms"),
            ],
            "",
            17.0,
        ),
        (
            &[
                ("x-ratelimit-remaining-requests", "0"),
                ("x-ratelimit-reset-requests", "1s"),
                ("x-ratelimit-remaining-tokens", "0"),
                ("x-ratelimit-reset-tokens", "2s"),
            ],
            "",
            2_000.0,
        ),
    ] {
        let found = wait(429, headers, body).unwrap_or_else(|| panic!("nothing in {headers:?} {body}"));
        assert!((found - expected).abs() < 0.01, "{found} for {headers:?} {body}");
    }
    assert_eq!(
        wait(
            413,
            &[],
            r#"{"error":{"code":"rate_limit_exceeded","message":"try again in 3s"}}"#
        ),
        Some(3_000.0)
    );
    assert_eq!(
        wait(
            503,
            &[],
            r#"{"error":{"message":"Overloaded, please retry after 10 seconds"}}"#
        ),
        Some(10_000.0)
    );
}

#[test]
fn no_wait_is_read_where_none_is_written() {
    assert_eq!(
        wait(500, &[("x-ratelimit-reset", "30")], ""),
        None,
        "a failure is no limit"
    );
    assert_eq!(wait(400, &[], "try again in 5s"), None, "the request is at fault");
    assert_eq!(
        wait(503, &[("x-should-retry", "false")], "try again in 5s"),
        None,
        "said to people, beside a plain no"
    );
    assert_eq!(
        wait(429, &[("x-ratelimit-remaining", "5"), ("x-ratelimit-reset", "30")], ""),
        None,
        "another limit than the one that was hit"
    );
    for text in [
        "try again in a while",
        "wait for it",
        "try again in 5 users",
        "retry after",
        "",
        "retry in -5s",
    ] {
        assert_eq!(in_text(text), None, "{text}");
    }
    assert_eq!(
        wait(429, &[], "Please try again in 999999 days"),
        Some(86_400_000.0),
        "at most a day"
    );
}

#[test]
fn a_message_whose_numbers_are_all_times_names_the_wait_in_any_language() {
    for words in [
        "Bitte versuchen Sie es in 90 Sekunden erneut.",
        "In 1 Minute und 30 Sekunden ist die Anfrage wieder möglich.",
        "Veuillez réessayer dans 90 secondes.",
        "Inténtelo de nuevo en 90 segundos.",
        "Tente novamente em 90 segundos",
        "Riprova tra 90 secondi",
        "Повторите попытку через 1 минуту 30 секунд",
        "कृपया 90 सेकंड में पुनः प्रयास करें",
        "Probeer het over 90 seconden opnieuw",
        "Spróbuj ponownie za 90 sekund",
        "Bitte in 1,5 Minuten erneut",
        "90 seconds until the next request",
        "90s",
    ] {
        assert_eq!(only_times(words), Some(90_000.0), "{words}");
    }
    assert_eq!(only_times("Erneut in 2 Stunden"), Some(7_200_000.0));
    assert_eq!(only_times("через 2 часа"), Some(7_200_000.0));
    for words in [
        "",
        "5 Anfragen in 60 Sekunden",
        "5 requêtes en 60 secondes",
        "60 सेकंड में 5 अनुरोध",
        "gpt-4: 20 Sekunden",
        "Too many requests within 1 minute",
        "Ten requests per 60 seconds",
        "Zu viele Anfragen innerhalb von 60 Sekunden",
        "Trop de requêtes par 60 secondes",
        "слишком много запросов за 60 секунд",
        "60秒内请求过多",
        "60秒以内のリクエストが多すぎます",
        "60초 이내에 요청이 너무 많습니다",
        "3 requests/minute",
        "5 segments",
    ] {
        assert_eq!(only_times(words), None, "{words}");
    }
}

#[test]
fn of_several_limits_in_one_field_those_count_that_are_used_up() {
    for ratelimit in [
        r#""default";r=0;t=90"#,
        r#""default"; r=0; t=90"#,
        "default;r=0;t=90",
        r#""default";t=90;r=0"#,
        r#""minute";r=0;t=90, "day";r=7;t=40000"#,
        r#""day";r=7;t=40000, "minute";r=0;t=90"#,
        r#""minute";r=0;t=30, "hour";r=0;t=90, "day";r=7;t=40000"#,
        "limit=100, remaining=0, reset=90",
        "limit=100;remaining=0;reset=90",
        "limit=100, remaining=0, reset=90, limit=5, remaining=3, reset=4000",
        "limit=5, remaining=3, reset=4000, limit=100, remaining=0, reset=90",
    ] {
        let headers = [("RateLimit-Policy", r#""minute";q=0;w=60"#), ("RateLimit", ratelimit)];
        assert_eq!(wait(429, &headers, ""), Some(90_000.0), "{ratelimit}");
    }
    for ratelimit in [
        r#""day";r=7;t=40000"#,
        r#""minute";r=0, "day";r=7;t=40000"#,
        r#""day";r=7;t=40000, "minute";r=0"#,
        r#""minute";r=0;t=soon"#,
        "limit=0, remaining=3, reset=90",
        "",
    ] {
        assert_eq!(wait(429, &[("RateLimit", ratelimit)], ""), None, "{ratelimit}");
    }
}

#[test]
fn a_reset_is_read_in_every_unit() {
    for (text, ms) in [
        ("30", 30_000.0),
        ("0.5", 500.0),
        ("1s", 1_000.0),
        ("17ms", 17.0),
        ("6m0s", 360_000.0),
        ("1h2m3s", 3_723_000.0),
        ("1d", 86_400_000.0),
        ("250µs", 0.25),
        ("1795262430", 30_000.0),
        ("1795262430.5", 30_500.0),
        ("1795262430000", 30_000.0),
        ("1795262430000000", 30_000.0),
        ("1795262430000000000", 30_000.0),
        ("2026-11-21T12:00:30Z", 30_000.0),
        ("2026-11-21T12:00:30.250Z", 30_250.0),
        ("2026-11-21T13:00:30+01:00", 30_000.0),
        ("Sat, 21 Nov 2026 12:00:30 GMT", 30_000.0),
        ("2020-01-01T00:00:00Z", 0.0),
        ("1000000000", 0.0),
    ] {
        let read = until_reset(text, NOW).unwrap_or_else(|| panic!("{text}"));
        assert!((read - ms).abs() < 0.01, "{text}: {read}");
    }
    for text in [
        "",
        "soon",
        "1x",
        "-5",
        "1s!",
        "2026-13-01T00:00:00Z",
        "2026-11-21",
        "é30s",
        "1e9",
    ] {
        assert_eq!(until_reset(text, NOW), None, "{text}");
    }
}

#[test]
fn an_outage_runs_the_bucket_dry_and_answers_fill_it_again() {
    let mut quota = Quota::default();
    let mut granted = 0;
    while quota.take(Trouble::Server).is_some() {
        granted += 1;
    }
    assert_eq!(granted, 100);
    assert_eq!(quota.take(Trouble::Timeout), None);
    quota.give_back(GAIN);
    assert_eq!(quota.take(Trouble::Server), None, "one answer is not enough");
    for _ in 0..4 {
        quota.give_back(GAIN);
    }
    assert_eq!(quota.take(Trouble::Server), Some(5.0));
    quota.give_back(1e9);
    let mut timeouts = 0;
    while quota.take(Trouble::Timeout).is_some() {
        timeouts += 1;
    }
    assert_eq!(f64::from(timeouts) * 10.0, CAPACITY);
}
