//! One server as a Rust client sees it: does what [`Opening`] says, through the host.

use std::cell::RefCell;
use std::rc::Rc;

use gloo_net::http::{Headers, QueryParams, Response};
use js_sys::{Function, Promise, Reflect, Uint8Array};
use serde_json::value::RawValue;
use wasm_bindgen::prelude::*;
use web_sys::AbortSignal;

use super::host::{self, Lost, Reader, Sent};
use crate::error::{Error, MAX_BODY_BYTES};
use crate::policy::accounts::Slot;
use crate::policy::opening::{Action, Event, Moment, Opening, Request, Settings};
use crate::stream;
use crate::usage::{Tokens, Totals};

/// How long a connection may take to open ahead of the first request.
const WARM_UP_MS: f64 = 10_000.0;

/// A response whose headers have arrived, and how to read it.
pub(crate) struct Opened {
    pub(crate) response: web_sys::Response,
    /// Dropped, it ends the response's body.
    pub(crate) sent: Sent,
    pub(crate) decoder: stream::Options,
    /// The request's slot within the plan's limits, to be given back when the answer is over.
    pub(crate) slot: Option<Slot>,
    /// Whether the request may be retried if the answer breaks before anything of it was handed out.
    pub(crate) again: bool,
}

/// The settings of a client, and the functions of its host.
pub(crate) struct Connection {
    pub(crate) settings: Rc<Settings>,
    pub(crate) fetch: Option<Function>,
    /// Gives the key, or a promise of it.
    pub(crate) key: Option<Function>,
    /// Called for each event of a call, as `(event, JSON text)`.
    pub(crate) observer: Option<Function>,
    /// The totals of the finished calls.
    pub(crate) totals: RefCell<Totals>,
}

impl Connection {
    /// Runs an opening until there is a good response, or a retry is pointless.
    pub(crate) async fn advance(
        &self,
        opening: &mut Opening,
        body: &str,
        signal: Option<&AbortSignal>,
        event: Event,
    ) -> Result<Opened, Error> {
        // The request under way, or the body of a refusal: cancelled when this future is dropped.
        let mut answer: Option<(web_sys::Response, Sent)> = None;
        let mut event = event;
        loop {
            let at = Moment {
                now: host::now(),
                wall: host::wall_clock(),
                random: host::random(),
            };
            let action = opening.step(event, at);
            self.tell_all(&opening.told.take_string());
            let done = match (action, answer.take()) {
                (Action::Wait(ms), _) => host::sleep(ms, signal).await.map(|()| Event::Due),
                (Action::Send(request), _) => match send(&request, body, self.fetch.as_ref(), signal).await {
                    Ok((response, sent)) => {
                        let wrapped = Response::from(Clone::clone(&response));
                        let headers = wrapped.headers().into_raw();
                        let event = Event::Answered {
                            status: wrapped.status(),
                            request_id: ask(&headers, "get", &"x-request-id".into()).and_then(|id| id.as_string()),
                            headers: listed(&headers),
                            redirected: redirected(&response),
                        };
                        answer = Some((response, sent));
                        Ok(event)
                    }
                    Err(lost) => Err(lost),
                },
                (Action::Read(ms), Some((response, _sent))) => {
                    Ok(Event::Body(read_bounded(&response, signal, ms).await))
                }
                (Action::Open(opened), Some((response, sent))) => {
                    return Ok(Opened {
                        response,
                        sent,
                        decoder: opened.decoder,
                        slot: opened.slot,
                        again: opened.again,
                    });
                }
                (Action::Fail(error), _) => return Err(*error),
                (Action::Key(timeout), _) => self.ask_key(timeout, signal).await.map(Event::Key),
                // The opening asks to read a body only after a response.
                (Action::Read(_) | Action::Open(..), _) => Err(Lost::Aborted),
            };
            event = done.unwrap_or_else(|lost| match lost {
                Lost::Aborted => Event::Aborted,
                Lost::TimedOut => Event::TimedOut,
                Lost::Failed(reason) => Event::Failed(reason),
            });
        }
    }

    /// Sends a request without a key that every server refuses in few words, and reads the refusal, which keeps the connection.
    pub(super) async fn warm_up(&self) -> Result<(), Error> {
        let url = self.settings.base.join("/chat/completions");
        let sent = host::fetch(host::Call {
            fetch: self.fetch.as_ref(),
            url: &url,
            method: "GET",
            headers: Headers::new().into_raw(),
            body: None,
            signal: None,
            timeout: Some(WARM_UP_MS),
        });
        match sent.await {
            Ok((response, _sent)) => {
                read_bounded(&response, None, WARM_UP_MS).await;
                Ok(())
            }
            Err(Lost::TimedOut) => Err(Error::timeout("headers", WARM_UP_MS)),
            Err(Lost::Failed(reason)) => Err(Error::connection(&reason, None)),
            Err(Lost::Aborted) => Err(Error::aborted()),
        }
    }

    async fn ask_key(&self, timeout: Option<f64>, signal: Option<&AbortSignal>) -> Result<String, Lost> {
        let asked = self.key.as_ref().map(|key| key.call0(&JsValue::UNDEFINED));
        let promise = asked.unwrap_or(Ok(JsValue::UNDEFINED));
        let promise = promise.map_err(|error| Lost::Failed(host::describe(&error)))?;
        let key = host::wait(&Promise::resolve(&promise), signal, timeout).await?;
        key.as_string()
            .ok_or_else(|| Lost::Failed("it gave no string".to_owned()))
    }

    /// Adds a call that was answered here to the totals. `charged`: what the server says of its cost.
    pub(super) fn account(&self, used: Option<(Tokens, bool)>, charged: Option<u64>) {
        let (tokens, estimated) = used.unwrap_or_default();
        let prices = self.settings.prices.as_ref();
        let mut totals = self.totals.borrow_mut();
        totals.add_charged(&tokens, estimated, prices, charged);
    }

    /// Reports to the observer how a call ended, without its contents.
    pub(super) fn tell_outcome(&self, outcome: &serde_json::Value) {
        let mut told = serde_json::json!({ "provider": self.settings.provider.name });
        for name in ["status", "usage", "cost", "timing", "attempts", "requestId"] {
            told[name] = outcome[name].clone();
        }
        self.tell("onOutcome", &told.to_string());
    }

    fn tell_all(&self, told: &str) {
        let told = ["[", told, "]"].concat();
        for (event, what) in serde_json::from_str::<Vec<(&str, &RawValue)>>(&told).unwrap_or_default() {
            self.tell(event, what.get());
        }
    }

    /// Calls the observer with an event. Its return value and its exceptions are ignored.
    fn tell(&self, event: &str, what: &str) {
        if let Some(observer) = &self.observer {
            let _ = observer.call2(&JsValue::UNDEFINED, &event.into(), &what.into());
        }
    }
}

async fn send(
    request: &Request,
    body: &str,
    fetch: Option<&Function>,
    signal: Option<&AbortSignal>,
) -> Result<(web_sys::Response, Sent), Lost> {
    let mut url = request.url.clone();
    if !request.query.is_empty() {
        let params = QueryParams::new();
        for (name, value) in &request.query {
            params.append(name, value.as_deref().unwrap_or_default());
        }
        url.push('?');
        url.push_str(&params.to_string());
    }
    let headers = Headers::new();
    for (name, value) in &request.headers {
        match value {
            Some(value) => headers.set(name, value),
            None => headers.delete(name),
        }
    }
    let body = match &request.start {
        Some(start) => [start, body.get(1..).unwrap_or_default()].concat(),
        None => body.to_owned(),
    };
    host::fetch(host::Call {
        fetch,
        url: &url,
        method: request.method,
        headers: headers.into_raw(),
        body: Some(body.as_str()),
        signal,
        timeout: request.timeout,
    })
    .await
}

/// Where a response came from, if its request was redirected.
fn redirected(response: &JsValue) -> Option<String> {
    let member = |name: &str| Reflect::get(response, &name.into()).ok();
    member("redirected").filter(JsValue::is_truthy)?;
    member("url")?.as_string().filter(|url| !url.is_empty())
}

/// The response's headers, where they can be listed. An injected `fetch` may give anything: what is no text is left out.
fn listed(headers: &JsValue) -> Vec<(String, String)> {
    let entries = ask(headers, "entries", &JsValue::UNDEFINED);
    let Some(entries) = entries.and_then(|entries| js_sys::try_iter(&entries).ok()?) else {
        return Vec::new();
    };
    let text = |entry: &JsValue, at| Reflect::get_u32(entry, at).ok()?.as_string();
    entries
        .map_while(Result::ok)
        .filter_map(|entry| Some((text(&entry, 0)?, text(&entry, 1)?)))
        .collect()
}

/// The result of a method, if there is one and it does not throw.
fn ask(object: &JsValue, method: &str, argument: &JsValue) -> Option<JsValue> {
    let method = Reflect::get(object, &method.into()).ok()?;
    method.dyn_into::<Function>().ok()?.call1(object, argument).ok()
}

/// The body as text, as far as it is worth reading and comes within so many milliseconds in all. An error body that does not
/// come is no reason to wait.
async fn read_bounded(response: &web_sys::Response, signal: Option<&AbortSignal>, timeout: f64) -> String {
    let Ok(Some(reader)) = Reader::of(response) else {
        return String::new();
    };
    let mut bytes = Vec::new();
    let until = host::now() + timeout;
    while bytes.len() <= MAX_BODY_BYTES {
        let left = until - host::now();
        if left <= 0.0 {
            break;
        }
        let Ok(read) = host::wait(&reader.read(), signal, Some(left)).await else {
            break;
        };
        let done = Reflect::get(&read, &"done".into()).is_ok_and(|done| done.is_truthy());
        let Ok(chunk) = Reflect::get(&read, &"value".into()).and_then(|value| value.dyn_into::<Uint8Array>()) else {
            break;
        };
        // A host may give all of a large body in one piece.
        bytes.extend_from_slice(&chunk.subarray(0, MAX_BODY_BYTES as u32 + 1).to_vec());
        if done {
            break;
        }
    }
    reader.cancel();
    String::from_utf8_lossy(&bytes).into_owned()
}
