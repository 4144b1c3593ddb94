//! The options of clients, calls and decoders: the one place where they are read. Their meaning is decided in `policy`.

use std::cell::{Cell, RefCell};

use super::options::Options;
use crate::attempt::write_attempts;
use crate::chat::view::{Value, View};
use crate::error::Error;
use crate::json::Writer;
use crate::policy::keys::{Environment, GivenKey, Key, KeyChoice, KeyQuestion, choose_key};
use crate::policy::opening::{Call, Settings};
use crate::policy::timeouts::{Setting, TimeoutOption, Timeouts};
use crate::policy::{Validation, limits, retry};
use crate::problem::Problem;
use crate::provider::{BaseUrl, PlanLimits, Provider, Range, ReasoningPlace};
use crate::redact::check_header;
use crate::stream;
use crate::trouble::Trouble;
use crate::usage;

/// The settings of a client; `None` where a problem leaves no address. `host` says where it is: `page`, `location`, `env`.
pub(super) fn connect(options: &Options<'_>, host: &Options<'_>) -> Option<Settings> {
    options.only(
        " provider, baseURL, endpoint, apiKey, dangerouslyAllowBrowser, fetch, defaultHeaders, defaultQuery, maxRetries, timeout, \
         limits, hedge, fallback, validate, decoding, prices, hooks, resume,",
    );
    options.of("fallback").only(" client, model, params, on,");
    // The reasons of all fallbacks, in one list.
    host.of("fallback").of("on").only(Trouble::FALLBACKS);
    options
        .of("hooks")
        .only(" onRequest, onResponse, onRetry, onWait, onResume, onResumed, onOutcome, onContents,");
    let location = host.text("location");
    let own = options.of("provider");
    own.only(" baseURL, name, prices, ranges, reasoning, takesReasoning, prefill,");
    let mut provider = read_provider(options)?;
    if let Some(base_url) = options.text("baseURL") {
        provider.move_to(&options.checked(BaseUrl::parse(base_url, location))?);
    }
    if let Some(endpoint) = options.text("endpoint") {
        options.checked(provider.choose_endpoint(endpoint));
    }
    let base = options.checked(BaseUrl::parse(&provider.base_url, location))?;
    if provider.name == "custom" {
        provider.name = own.text("name").unwrap_or(base.host()).to_owned().into();
    }
    if let Some(takes) = own.flag("takesReasoning") {
        provider.takes_reasoning = takes;
    }
    if let Some(reasoning) = own.reasoning() {
        provider.reasoning = reasoning;
    }
    read_ranges(&own, &mut provider.ranges);
    let prices = options.prices().or_else(|| own.prices()).or(provider.prices);
    let prices = prices.and_then(|prices| options.all_checked(usage::token_prices(&prices)));
    let key = read_key(&provider, &base, options, host);
    let headers = options.pairs("defaultHeaders");
    for (name, value) in &headers {
        options.checked(check_header(
            "defaultHeaders",
            name,
            value.as_deref().unwrap_or_default(),
        ));
    }
    let timeout = read_timeout(options);
    options.all_checked(Timeouts::new(timeout, &provider, true));
    let validation = match options.get("validate") {
        None => Validation::Documented,
        Some(Value::Bool(false)) => Validation::Off,
        Some(word) => options.checked(Validation::from_name(word.as_str().unwrap_or_default()))?,
    };
    Some(Settings {
        base,
        key,
        headers,
        query: options.pairs("defaultQuery"),
        max_retries: read_retries(options).unwrap_or(retry::DEFAULT_RETRIES),
        timeout,
        limits: options
            .get("limits")
            .and_then(|limits| read_limits(options, limits, &provider)),
        validation,
        strict: options.strict().unwrap_or(false),
        partial: stream::PartialValues::Containers,
        prices,
        page: host.flag("page").unwrap_or(false),
        has_hooks: options.get("hooks").is_some(),
        quota: Cell::default(),
        provider,
    })
}

fn read_provider(options: &Options<'_>) -> Option<Provider> {
    let message = match options.get("provider") {
        Some(Value::String(name)) => return options.checked(Provider::named(name)),
        Some(Value::Object(_)) => "must have a baseURL",
        Some(_) => "must be \"electron\", \"electronhub\", \"openai\" or { baseURL }",
        None => "is missing: name one, or give a baseURL",
    };
    let is_own = matches!(options.get("provider"), None | Some(Value::Object(_)));
    let base_url = options
        .of("provider")
        .text("baseURL")
        .or_else(|| options.text("baseURL"))
        .filter(|_| is_own);
    if base_url.is_none() {
        options.wrong("provider", message);
    }
    base_url.map(Provider::custom)
}

/// `ranges: { temperature: [0, 1] }` of a caller's own provider.
fn read_ranges(own: &Options<'_>, ranges: &mut Vec<Range>) {
    let Some(Value::Object(members)) = own.get("ranges") else {
        return;
    };
    for (field, bounds) in members {
        match bounds.elements() {
            [Value::Number(min), Value::Number(max)] if min <= max => {
                ranges.push(Range {
                    field: field.clone(),
                    min: *min,
                    max: *max,
                });
            }
            _ => own.wrong("ranges", "must map a field to [lowest, highest]"),
        }
    }
}

/// The code of a problem that is none yet: its message names an environment variable, whose value has to be read first.
pub(super) const WANTS_VARIABLE: &str = "variable";

/// The key of the option `apiKey`: text, `null`, or `true` for a function that gives it.
fn read_key(provider: &Provider, base: &BaseUrl, options: &Options<'_>, host: &Options<'_>) -> Key {
    let question = KeyQuestion {
        given: match options.any("apiKey") {
            None => GivenKey::Absent,
            Some(Value::Null) => GivenKey::Null,
            Some(Value::Bool(true)) => GivenKey::Function,
            Some(Value::String(text)) => GivenKey::Text(text),
            Some(_) => {
                options.wrong("apiKey", "must be a string, null, or a function that gives one");
                return Key::None;
            }
        },
        environment: host.text("env").map_or(Environment::Unread, Environment::Value),
        in_page: host.flag("page") == Some(true),
        allowed_in_page: options.flag("dangerouslyAllowBrowser") == Some(true),
    };
    match options.all_checked(choose_key(provider, base, question)) {
        Some(KeyChoice::Key(key)) => key,
        Some(KeyChoice::Read(variable)) => {
            options.note(Problem::refused(WANTS_VARIABLE, &[], variable));
            Key::None
        }
        None => Key::None,
    }
}

fn read_timeout(options: &Options<'_>) -> TimeoutOption {
    let setting = |value: Option<&Value>| match value {
        None => Setting::Default,
        Some(Value::Bool(false)) => Setting::Off,
        Some(Value::Number(ms)) => Setting::Ms(*ms),
        Some(_) => {
            options.wrong(
                "timeout",
                "must be a number of milliseconds, false, or { headers, firstToken, idle, keepAlive, total }",
            );
            Setting::Default
        }
    };
    options
        .of("timeout")
        .only(" headers, firstToken, idle, keepAlive, total,");
    match options.get("timeout") {
        Some(Value::Bool(false)) => TimeoutOption::OFF,
        Some(object @ Value::Object(_)) => TimeoutOption {
            headers: setting(object.set("headers")),
            first_token: setting(object.set("firstToken")),
            idle: setting(object.set("idle")),
            keep_alive: setting(object.set("keepAlive")),
            total: setting(object.set("total")),
        },
        value => TimeoutOption {
            headers: setting(value),
            ..TimeoutOption::default()
        },
    }
}

#[inline(never)] // a plain answer has no need of it
fn read_limits(options: &Options<'_>, limits: &Value, provider: &Provider) -> Option<PlanLimits> {
    match limits {
        Value::Bool(false) => None,
        Value::String(plan) => options.checked(provider.plan(plan)),
        Value::Object(_) => {
            let own = options.of("limits");
            own.only(" requestsPerMinute, concurrent,");
            let limits = limits::limits(own.number("requestsPerMinute"), own.number("concurrent"));
            options.all_checked(limits)
        }
        _ => {
            let message = "must be false, \"standard\", \"enterprise\" or { requestsPerMinute, concurrent }";
            options.wrong("limits", message);
            None
        }
    }
}

fn read_retries(options: &Options<'_>) -> Option<u32> {
    options.checked(retry::retries(options.number("maxRetries")?))
}

/// How one call differs from what its client was made with.
pub(super) fn call(options: &Options<'_>, body: Option<Value>) -> Call {
    options.own("names").only(
        " signal, headers, query, timeout, hedge, maxRetries, decoding, accumulate, sentences, continueWith, record, resumeId,",
    );
    options.of("continueWith").only(" client, model, params,");
    // The decoder reads this option; here its problems are found before anything is sent.
    let _ = options.sentences();
    Call {
        path: options.text("path").unwrap_or_default().to_owned(),
        view: body.map(View::from),
        headers: options.pairs("headers"),
        query: options.pairs("query"),
        max_retries: read_retries(options),
        timeout: read_timeout(options),
        strict: options.strict(),
        discard: options.flag("accumulate") == Some(false),
        stream: options.flag("stream").unwrap_or(false),
        started: options.number("now").unwrap_or(0.0),
        attempts: options.attempts(),
        prices: options
            .prices()
            .and_then(|prices| options.all_checked(usage::token_prices(&prices))),
    }
}

/// The options of a decoder.
pub(super) fn decoder(options: &Value) -> Result<stream::Options, Error> {
    let problems = RefCell::default();
    let options = Options::new(options, &problems);
    // The last of these names are set by the facade and by recordings, not by callers.
    options.only(
        " decoding, n, provider, endpoint, reasoning, partial, sentences, accumulate, prices, limits, started, epoch, document, \
         returnsReasoning, timeouts, attempts, redirection, requestId, promptTokens,",
    );
    let mut provider = None;
    if let Some(name) = options.text("provider").filter(|name| *name != "custom") {
        provider = options.checked(Provider::named(name));
    }
    if let (Some(known), Some(endpoint)) = (&mut provider, options.text("endpoint")) {
        options.checked(known.choose_endpoint(endpoint));
    }
    let provider = provider.as_ref();
    let prices = options.prices().or(provider.and_then(|provider| provider.prices));
    let prices = prices.and_then(|prices| options.all_checked(usage::token_prices(&prices)));
    let (limits, timeouts) = (options.of("limits"), options.of("timeouts"));
    limits.only(" maxEventBytes, maxToolCallBytes, maxStreamBytes, maxChoices,");
    timeouts.only(" firstToken, idle, keepAlive, total,");
    let default = stream::Bounds::default();
    let read = stream::Options {
        document: options.flag("document").unwrap_or(false),
        choices: options.number("n").map(|_| options.size("n", 1) as u64),
        returns_reasoning: options.flag("returnsReasoning").unwrap_or(true),
        reasoning: options
            .reasoning()
            .or(provider.map(|known| known.reasoning))
            .unwrap_or(ReasoningPlace::Detect),
        strict: options.strict().unwrap_or(false),
        partial: match options.flag("partial") {
            None => stream::PartialValues::Containers,
            Some(true) => stream::PartialValues::Any,
            Some(false) => stream::PartialValues::Off,
        },
        sentences: options.sentences(),
        accumulate: options.flag("accumulate").unwrap_or(true),
        prices,
        timeouts: stream::Timeouts {
            first_token: timeouts.number("firstToken"),
            idle: timeouts.number("idle"),
            keep_alive: timeouts.number("keepAlive"),
            total: timeouts.number("total"),
        },
        bounds: stream::Bounds {
            max_event_bytes: limits.size("maxEventBytes", default.max_event_bytes),
            max_tool_call_bytes: limits.size("maxToolCallBytes", default.max_tool_call_bytes),
            max_stream_bytes: limits.size("maxStreamBytes", default.max_stream_bytes),
            max_choices: limits.size("maxChoices", default.max_choices),
        },
        started: options.number("started").unwrap_or(0.0),
        epoch: options.number("epoch"),
        attempts: options.attempts(),
        redirection: options.text("redirection").map(str::to_owned),
        request_id: options.text("requestId").map(str::to_owned),
        // Only a recording knows the tokens of its prompt beforehand.
        prompt_tokens: options.number("promptTokens").map(|tokens| tokens as u64),
        ..Default::default()
    };
    let problems = problems.into_inner();
    if problems.is_empty() {
        Ok(read)
    } else {
        Err(problems.into())
    }
}

/// Writes what [`decoder`] reads, as the members of an object.
pub(super) fn write_decoder(options: &stream::Options, out: &mut Writer) {
    out.key("document")
        .bool(options.document)
        .member("reasoning", options.reasoning.name())
        .key("returnsReasoning")
        .bool(options.returns_reasoning);
    out.member("decoding", if options.strict { "strict" } else { "tolerant" })
        .key("accumulate")
        .bool(options.accumulate);
    if let Some(choices) = options.choices {
        out.key("n").integer(choices);
    }
    if let Some(prices) = &options.prices {
        out.key("prices").raw(b"{");
        for (name, price) in [
            ("input", prices.input),
            ("cachedInput", prices.cached_input),
            ("output", prices.output),
        ] {
            // Millionths of a millionth of a dollar a token are millionths of a dollar for a million of them.
            out.key(name).decimal(price, 6);
        }
        if let Some(most) = prices.up_to {
            out.key("upTo").integer(most);
        }
        out.raw(b"}");
    }
    out.key("timeouts").raw(b"{");
    let timeouts = &options.timeouts;
    for (name, ms) in [
        ("firstToken", timeouts.first_token),
        ("idle", timeouts.idle),
        ("keepAlive", timeouts.keep_alive),
        ("total", timeouts.total),
    ] {
        if ms.is_some() {
            out.key(name).milliseconds(ms);
        }
    }
    out.raw(b"}")
        .key("started")
        .milliseconds(Some(options.started))
        .key("attempts");
    write_attempts(&options.attempts, out);
    if let Some(redirection) = &options.redirection {
        out.member("redirection", redirection);
    }
    if let Some(request_id) = &options.request_id {
        out.member("requestId", request_id);
    }
}
