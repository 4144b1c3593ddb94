//! The Rust client in a real host: Node and Chromium run this file, with a `fetch` that each test makes up.
//!
//! Long because each host runs one file, with one set-up of the module, and every behaviour of the client has its test
//! in it.

#![cfg(target_arch = "wasm32")]

use chatwire::chat::{ChatCompletionRequest, Message};
use chatwire::error::ErrorKind;
use chatwire::policy::timeouts::{Setting, TimeoutOption};
use chatwire::stream::Status;
use chatwire::{CallOptions, Client, Error, Provider, js};
use js_sys::{Function, Reflect};
use wasm_bindgen::{JsCast, JsValue};
use wasm_bindgen_test::wasm_bindgen_test;

const CHUNK: &str = r#"data: {"id":"c1","choices":[{"index":0,"delta":{"content":"Hel"}}]}\n\n"#;
const LAST: &str =
    r#"data: {"id":"c1","choices":[{"index":0,"delta":{"content":"lo"},"finish_reason":"stop"}]}\n\ndata: [DONE]\n\n"#;

/// A `fetch` with this body, where `url` and `init` are what it was called with.
fn fetch(body: &str) -> Function {
    Function::new_with_args("url, init", body)
}

/// A `fetch` that answers with a stream of these pieces, one a pull, and closes it after them.
fn streaming(pieces: &[&str]) -> Function {
    let pieces: Vec<String> = pieces.iter().map(|piece| format!("`{piece}`")).collect();
    fetch(&format!(
        "const pieces = [{}];
         const body = new ReadableStream({{
           pull(controller) {{
             const piece = pieces.shift();
             if (piece === undefined) controller.close();
             else controller.enqueue(new TextEncoder().encode(piece));
           }},
         }});
         return Promise.resolve(new Response(body, {{ headers: {{ 'x-request-id': 'req_1' }} }}));",
        pieces.join(",")
    ))
}

fn client(fetch: Function) -> Client {
    Client::builder(Provider::electron("sk-secret-key"))
        .fetch(fetch)
        .max_retries(0)
        .build()
        .unwrap()
}

fn request() -> ChatCompletionRequest {
    ChatCompletionRequest::new("electron", vec![Message::user("Hi")])
}

async fn read(client: &Client) -> (String, Option<Error>, Status) {
    let mut stream = client.stream(&request()).await.unwrap();
    let (mut text, mut error) = (String::new(), None);
    while let Some(chunk) = stream.next().await {
        match chunk {
            Ok(chunk) => text.push_str(&chunk.text()),
            Err(failed) => error = Some(failed),
        }
    }
    (text, error, stream.outcome().expect("the stream has ended").status)
}

#[wasm_bindgen_test]
async fn a_stream_gives_chunks_and_then_its_outcome() {
    let client = client(streaming(&[CHUNK, LAST]));
    let mut stream = client.stream(&request()).await.unwrap();
    assert!(stream.outcome().is_none());
    assert_eq!(stream.next().await.unwrap().unwrap().text(), "Hel");
    assert_eq!(stream.next().await.unwrap().unwrap().text(), "lo");
    assert!(stream.next().await.is_none());
    let outcome = stream.outcome().unwrap();
    assert_eq!((outcome.status, outcome.text.as_str()), (Status::Complete, "Hello"));
    assert_eq!(outcome.request_id.as_deref(), Some("req_1"));
    assert!(stream.next().await.is_none(), "the end is the end");
}

#[wasm_bindgen_test]
async fn a_stream_cut_anywhere_says_so_and_keeps_what_came() {
    let (text, error, status) = read(&client(streaming(&[CHUNK]))).await;
    assert_eq!((text.as_str(), status), ("Hel", Status::Truncated));
    assert_eq!(error.unwrap().kind, ErrorKind::Truncated);
}

#[wasm_bindgen_test]
async fn fetch_gets_a_string_url_a_string_body_and_the_key() {
    let client = client(fetch(
        "globalThis.sent = { url, method: init.method, body: init.body, auth: new Headers(init.headers).get('authorization') };
         return Promise.resolve(new Response(JSON.stringify({ choices: [{ index: 0, message: { role: 'assistant', content: 'Yes' }, finish_reason: 'stop' }] })));",
    ));
    let completion = client.create(&request()).await.unwrap();
    assert_eq!(completion.text(), "Yes");
    let sent = Reflect::get(&js_sys::global(), &"sent".into()).unwrap();
    let sent = |name: &str| Reflect::get(&sent, &name.into()).unwrap().as_string().unwrap();
    assert_eq!(sent("url"), "https://api.smallest.ai/waves/v1/chat/completions");
    assert_eq!(sent("method"), "POST");
    assert_eq!(sent("auth"), "Bearer sk-secret-key");
    assert_eq!(
        sent("body"),
        r#"{"model":"electron","messages":[{"role":"user","content":"Hi"}]}"#
    );
}

#[wasm_bindgen_test]
async fn warming_up_sends_no_key_and_takes_any_answer() {
    let warmed = client(fetch(
        "globalThis.warmed = url + ' ' + init.method + ' ' + new Headers(init.headers).get('authorization') + ' ' + init.body;
         return Promise.resolve(new Response('Use POST.', { status: 405 }));",
    ));
    warmed.warm_up().await.unwrap();
    let sent = Reflect::get(&js_sys::global(), &"warmed".into()).unwrap();
    assert_eq!(
        sent.as_string().unwrap(),
        "https://api.smallest.ai/waves/v1/chat/completions GET null undefined"
    );
    assert_eq!(warmed.usage().requests, 0);
    let error = client(fetch("return Promise.reject(new TypeError('no'))"))
        .warm_up()
        .await;
    assert_eq!(error.unwrap_err().kind, ErrorKind::Connection);
}

#[wasm_bindgen_test]
async fn a_refusal_is_an_error_by_its_status_without_the_key() {
    let client = client(fetch(
        "return Promise.resolve(new Response(JSON.stringify({ error: { message: 'bad key sk-secret-key' } }), { status: 401 }));",
    ));
    let error = client.create(&request()).await.unwrap_err();
    assert_eq!((error.name(), error.status()), ("AuthenticationError", Some(401)));
    assert!(!format!("{error:?}").contains("sk-secret-key"), "{error:?}");
}

#[wasm_bindgen_test]
async fn a_failure_that_may_pass_is_tried_again() {
    let fetch = fetch(
        "globalThis.calls = (globalThis.calls ?? 0) + 1;
         if (globalThis.calls < 3) return Promise.resolve(new Response('', { status: 503, headers: { 'retry-after-ms': '1' } }));
         return Promise.resolve(new Response('data: {\"choices\":[{\"delta\":{\"content\":\"ok\"},\"finish_reason\":\"stop\"}]}\\n\\ndata: [DONE]\\n\\n'));",
    );
    let client = Client::builder(Provider::custom("http://localhost/v1"))
        .fetch(fetch)
        .build()
        .unwrap();
    let mut stream = client.stream(&request()).await.unwrap();
    assert_eq!(stream.next().await.unwrap().unwrap().text(), "ok");
    assert!(stream.next().await.is_none());
    let statuses: Vec<_> = stream
        .outcome()
        .unwrap()
        .attempts
        .iter()
        .map(|attempt| attempt.status)
        .collect();
    assert_eq!(statuses, [Some(503), Some(503), Some(200)]);
}

#[wasm_bindgen_test]
async fn the_time_to_come_back_is_in_the_error_of_a_failure_and_of_a_first_event() {
    let now = js_sys::Date::now();
    for (host, answer, name) in [
        (
            "refused",
            "new Response('', { status: 529, headers: { 'retry-after': '180' } })",
            "InternalServerError",
        ),
        (
            "limited",
            "new Response('data: {\"error\":{\"code\":429,\"message\":\"try again in 180s\"}}\\n\\n')",
            "RateLimitError",
        ),
        (
            "failed",
            "new Response('data: {\"error\":{\"code\":503,\"message\":\"try again in 180s\"}}\\n\\n')",
            "InternalServerError",
        ),
    ] {
        // Also where nobody is asked again.
        for max_retries in [0, 2] {
            let provider =
                Provider::custom(["http://", host, if max_retries == 0 { "0" } else { "2" }, "/v1"].concat());
            let client = Client::builder(provider)
                .fetch(fetch(&["return Promise.resolve(", answer, ")"].concat()))
                .max_retries(max_retries)
                .build()
                .unwrap();
            let error = match client.stream(&request()).await {
                Ok(mut stream) => loop {
                    if let Err(error) = stream.next().await.expect("it ends with an error") {
                        break error;
                    }
                },
                Err(error) => error,
            };
            assert_eq!(error.name(), name, "{host}");
            let wait = error.retry_at().expect("the server names a wait") - now;
            assert!((170_000.0..240_000.0).contains(&wait), "{host}: {wait}");
            let next = client.stream(&request()).await.err().expect("it is held back");
            assert_eq!(next.code.as_deref(), Some("cooldown"), "{host}");
            assert!(next.retry_at().is_some());
        }
    }
}

#[wasm_bindgen_test]
async fn a_fetch_that_throws_rejects_or_gives_nonsense_is_a_connection_error() {
    for body in [
        "throw new TypeError('no')",
        "return Promise.reject('a string')",
        "return Promise.reject(undefined)",
        "return undefined",
        "return Promise.resolve({})",
        "return Promise.resolve(42)",
    ] {
        let error = client(fetch(body)).create(&request()).await.unwrap_err();
        assert_eq!(error.kind, ErrorKind::Connection, "{body}");
    }
}

#[wasm_bindgen_test]
async fn no_answer_within_the_time_is_a_timeout_though_fetch_never_settles() {
    let client = client(fetch("return new Promise(() => {})"));
    let options = CallOptions {
        timeout: TimeoutOption {
            headers: Setting::Ms(5.0),
            ..TimeoutOption::default()
        },
        ..CallOptions::default()
    };
    let error = client.create_with(&request(), options).await.unwrap_err();
    assert_eq!(error.kind, ErrorKind::ConnectionTimeout);
}

#[wasm_bindgen_test]
async fn silence_within_a_stream_ends_it_as_stalled() {
    let client = client(fetch(
        "const body = new ReadableStream({ start(controller) {
           controller.enqueue(new TextEncoder().encode('data: {\"choices\":[{\"delta\":{\"content\":\"Hel\"}}]}\\n\\n'));
         } });
         return Promise.resolve(new Response(body));",
    ));
    let options = CallOptions {
        timeout: TimeoutOption {
            idle: Setting::Ms(20.0),
            ..TimeoutOption::default()
        },
        ..CallOptions::default()
    };
    let mut stream = client.stream_with(&request(), options).await.unwrap();
    assert_eq!(stream.next().await.unwrap().unwrap().text(), "Hel");
    assert_eq!(stream.next().await.unwrap().unwrap_err().kind, ErrorKind::Stalled);
    assert_eq!(stream.outcome().unwrap().status, Status::Stalled);
}

#[wasm_bindgen_test]
async fn a_signal_aborts_before_during_and_after() {
    let controller = web_sys::AbortController::new().unwrap();
    let options = || CallOptions {
        signal: Some(controller.signal()),
        ..CallOptions::default()
    };
    let waiting = client(fetch(
        "setTimeout(() => globalThis.leave(), 1); return new Promise(() => {})",
    ));
    let leave = wasm_bindgen::closure::Closure::<dyn Fn()>::new({
        let controller = controller.clone();
        move || controller.abort()
    });
    Reflect::set(&js_sys::global(), &"leave".into(), leave.as_ref()).unwrap();
    assert_eq!(
        waiting.create_with(&request(), options()).await.unwrap_err().kind,
        ErrorKind::UserAbort
    );
    let error = waiting.create_with(&request(), options()).await.unwrap_err();
    assert_eq!(error.kind, ErrorKind::UserAbort, "before the call");
    let mut stream = client(streaming(&[CHUNK, LAST])).stream(&request()).await.unwrap();
    stream.next().await.unwrap().unwrap();
    stream.abort();
    assert!(stream.next().await.is_none(), "after an abort the stream just ends");
    assert_eq!(stream.outcome().unwrap().status, Status::Aborted);
    assert_eq!(stream.outcome().unwrap().text, "Hel");
}

#[wasm_bindgen_test]
async fn dropping_a_stream_cancels_the_body() {
    let client = client(fetch(
        "const body = new ReadableStream({
           pull(controller) { controller.enqueue(new TextEncoder().encode(': waiting\\n\\n')); },
           cancel() { globalThis.cancelled = true; },
         });
         return Promise.resolve(new Response(body));",
    ));
    drop(client.stream(&request()).await.unwrap());
    let cancelled = Reflect::get(&js_sys::global(), &"cancelled".into()).unwrap();
    assert!(cancelled.is_truthy());
}

#[wasm_bindgen_test]
fn a_client_that_cannot_work_is_refused_when_it_is_made() {
    let refused = |provider: Provider| Client::builder(provider).build().err().expect("refused").name();
    assert_eq!(refused(Provider::electron("key\nwith a break")), "InvalidRequestError");
    assert_eq!(refused(Provider::custom("ftp://host")), "InvalidRequestError");
    assert_eq!(refused(Provider::custom("/v1")), "InvalidRequestError");
    assert_eq!(refused(Provider::custom("https://api.openai.com/v1")), "ChatwireError");
    let located = Client::builder(Provider::custom("/v1"))
        .location("https://app.example/chat")
        .build();
    assert!(located.is_ok());
}

#[wasm_bindgen_test]
async fn what_the_service_documents_as_rejected_is_not_sent() {
    let client = client(fetch("throw new Error('sent')"));
    let mut request = request();
    request.n = Some(2);
    let error = client.create(&request).await.unwrap_err();
    let ErrorKind::InvalidRequest { details } = error.kind else {
        panic!("{error:?}")
    };
    assert_eq!(details.len(), 1);
    assert_eq!(details[0].path, ["n"]);
}

const USAGE: &str = r#"data: {"id":"c1","choices":[],"usage":{"prompt_tokens":1000,"completion_tokens":500,"total_tokens":1500,"prompt_tokens_details":{"cached_tokens":400}}}\n\ndata: [DONE]\n\n"#;
const WHOLE: &str = r#"data: {"id":"c1","choices":[{"index":0,"delta":{"content":"Hi"},"finish_reason":"stop"}]}\n\n"#;

/// A client of a server that refuses.
fn refused(host: &str, status: u16) -> chatwire::ClientBuilder {
    let body = format!("return Promise.resolve(new Response('', {{ status: {status} }}));");
    Client::builder(Provider::custom(format!("http://{host}/v1")))
        .fetch(fetch(&body))
        .max_retries(0)
}

#[wasm_bindgen_test]
async fn what_calls_use_adds_up_across_clones_streams_cut_short_included() {
    let client = client(streaming(&[WHOLE, USAGE]));
    client.clone().create(&request()).await.unwrap();
    let mut stream = client.stream(&request()).await.unwrap();
    stream.next().await.unwrap().unwrap();
    drop(stream);
    let usage = client.usage();
    assert_eq!((usage.requests, usage.estimated, usage.uncounted), (2, 1, 0));
    assert_eq!(usage.cached, 400);
    assert!(
        usage.prompt > 1000,
        "the stream that was dropped is estimated: {usage:?}"
    );
    // 600 tokens at $0.40, 400 at $0.10 and 500 at $1.60 a million, and the estimate.
    assert!(usage.cost().unwrap() > 0.001_08, "{usage:?}");
}

#[wasm_bindgen_test]
async fn a_fallback_answers_where_this_server_cannot_and_its_answer_is_counted_there() {
    let backup = client(streaming(&[WHOLE, USAGE]));
    let main = refused("main.test", 503)
        .fallback(refused("busy.test", 429).build().unwrap(), |_| {})
        .fallback(backup.clone(), |request| request.model = "electron".to_owned())
        .build()
        .unwrap();
    let mut stream = main
        .stream(&ChatCompletionRequest::new("other", vec![Message::user("Hi")]))
        .await
        .unwrap();
    while let Some(chunk) = stream.next().await {
        chunk.unwrap();
    }
    let outcome = stream.outcome().unwrap();
    let attempts: Vec<_> = outcome
        .attempts
        .iter()
        .map(|attempt| (attempt.provider.as_str(), attempt.status))
        .collect();
    assert_eq!(
        attempts,
        [("custom", Some(503)), ("custom", Some(429)), ("electron", Some(200))]
    );
    assert_eq!((main.usage().requests, backup.usage().requests), (0, 1));
}

/// A `fetch` that gives these bodies in turn, the last one for ever. `!` in a body stands for silence.
fn in_turn(bodies: &[&str]) -> Function {
    let bodies: Vec<String> = bodies.iter().map(|body| format!("`{body}`")).collect();
    let fetch = fetch(&format!(
        "const bodies = [{}];
         const body = bodies[Math.min(this.asked = (this.asked ?? -1) + 1, bodies.length - 1)];
         const stream = new ReadableStream({{
           start(controller) {{
             controller.enqueue(new TextEncoder().encode(body.replace('!', '')));
             if (!body.includes('!')) controller.close();
           }},
         }});
         return Promise.resolve(new Response(stream));",
        bodies.join(",")
    ));
    fetch.bind0(&js_sys::Object::new())
}

const ROLE: &str = r#"data: {"id":"bad","choices":[{"index":0,"delta":{"role":"assistant","content":""}}]}\n\n"#;

#[wasm_bindgen_test]
async fn an_answer_that_breaks_before_its_first_token_is_asked_for_again() {
    let silence = format!("{ROLE}!");
    for (bad, reason) in [
        ("", "TruncatedError"),
        (ROLE, "TruncatedError"),
        (
            r#"data: {"error":{"code":503,"message":"busy"}}\n\n"#,
            "InternalServerError",
        ),
        (silence.as_str(), "StalledError"),
    ] {
        let client = Client::builder(Provider::custom("http://again.test/v1"))
            .fetch(in_turn(&[bad, WHOLE]))
            .max_retries(1)
            .timeout(TimeoutOption {
                first_token: Setting::Ms(30.0),
                ..TimeoutOption::default()
            })
            .build()
            .unwrap();
        let mut stream = client.stream(&request()).await.unwrap();
        let mut ids = Vec::new();
        while let Some(chunk) = stream.next().await {
            ids.push(chunk.unwrap().id);
        }
        assert!(!ids.iter().any(|id| id.as_deref() == Some("bad")), "{ids:?}");
        let outcome = stream.outcome().unwrap();
        assert_eq!((outcome.status, outcome.text.as_str()), (Status::Complete, "Hi"));
        let reasons: Vec<_> = outcome.attempts.iter().map(|attempt| attempt.reason.as_str()).collect();
        assert_eq!(reasons, [reason, "ok"]);
    }
}

#[wasm_bindgen_test]
async fn an_answer_that_breaks_falls_back_and_the_last_one_stands() {
    let backup = client(streaming(&[WHOLE, USAGE]));
    let broken = |backup: Option<&Client>, on: &[&str]| {
        let builder = Client::builder(Provider::custom("http://broken.test/v1"))
            .fetch(in_turn(&[ROLE]))
            .max_retries(0);
        match backup {
            Some(backup) => builder.fallback_on(on, backup.clone(), |_| {}),
            None => builder,
        }
        .build()
        .unwrap()
    };
    let (text, error, status) = read(&broken(Some(&backup), &["broken"])).await;
    assert_eq!((text.as_str(), status), ("Hi", Status::Complete));
    assert!(error.is_none());
    for alone in [broken(None, &[]), broken(Some(&backup), &["limit"])] {
        let (text, error, status) = read(&alone).await;
        assert_eq!((text.as_str(), status), ("", Status::Truncated));
        assert_eq!(error.unwrap().kind, ErrorKind::Truncated);
    }
    let completion = broken(Some(&backup), &["broken"]).create(&request()).await.unwrap();
    assert_eq!(completion.choices.len(), 1);
}

#[wasm_bindgen_test]
fn a_word_of_fallback_on_that_is_none_is_refused_with_those_there_are() {
    let backup = client(streaming(&[WHOLE, USAGE]));
    let build = |words: &[&str]| {
        Client::builder(Provider::custom("http://words.test/v1"))
            .fallback_on(words, backup.clone(), |_| {})
            .build()
    };
    let all = ["connection", "server", "limit", "quota", "model", "region", "broken"];
    assert!(build(&all).is_ok());
    for word in ["money", "", "limits", "Limit"] {
        let error = build(&["limit", word]).err().expect("a word that is none");
        assert!(matches!(error.kind, ErrorKind::InvalidRequest { .. }));
        for known in all {
            assert!(error.message.contains(known), "{}", error.message);
        }
    }
}

#[wasm_bindgen_test]
async fn a_stream_that_is_left_while_it_is_asked_for_again_is_aborted() {
    let limited = r#"data: {"error":{"code":429,"message":"Please try again in 20s."}}\n\n"#;
    let client = Client::builder(Provider::custom("http://left.test/v1"))
        .fetch(in_turn(&[limited]))
        .max_retries(1)
        .build()
        .unwrap();
    let controller = web_sys::AbortController::new().unwrap();
    Function::new_with_args("controller", "setTimeout(() => controller.abort(), 30)")
        .call1(&JsValue::UNDEFINED, &controller)
        .unwrap();
    let options = CallOptions {
        signal: Some(controller.signal()),
        ..CallOptions::default()
    };
    let mut stream = client.stream_with(&request(), options).await.unwrap();
    assert!(stream.next().await.is_none());
    let outcome = stream.outcome().unwrap();
    assert_eq!(outcome.status, Status::Aborted);
    assert_eq!(outcome.attempts[0].reason, "RateLimitError");
}

#[wasm_bindgen_test]
async fn a_request_that_is_wrong_is_wrong_for_a_fallback_too() {
    let main = refused("wrong.test", 401)
        .fallback(client(streaming(&[WHOLE, USAGE])), |_| {})
        .build()
        .unwrap();
    assert_eq!(main.create(&request()).await.unwrap_err().status(), Some(401));
}

#[wasm_bindgen_test]
async fn an_observer_is_told_all_but_what_was_said() {
    let told = std::rc::Rc::new(std::cell::RefCell::new(Vec::new()));
    let client = Client::builder(Provider::electron("sk-secret-key"))
        .fetch(streaming(&[WHOLE, USAGE]))
        .observer({
            let told = told.clone();
            move |hook, json| told.borrow_mut().push((hook, json))
        })
        .build()
        .unwrap();
    let mut odd = request();
    odd.messages.clear();
    client.create(&odd).await.unwrap();
    let told = told.borrow();
    let hooks: Vec<_> = told.iter().map(|(hook, _)| hook.as_str()).collect();
    assert_eq!(hooks, ["onRequest", "onResponse", "onOutcome"]);
    let json: Vec<serde_json::Value> = told
        .iter()
        .map(|(_, json)| serde_json::from_str(json).unwrap())
        .collect();
    assert_eq!(json[0]["warnings"][0]["path"], serde_json::json!(["messages"]));
    assert_eq!(json[2]["status"], "complete");
    assert_eq!(json[2]["attempts"][0]["status"], 200);
    assert!(!format!("{told:?}").contains("sk-secret"), "{told:?}");
}

#[wasm_bindgen_test]
async fn a_key_function_is_asked_for_each_attempt() {
    let fetch = fetch(
        "globalThis.keys = [...(globalThis.keys ?? []), new Headers(init.headers).get('authorization')];
         return Promise.resolve(new Response('', { status: 503, headers: { 'retry-after-ms': '1' } }));",
    );
    let client = Client::builder(Provider::custom("http://localhost/v1"))
        .fetch(fetch)
        .max_retries(1)
        .key_function(Function::new_no_args(
            "globalThis.asked = (globalThis.asked ?? 0) + 1; return Promise.resolve('key-' + globalThis.asked);",
        ))
        .build()
        .unwrap();
    assert_eq!(client.create(&request()).await.unwrap_err().status(), Some(503));
    let keys = Reflect::get(&js_sys::global(), &"keys".into()).unwrap();
    assert_eq!(
        js_sys::JSON::stringify(&keys).unwrap(),
        r#"["Bearer key-1","Bearer key-2"]"#
    );
}

#[wasm_bindgen_test]
async fn a_response_with_odd_headers_is_read_all_the_same() {
    let give_up = "() => { throw new Error('no headers here') }";
    for headers in [
        "new Map([['x-count', 1], ['x-request-id', 7]])".to_owned(),
        format!("{{ get: {give_up}, entries: {give_up} }}"),
        format!("{{ get() {{}}, entries: () => ({{ [Symbol.iterator]: () => ({{ next: {give_up} }}) }}) }}"),
        "{ get() {}, entries: () => 3 }".to_owned(),
    ] {
        let client = client(fetch(&format!(
            "const {{ body }} = new Response(`{CHUNK}{LAST}`);
             return Promise.resolve({{ status: 200, headers: {headers}, body }});"
        )));
        let (text, error, status) = read(&client).await;
        assert_eq!(
            (text.as_str(), status),
            ("Hello", Status::Complete),
            "{headers}: {error:?}"
        );
    }
}

/// An object as a script would have written it.
fn object(source: &str) -> JsValue {
    Function::new_no_args(&format!("return ({source})"))
        .call0(&JsValue::UNDEFINED)
        .unwrap()
}

#[wasm_bindgen_test]
fn a_request_is_read_from_the_object_that_a_script_would_pass() {
    let params = object(
        "{ model: 'm', messages: [{ role: 'user', content: 'Hi' }, { role: 'user', content: [{ type: 'text', text: 'there' }] }],
           temperature: 0.5, max_tokens: 7, seed: undefined, stop: null, tools: [{ type: 'function', function: { name: 'f',
           parameters: { type: 'object', properties: { a: { type: 'number' } } } } }], new_field: { deep: [1, 2.5, 'x', null] } }",
    );
    let request = js::request(&params).unwrap();
    assert_eq!(
        serde_json::to_value(&request).unwrap(),
        serde_json::json!({
            "model": "m",
            "messages": [
                { "role": "user", "content": "Hi" },
                { "role": "user", "content": [{ "type": "text", "text": "there" }] },
            ],
            "temperature": 0.5,
            "max_tokens": 7,
            "tools": [{ "type": "function", "function": { "name": "f",
                "parameters": { "type": "object", "properties": { "a": { "type": "number" } } } } }],
            "new_field": { "deep": [1, 2.5, "x", null] },
        })
    );
}

#[wasm_bindgen_test]
fn an_object_that_is_no_request_is_an_error_that_quotes_nothing_of_it() {
    for source in [
        "null",
        "'secret'",
        "{ model: 'm' }",
        "{ messages: 'secret' }",
        "{ messages: [], max_tokens: 'secret' }",
    ] {
        let error = js::request(&object(source)).unwrap_err();
        assert_eq!(error.kind, ErrorKind::Configuration, "{source}");
        assert!(!error.message.contains("secret"), "{source}: {}", error.message);
    }
}

#[wasm_bindgen_test]
async fn chunks_and_errors_are_objects_for_scripts() {
    let mut stream = client(streaming(&[CHUNK, LAST])).stream(&request()).await.unwrap();
    let chunk = js::value(&stream.next().await.unwrap().unwrap()).unwrap();
    let read = Function::new_with_args("chunk", "return chunk.choices[0].delta.content + JSON.stringify(chunk)");
    let text = read.call1(&JsValue::UNDEFINED, &chunk).unwrap().as_string().unwrap();
    assert!(text.starts_with("Hel{") && text.contains(r#""id":"c1""#), "{text}");

    let refused = client(fetch("return Promise.resolve(new Response('{}', { status: 401 }));"));
    let thrown = JsValue::from(refused.create(&request()).await.unwrap_err());
    let member = |name: &str| Reflect::get(&thrown, &name.into()).unwrap();
    assert!(thrown.is_instance_of::<js_sys::Error>());
    assert_eq!(member("name").as_string().as_deref(), Some("AuthenticationError"));
    assert_eq!(member("status").as_f64(), Some(401.0));
}

/// Polls a future once, which has to have something to wait for, and drops it.
fn begin_and_drop<T>(future: impl Future<Output = T>) {
    let mut future = std::pin::pin!(future);
    let mut context = std::task::Context::from_waker(std::task::Waker::noop());
    assert!(future.as_mut().poll(&mut context).is_pending());
}

fn global(name: &str) -> JsValue {
    Reflect::get(&js_sys::global(), &name.into()).unwrap()
}

#[wasm_bindgen_test]
async fn dropping_a_call_before_the_headers_cancels_its_request() {
    let waiting = || {
        client(fetch(
            "globalThis.aborted = false;
             init.signal.addEventListener('abort', () => { globalThis.aborted = true; });
             return new Promise(() => {});",
        ))
    };
    let asked = waiting();
    begin_and_drop(async { asked.stream(&request()).await.map(drop) });
    assert!(global("aborted").is_truthy(), "stream");
    begin_and_drop(async { asked.create(&request()).await });
    assert!(global("aborted").is_truthy(), "create");
}

#[wasm_bindgen_test]
async fn dropping_a_call_while_a_refusal_is_read_cancels_its_body() {
    let refusing = client(fetch(
        "globalThis.aborted = false;
         init.signal.addEventListener('abort', () => { globalThis.aborted = true; });
         return Promise.resolve(new Response(new ReadableStream({}), { status: 400 }));",
    ));
    let options = CallOptions {
        timeout: TimeoutOption {
            headers: Setting::Ms(1_000.0),
            ..TimeoutOption::default()
        },
        ..CallOptions::default()
    };
    let mut call = Box::pin(async move { refusing.create_with(&request(), options).await });
    let mut reads = 0;
    std::future::poll_fn(|context| {
        assert!(call.as_mut().poll(context).is_pending());
        reads += 1;
        // The headers, then the body.
        if reads < 2 {
            std::task::Poll::Pending
        } else {
            std::task::Poll::Ready(())
        }
    })
    .await;
    drop(call);
    assert!(global("aborted").is_truthy());
}

#[wasm_bindgen_test]
async fn a_refusal_that_trickles_is_waited_for_no_longer_than_one_that_is_silent() {
    let trickling = client(fetch(
        "const body = new ReadableStream({
           async pull(controller) {
             await new Promise((resolve) => setTimeout(resolve, 10));
             controller.enqueue(new TextEncoder().encode(' '));
           },
         });
         return Promise.resolve(new Response(body, { status: 400 }));",
    ));
    let options = CallOptions {
        timeout: TimeoutOption {
            headers: Setting::Ms(100.0),
            ..TimeoutOption::default()
        },
        ..CallOptions::default()
    };
    let started = js_sys::Date::now();
    let error = trickling.create_with(&request(), options).await.unwrap_err();
    assert_eq!(error.kind, ErrorKind::BadRequest);
    let took = js_sys::Date::now() - started;
    assert!(took < 2_000.0, "{took} ms");
}

#[wasm_bindgen_test]
async fn what_json_parse_takes_is_an_answer() {
    let nested = format!("{}{}", "[".repeat(122), "]".repeat(122));
    for odd in [
        r#""content":"a\\ud83d""#,
        r#""content":"a\\ufffd","x":1e999"#,
        r#""content":"a\\ufffd","x":1,"x":2"#,
        &format!(r#""content":"a\\ufffd","x":{nested}"#),
    ] {
        let document = format!(r#"{{"id":"c","choices":[{{"index":0,"message":{{{odd}}},"finish_reason":"stop"}}]}}"#);
        let asked = client(fetch(&format!("return Promise.resolve(new Response(`{document}`))")));
        let completion = asked.create(&request()).await.unwrap();
        assert_eq!(completion.text(), "a\u{FFFD}", "{odd}");
        let event =
            format!(r#"data: {{"id":"c","choices":[{{"index":0,"delta":{{{odd}}},"finish_reason":"stop"}}]}}\n\n"#);
        let (text, error, status) = read(&client(streaming(&[&event]))).await;
        assert_eq!(
            (text.as_str(), error, status),
            ("a\u{FFFD}", None, Status::Complete),
            "{odd}"
        );
    }
}

/// A `fetch` whose body has this reader, beside `Hel` in its first read.
fn reading(reader: &str) -> Function {
    fetch(&format!(
        "const first = {{ done: false, value: new TextEncoder().encode(`{CHUNK}`) }};
         let reads = 0;
         const never = new Promise(() => {{}});
         const body = {{ locked: false, getReader: () => ({reader}) }};
         return Promise.resolve({{ status: 200, headers: new Headers(), body }});"
    ))
}

#[wasm_bindgen_test]
async fn a_host_whose_calls_fail_ends_the_call_by_name_with_what_had_arrived() {
    let with = |read: &str| {
        format!(
            "{{ read: () => reads++ ? {read} : Promise.resolve(first), cancel() {{ throw new Error('no cancel') }} }}"
        )
    };
    let give_up = "(() => { throw new Error('no') })()";
    for read in [
        give_up,
        "Promise.reject(new Error('no'))",
        "Promise.reject(undefined)",
        "undefined",
        "Promise.resolve()",
        "Promise.resolve({ done: false, value: 7 })",
        "Promise.resolve({ get done() { throw new Error('no') }, get value() { throw new Error('no') } })",
        "({ get then() { throw new Error('no') } })",
    ] {
        let (text, error, status) = self::read(&client(reading(&with(read)))).await;
        assert_eq!((text.as_str(), status), ("Hel", Status::Truncated), "{read}");
        assert_eq!(error.map(|error| error.kind), Some(ErrorKind::Truncated), "{read}");
    }
    for body in [
        "body: { locked: false, getReader() { throw new Error('no') } }",
        "body: { get locked() { throw new Error('no') }, getReader() {} }",
        "body: { locked: false, getReader() { return 7 } }",
        "body: { locked: true, getReader() { throw new Error('locked') } }",
        "body: 'text'",
        "get body() { throw new Error('no') }",
    ] {
        let answer = format!("return Promise.resolve({{ status: 200, headers: new Headers(), {body} }});");
        let asked = client(fetch(&answer));
        let error = asked.stream(&request()).await.err().expect("nothing can be read");
        assert_eq!(error.kind, ErrorKind::Protocol, "{body}");
    }
}

#[wasm_bindgen_test]
async fn a_fetch_that_answers_no_http_status_is_not_asked_without_end() {
    for status in ["NaN", "0", "101", "600", "200.5"] {
        let asked = Client::builder(Provider::electron("sk-secret-key"))
            .fetch(fetch(&format!(
                "globalThis.asked = (globalThis.asked ?? 0) + 1;
                 return Promise.resolve({{ status: {status}, headers: new Headers(), body: null }});"
            )))
            .max_retries(1)
            .build()
            .unwrap();
        Reflect::set(&js_sys::global(), &"asked".into(), &0.into()).unwrap();
        let error = asked.create(&request()).await.unwrap_err();
        assert_eq!(error.kind, ErrorKind::Connection, "{status}: {}", error.message);
        assert!(global("asked").as_f64().is_some_and(|asked| asked <= 2.0), "{status}");
    }
}

#[wasm_bindgen_test]
async fn a_key_function_that_never_settles_is_under_the_timeout_of_the_headers() {
    let client = Client::builder(Provider::custom("http://localhost/v1"))
        .key_function(Function::new_no_args("return new Promise(() => {})"))
        .fetch(fetch("globalThis.isKeyless = true; return new Promise(() => {})"))
        .build()
        .unwrap();
    let options = CallOptions {
        timeout: TimeoutOption {
            headers: Setting::Ms(20.0),
            ..TimeoutOption::default()
        },
        ..CallOptions::default()
    };
    let error = client.create_with(&request(), options).await.unwrap_err();
    assert_eq!(error.kind, ErrorKind::ConnectionTimeout);
    assert!(!global("isKeyless").is_truthy());
}

#[wasm_bindgen_test]
async fn a_clock_that_is_put_back_while_an_answer_is_waited_for_prolongs_no_timeout() {
    let options = CallOptions {
        timeout: TimeoutOption {
            idle: Setting::Ms(50.0),
            ..TimeoutOption::default()
        },
        ..CallOptions::default()
    };
    let put_back = reading(
        "{ read() {
             if (reads++ === 0) return Promise.resolve(first);
             globalThis.realNow ??= performance.now;
             performance.now = () => globalThis.realNow.call(performance) - 1e9;
             return never;
           }, cancel() {} }",
    );
    let mut stream = client(put_back).stream_with(&request(), options).await.unwrap();
    assert_eq!(stream.next().await.unwrap().unwrap().text(), "Hel");
    let error = stream.next().await.unwrap().unwrap_err();
    Function::new_no_args("performance.now = globalThis.realNow")
        .call0(&JsValue::UNDEFINED)
        .unwrap();
    assert_eq!(error.kind, ErrorKind::Stalled);
}
