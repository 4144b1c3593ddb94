//! One server as a client sees it: opens responses, and tries again where that may help.
//!
//! All decisions are the core's (`policy`, `provider`, `error`); this module asks, waits and sends.

use std::rc::Rc;

use gloo_net::http::{Headers, QueryParams, Response};
use js_sys::{Function, Reflect, Uint8Array};
use wasm_bindgen::prelude::*;
use web_sys::{AbortController, AbortSignal};

use super::accounts::{self, Place};
use super::host::{self, Lost};
use crate::chat::view::View;
use crate::error::{Error, ErrorKind, MAX_BODY_BYTES};
use crate::json::Writer;
use crate::policy::breaker::account;
use crate::policy::redact::{check_header, check_key, scrub};
use crate::policy::retry::{self, Decision, Failure, Hints};
use crate::policy::timeouts::{TimeoutOption, Timeouts};
use crate::policy::{Problem, Validation, joined, validate, write_problems};
use crate::provider::{BaseUrl, Limits, Provider, authorization};
use crate::stream::{self, Attempt, TokenPrices};

/// Where the key comes from.
#[derive(Clone)]
pub(crate) enum Key {
    /// No `Authorization` header.
    None,
    Value(String),
    /// A function that gives it, or a promise of it; called for each attempt.
    Function(Function),
}

/// A header or query parameter; without a value it takes one away that the client would send.
pub(crate) type Pair = (String, Option<String>);

/// What a client was made with.
pub(crate) struct Connection {
    pub(crate) provider: Provider,
    pub(crate) base: BaseUrl,
    pub(crate) key: Key,
    pub(crate) fetch: Option<Function>,
    pub(crate) headers: Vec<Pair>,
    pub(crate) query: Vec<Pair>,
    pub(crate) max_retries: u32,
    pub(crate) timeout: TimeoutOption,
    pub(crate) limits: Option<Limits>,
    pub(crate) validation: Validation,
    pub(crate) strict: bool,
    pub(crate) prices: Option<TokenPrices>,
    /// Is told what happens, as `(event, JSON text)`.
    pub(crate) observer: Option<Function>,
}

/// One request, and how it differs from what its client was made with.
#[derive(Default)]
pub(crate) struct Call {
    pub(crate) path: String,
    pub(crate) body: Option<String>,
    /// The request as validation sees it.
    pub(crate) view: Option<View>,
    pub(crate) headers: Vec<Pair>,
    pub(crate) query: Vec<Pair>,
    pub(crate) max_retries: Option<u32>,
    pub(crate) timeout: TimeoutOption,
    pub(crate) strict: Option<bool>,
    /// Hand out the answer without keeping it.
    pub(crate) discard: bool,
    pub(crate) stream: bool,
    /// When the caller asked, on the clock of [`host::now`].
    pub(crate) started: f64,
    /// Who was asked before, when this is a fallback.
    pub(crate) attempts: Vec<Attempt>,
    /// What looks wrong with it and is sent all the same.
    pub(crate) warnings: Vec<Problem>,
}

/// A response whose headers have arrived, and how to read it.
pub(crate) struct Opened {
    pub(crate) response: web_sys::Response,
    /// Ends the response's body.
    pub(crate) controller: AbortController,
    pub(crate) decoder: stream::Options,
    /// The request's place within the plan's limits, to be given back when the answer is over.
    pub(crate) place: Option<Place>,
}

impl Connection {
    /// Sends a request until there is a good response, or no point in trying again.
    pub(crate) async fn open(self: Rc<Self>, mut call: Call, signal: Option<AbortSignal>) -> Result<Opened, Error> {
        let signal = signal.as_ref();
        let mut attempts = std::mem::take(&mut call.attempts);
        let timeouts = match self.check(&mut call) {
            Ok(timeouts) => timeouts,
            Err(error) => return Err(Error { attempts, ..error }),
        };
        self.name_model(&mut call);
        let max_retries = call.max_retries.unwrap_or(self.max_retries);
        let earlier = attempts.len();
        loop {
            let left = || {
                timeouts
                    .total
                    .map_or(f64::INFINITY, |total| total - (host::now() - call.started))
            };
            if earlier > 0 && left() < 1.0 {
                // Those before have used up all the time there was; timers know whole milliseconds only.
                return Err(Error {
                    attempts,
                    ..Error::timeout(timeouts.total.unwrap_or(0.0))
                });
            }
            let number = attempts.len() - earlier + 1;
            let (error, failure, account) = match self.attempt(&call, number, &timeouts, left(), signal).await {
                Ok((response, controller, place)) => {
                    let request_id = response.headers().get("x-request-id");
                    attempts.push(self.note(Some(response.status()), "ok"));
                    let decoder = self.decoder(&call, timeouts, attempts, request_id);
                    return Ok(Opened {
                        response: response.into(),
                        controller,
                        decoder,
                        place,
                    });
                }
                Err(Refused {
                    error,
                    again: Some((failure, account)),
                }) => (error, failure, account),
                Err(Refused { error, again: None }) => {
                    if error.may_fall_back() {
                        // Nothing was sent: the code says why.
                        attempts.push(self.note(None, error.code.as_deref().unwrap_or(error.name())));
                    }
                    return Err(Error { attempts, ..error });
                }
            };
            attempts.push(self.note(error.status(), error.name()));
            let made = retry::Attempt {
                number: number as u32,
                max_retries,
                failure,
                now_ms: host::wall_clock(),
                random: host::random(),
                remaining_budget_ms: left(),
                cooldown_ms: self.provider.cooldown_ms,
            };
            if let Some(wait) = retry::named_wait(&made) {
                accounts::cool_down(account, made.now_ms + wait);
            }
            match retry::decide(&made) {
                Decision::Retry { after_ms } => {
                    self.tell("onRetry", |out| {
                        out.key("attempt").integer(number as u64).member("reason", error.name());
                        out.key("delay").milliseconds(Some(after_ms));
                    });
                    if host::sleep(after_ms, signal).await.is_err() {
                        return Err(Error {
                            attempts,
                            ..Error::aborted()
                        });
                    }
                }
                Decision::Fail { retry_at } => return Err(Error { attempts, ..error }.with_retry_at(retry_at)),
            }
        }
    }

    /// Judges request and options before anything is sent, and notes what is merely suspicious.
    fn check(&self, call: &mut Call) -> Result<Timeouts, Error> {
        let timeouts = Timeouts::new(call.timeout.over(self.timeout), &self.provider, call.stream);
        let mut problems = timeouts.as_ref().err().cloned().unwrap_or_default();
        if let Some(view) = call.view.as_ref().filter(|_| self.validation != Validation::Off) {
            let (refused, suspicious) = self.validation.split(validate(view, &self.provider));
            problems.extend(refused);
            call.warnings = suspicious;
        }
        match timeouts {
            Ok(timeouts) if problems.is_empty() => Ok(timeouts),
            _ => Err(Error::invalid(problems)),
        }
    }

    /// Names the provider's model where the request names none. The rest of the body stays as it was given.
    fn name_model(&self, call: &mut Call) {
        let named = call.view.as_ref().is_none_or(|view| view.model().is_some());
        if let (false, Some(model), Some(body)) = (named, &self.provider.default_model, &mut call.body)
            && let [b'{', rest @ ..] = body.as_bytes()
        {
            let mut out = Writer::default();
            out.raw(b"{")
                .member("model", model)
                .raw(if rest.starts_with(b"}") { b"" } else { b"," })
                .raw(rest);
            *body = out.into_string();
        }
    }

    /// Tells the observer what happens. What it makes of it, or throws, is its own affair.
    pub(super) fn tell(&self, event: &str, write: impl FnOnce(&mut Writer)) {
        let Some(observer) = &self.observer else { return };
        let mut out = Writer::default();
        out.raw(b"{").member("provider", &self.provider.name);
        write(&mut out);
        out.raw(b"}");
        let _ = observer.call2(&JsValue::UNDEFINED, &event.into(), &out.into_string().into());
    }

    fn note(&self, status: Option<u16>, reason: &str) -> Attempt {
        Attempt {
            provider: self.provider.name.clone().into_owned(),
            status,
            reason: reason.to_owned(),
        }
    }

    fn decoder(
        &self,
        call: &Call,
        timeouts: Timeouts,
        attempts: Vec<Attempt>,
        request_id: Option<String>,
    ) -> stream::Options {
        stream::Options {
            document: !call.stream,
            reasoning: call
                .view
                .as_ref()
                .map_or(self.provider.reasoning, |view| self.provider.reasoning_place(view)),
            strict: call.strict.unwrap_or(self.strict),
            accumulate: !call.discard,
            prices: self.prices,
            timeouts: stream::Timeouts {
                first_token: timeouts.first_token,
                idle: timeouts.idle,
                total: timeouts.total,
            },
            started: call.started,
            attempts,
            request_id,
            ..stream::Options::default()
        }
    }

    /// Sends the request once, when its turn has come.
    async fn attempt(
        &self,
        call: &Call,
        number: usize,
        timeouts: &Timeouts,
        budget: f64,
        signal: Option<&AbortSignal>,
    ) -> Result<(Response, AbortController, Option<Place>), Refused> {
        let key = self.key(signal).await?;
        let key = key.as_deref();
        let account = account(self.base.origin(), key);
        let place = accounts::enter(account, self.limits, budget, signal).await?;
        let timeout = match timeouts.headers {
            Some(headers) => Some(headers.min(budget)),
            None => Some(budget).filter(|budget| budget.is_finite()),
        };
        let url = self.url(call);
        let method = if call.body.is_some() { "POST" } else { "GET" };
        let headers = self.headers(call, key)?.into_raw();
        // What is in the query may be a secret.
        let place_told = || scrub(self.base.join(&call.path), key);
        self.tell("onRequest", |out| {
            out.member("url", &place_told())
                .member("method", method)
                .key("attempt")
                .integer(number as u64);
            if number == 1 && !call.warnings.is_empty() {
                write_problems(&call.warnings, out.key("warnings"));
            }
        });
        let sent = host::fetch(host::Call {
            fetch: self.fetch.as_ref(),
            url: &url,
            method,
            headers,
            body: call.body.as_deref(),
            signal,
            timeout,
        });
        let again = |error, failure| Refused {
            error,
            again: Some((failure, account)),
        };
        let (response, controller) = match sent.await {
            Ok((response, controller)) => (Response::from(response), controller),
            Err(Lost::Aborted) => return Err(Error::aborted().into()),
            Err(Lost::TimedOut) => return Err(again(Error::timeout(timeout.unwrap_or(0.0)), Failure::Timeout)),
            Err(Lost::Failed(reason)) => return Err(again(Error::connection(&reason, key), Failure::Connection)),
        };
        if let Some(place) = &place {
            place.answered();
        }
        let status = response.status();
        self.tell("onResponse", |out| {
            out.member("url", &place_told())
                .key("status")
                .integer(u64::from(status))
                .key("requestId");
            match response.headers().get("x-request-id") {
                Some(id) => out.string(&scrub(id, key)),
                None => out.raw(b"null"),
            };
        });
        if (200..300).contains(&status) {
            return Ok((response, controller, place));
        }
        let headers = headers_of(&response);
        let hints = Hints::read(&headers, host::wall_clock());
        let body = read_bounded(&response, signal, timeout).await;
        Err(again(
            Error::from_response(status, headers, &body, key),
            Failure::Status { status, hints },
        ))
    }

    async fn key(&self, signal: Option<&AbortSignal>) -> Result<Option<String>, Error> {
        let key = match &self.key {
            Key::None => return Ok(None),
            Key::Value(key) => key.clone(),
            Key::Function(function) => {
                let failed = |reason: &str| {
                    let message = joined(&["The apiKey function failed: ", reason]);
                    Error::new(ErrorKind::Configuration, message)
                };
                let promise = function
                    .call0(&JsValue::UNDEFINED)
                    .map_err(|error| failed(&host::describe(&error)))?;
                match host::wait(&js_sys::Promise::resolve(&promise), signal, None).await {
                    Ok(key) => key.as_string().ok_or_else(|| failed("it gave no string"))?,
                    Err(Lost::Failed(reason)) => return Err(failed(&reason)),
                    Err(_) => return Err(Error::aborted()),
                }
            }
        };
        check_key(&key).map_err(Error::from)?;
        Ok(Some(key))
    }

    fn url(&self, call: &Call) -> String {
        let mut url = self.base.join(&call.path);
        // Those of the call win over the client's.
        let of_client = |(name, _): &&Pair| !call.query.iter().any(|(own, _)| own == name);
        let mut params = None;
        for (name, value) in self.query.iter().filter(of_client).chain(&call.query) {
            if let Some(value) = value {
                params.get_or_insert_with(QueryParams::new).append(name, value);
            }
        }
        if let Some(params) = params {
            url.push('?');
            url.push_str(&params.to_string());
        }
        url
    }

    fn headers(&self, call: &Call, key: Option<&str>) -> Result<Headers, Error> {
        let headers = Headers::new();
        headers.set(
            "accept",
            if call.stream {
                "text/event-stream"
            } else {
                "application/json"
            },
        );
        if call.body.is_some() {
            headers.set("content-type", "application/json");
        }
        if let Some(key) = key {
            headers.set("authorization", &authorization(key));
        }
        for (option, pairs) in [("defaultHeaders", &self.headers), ("headers", &call.headers)] {
            for (name, value) in pairs {
                check_header(option, name, value.as_deref().unwrap_or_default())?;
                match value {
                    Some(value) => headers.set(name, value),
                    None => headers.delete(name),
                }
            }
        }
        Ok(headers)
    }
}

/// An attempt that gave no good response. `again` says what the next one depends on; without it there is no point in one.
struct Refused {
    error: Error,
    again: Option<(Failure, u64)>,
}

impl From<Error> for Refused {
    fn from(error: Error) -> Self {
        Refused { error, again: None }
    }
}

/// The response's headers, where they can be listed.
fn headers_of(response: &Response) -> Vec<(String, String)> {
    let headers = response.headers().into_raw();
    if Reflect::get(&headers, &"entries".into()).is_ok_and(|entries| entries.is_function()) {
        Headers::from_raw(headers).entries().collect()
    } else {
        Vec::new()
    }
}

/// The body as text, as far as it is worth reading. An error body that does not come is no reason to wait.
async fn read_bounded(response: &Response, signal: Option<&AbortSignal>, timeout: Option<f64>) -> String {
    /// An error body follows its headers at once.
    const PATIENCE_MS: f64 = 10_000.0;
    let timeout = Some(timeout.map_or(PATIENCE_MS, |timeout| timeout.min(PATIENCE_MS)));
    let Some(reader) = host::reader(response.body()) else {
        return String::new();
    };
    let mut bytes = Vec::new();
    while bytes.len() <= MAX_BODY_BYTES {
        let Ok(read) = host::wait(&reader.read(), signal, timeout).await else {
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
    host::ignore(&reader.cancel());
    String::from_utf8_lossy(&bytes).into_owned()
}
