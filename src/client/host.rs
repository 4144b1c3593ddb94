//! The functions of the host: `fetch`, timers, a clock, chance. The only module that asks for them.

use std::cell::Cell;

use js_sys::{Array, Function, Object, Promise, Reflect};
use wasm_bindgen::prelude::*;
use wasm_bindgen_futures::JsFuture;
use web_sys::{AbortController, AbortSignal};

#[wasm_bindgen]
extern "C" {
    #[wasm_bindgen(js_namespace = performance, js_name = now)]
    fn performance_now() -> f64;
    #[wasm_bindgen(js_name = setTimeout)]
    fn set_timeout(callback: &Function, ms: f64, value: &JsValue) -> JsValue;
    #[wasm_bindgen(js_name = clearTimeout)]
    fn clear_timeout(timer: &JsValue);
}

thread_local! {
    /// The last time that was given, and how far the host's clock was put back so far.
    static CLOCK: Cell<(f64, f64)> = const { Cell::new((0.0, 0.0)) };
}

/// Milliseconds on the clock that streams are timed with. They never go back, also where a test puts a fake clock in its place.
pub(crate) fn now() -> f64 {
    let (last, behind) = CLOCK.get();
    let read = performance_now() + behind;
    // A clock that gives no number stands still.
    let now = if read > last { read } else { last };
    let behind = if read < last { behind + last - read } else { behind };
    CLOCK.set((now, behind));
    now
}

/// Milliseconds since 1970.
pub(crate) fn wall_clock() -> f64 {
    js_sys::Date::now()
}

/// A number in 0..1.
pub(crate) fn random() -> f64 {
    js_sys::Math::random()
}

/// Whether this is a page, whose `fetch` keeps some headers to itself.
pub(crate) fn is_page() -> bool {
    Reflect::get(&js_sys::global(), &"document".into()).is_ok_and(|document| document.is_object())
}

/// Why no response came.
#[derive(Debug)]
pub(crate) enum Lost {
    /// The caller's signal was aborted.
    Aborted,
    /// Time ran out.
    TimedOut,
    /// The host's `fetch` failed, with this message.
    Failed(String),
}

/// One call of `fetch`.
pub(crate) struct Call<'a> {
    /// The function to call; `None` for the host's own.
    pub(crate) fetch: Option<&'a Function>,
    pub(crate) url: &'a str,
    pub(crate) method: &'a str,
    pub(crate) headers: web_sys::Headers,
    pub(crate) body: Option<&'a str>,
    pub(crate) signal: Option<&'a AbortSignal>,
    /// Milliseconds to wait for the response headers.
    pub(crate) timeout: Option<f64>,
}

/// A request under way, or the body of its response: dropping it cancels it, whatever is waited for at the time.
pub(crate) struct Sent(AbortController);

impl Drop for Sent {
    fn drop(&mut self) {
        self.0.abort();
    }
}

/// Sends a request and waits for its response headers; whatever the host's `fetch` does, this settles by the timeout.
pub(crate) async fn fetch(call: Call<'_>) -> Result<(web_sys::Response, Sent), Lost> {
    if call.signal.is_some_and(AbortSignal::aborted) {
        return Err(Lost::Aborted);
    }
    let sent = Sent(AbortController::new().map_err(|error| Lost::Failed(describe(&error)))?);
    let init = Object::new();
    for (name, value) in [
        ("method", JsValue::from_str(call.method)),
        ("headers", call.headers.into()),
        ("body", call.body.map_or(JsValue::UNDEFINED, JsValue::from_str)),
        ("signal", sent.0.signal().into()),
    ] {
        if !value.is_undefined() {
            set(&init, name, &value);
        }
    }
    let url = JsValue::from_str(call.url);
    let answer = match call.fetch {
        Some(fetch) => fetch.call2(&JsValue::UNDEFINED, &url, &init),
        None => Reflect::get(&js_sys::global(), &"fetch".into())
            .and_then(|fetch| fetch.dyn_into::<Function>())
            .and_then(|fetch| fetch.call2(&js_sys::global(), &url, &init)),
    };
    let answer = answer.map_err(|error| Lost::Failed(describe(&error)))?;
    match wait(&Promise::resolve(&answer), call.signal, call.timeout).await? {
        response if is_response(&response) => Ok((response.unchecked_into(), sent)),
        _ => Err(Lost::Failed(
            "fetch returned something that is not a Response".to_owned(),
        )),
    }
}

/// Why a body cannot be read: it is no stream, or has another reader.
pub(crate) struct Unreadable;

/// The reader of a body. Its functions are those of a host, or of an injected `fetch`, and may do anything.
pub(crate) struct Reader(JsValue);

impl Reader {
    /// The reader of a response's body; `None` where it has none.
    pub(crate) fn of(response: &JsValue) -> Result<Option<Self>, Unreadable> {
        let body = Reflect::get(response, &"body".into()).map_err(|_| Unreadable)?;
        if body.is_null() || body.is_undefined() {
            return Ok(None);
        }
        let is_locked = Reflect::get(&body, &"locked".into()).map_or(true, |locked| locked.is_truthy());
        let reader = ask(&body, "getReader")
            .ok()
            .filter(|reader| !is_locked && reader.is_object());
        reader.map(|reader| Some(Reader(reader))).ok_or(Unreadable)
    }

    /// The next read, under way.
    pub(crate) fn read(&self) -> Promise {
        ask(&self.0, "read").map_or_else(|error| Promise::reject(&error), |read| Promise::resolve(&read))
    }

    /// Lets go of the body.
    pub(crate) fn cancel(&self) {
        if let Ok(cancelled) = ask(&self.0, "cancel") {
            ignore(&Promise::resolve(&cancelled));
        }
    }
}

/// Calls a method without arguments.
fn ask(object: &JsValue, method: &str) -> Result<JsValue, JsValue> {
    let method = Reflect::get(object, &method.into())?;
    method.dyn_into::<Function>()?.call0(object)
}

/// Waits for a promise, the caller's signal, or the time, whichever is first.
pub(crate) async fn wait(
    promise: &Promise,
    signal: Option<&AbortSignal>,
    timeout: Option<f64>,
) -> Result<JsValue, Lost> {
    if signal.is_some_and(AbortSignal::aborted) {
        ignore(promise);
        return Err(Lost::Aborted);
    }
    let mut stop = None;
    let stopped = Promise::new(&mut |resolve, _| stop = Some(resolve));
    let Some(stop) = stop else { return Err(Lost::Aborted) };
    // The value that the timer resolves with; no response equals it.
    let mark = JsValue::from(stop.clone());
    let guard = Guard {
        timer: timeout.map(|ms| set_timeout(&stop, ms.clamp(0.0, f64::from(i32::MAX)), &mark)),
        signal: signal.cloned(),
        stop,
    };
    if let Some(signal) = signal {
        let _ = signal.add_event_listener_with_callback("abort", &guard.stop);
    }
    let raced = JsFuture::from(Promise::race(&Array::of2(promise, &stopped))).await;
    if signal.is_some_and(AbortSignal::aborted) {
        return Err(Lost::Aborted);
    }
    match raced {
        Ok(value) if value == mark => Err(Lost::TimedOut),
        Ok(value) => Ok(value),
        Err(error) => Err(Lost::Failed(describe(&error))),
    }
}

/// Ignores a promise that nobody awaits any more, so that its rejection is not unhandled.
pub(crate) fn ignore(promise: &Promise) {
    let _ = Promise::race(&Array::of2(&Promise::resolve(&JsValue::UNDEFINED), promise));
}

/// Waits some milliseconds, or until the caller leaves.
pub(crate) async fn sleep(ms: f64, signal: Option<&AbortSignal>) -> Result<(), Lost> {
    let never = Promise::new(&mut |_, _| {});
    match wait(&never, signal, Some(ms)).await {
        Ok(_) | Err(Lost::TimedOut) => Ok(()),
        Err(lost) => Err(lost),
    }
}

/// Removes the timer and the listener of a wait, however the wait ended.
struct Guard {
    timer: Option<JsValue>,
    signal: Option<AbortSignal>,
    stop: Function,
}

impl Drop for Guard {
    fn drop(&mut self) {
        if let Some(timer) = &self.timer {
            clear_timeout(timer);
        }
        if let Some(signal) = &self.signal {
            let _ = signal.remove_event_listener_with_callback("abort", &self.stop);
        }
    }
}

/// Whether a value is a response: it has a status of HTTP, and headers with a `get`. Not `instanceof`: there are many classes of
/// that name.
fn is_response(value: &JsValue) -> bool {
    let status = Reflect::get(value, &"status".into())
        .ok()
        .and_then(|status| status.as_f64());
    let has_status = status.is_some_and(|status| status.fract() == 0.0 && (200.0..=599.0).contains(&status));
    let get = Reflect::get(value, &"headers".into()).and_then(|headers| Reflect::get(&headers, &"get".into()));
    value.is_object() && has_status && get.is_ok_and(|get| get.is_function())
}

/// A host error in words: its message, and its cause's, which is where Node says what happened.
pub(crate) fn describe(error: &JsValue) -> String {
    let message = |error: &JsValue| {
        let message = Reflect::get(error, &"message".into())
            .ok()
            .and_then(|message| message.as_string());
        message.filter(|message| !message.is_empty())
    };
    let mut text = message(error)
        .or_else(|| error.as_string())
        .unwrap_or_else(|| "no reason given".to_owned());
    if let Ok(cause) = Reflect::get(error, &"cause".into())
        && let Some(cause) = message(&cause)
    {
        text.push_str(": ");
        text.push_str(&cause);
    }
    text
}

/// Sets a member of an object that was just made, which cannot fail.
pub(crate) fn set(object: &Object, name: &str, value: &JsValue) {
    let _ = Reflect::set(object, &JsValue::from_str(name), value);
}
