//! For a Rust app between JavaScript and a server: requests from JavaScript objects, answers and errors as JavaScript objects.
//!
//! ```no_run
//! # #[cfg(target_arch = "wasm32")]
//! # mod example {
//! use chatwire::{Client, js};
//! use wasm_bindgen::JsValue;
//!
//! /// `ask(client, { messages: [{ role: "user", content: "Hello" }] })`, for scripts.
//! pub async fn ask(client: &Client, params: JsValue) -> Result<JsValue, JsValue> {
//!     let completion = client.create(&js::request(&params)?).await?;
//!     Ok(js::value(&completion)?)
//! }
//! # }
//! ```

use js_sys::Object;
use serde::Serialize;
use wasm_bindgen::prelude::*;

use super::host;
use crate::chat::ChatCompletionRequest;
use crate::error::{Error, ErrorKind};

/// A request from the object a script would pass to `create`. Members that are `undefined` or `null` are as if left out, but
/// for those in [`extra`](ChatCompletionRequest::extra), which are sent as `null`.
///
/// # Errors
/// [`ErrorKind::Configuration`] when it is no object with `messages`, or a member has a type that no server takes. The message
/// does not say which: it would have to quote what is in the request.
pub fn request(params: &JsValue) -> Result<ChatCompletionRequest, Error> {
    let read = Some(params.clone())
        .filter(JsValue::is_object)
        .and_then(|params| serde_wasm_bindgen::from_value(params).ok());
    read.ok_or_else(|| {
        Error::new(
            ErrorKind::Configuration,
            "The request is no object with `messages`, or one of its members is of a type that no server takes. Pass what \
             the `create` of the JavaScript client takes.",
        )
    })
}

/// A chunk, a completion, usage or any other value as the plain objects that `JSON.parse` would make of its JSON.
///
/// # Errors
/// [`ErrorKind::Configuration`] when the value cannot be written, which those of this crate always can.
pub fn value(value: &impl Serialize) -> Result<JsValue, Error> {
    value
        .serialize(&serde_wasm_bindgen::Serializer::json_compatible())
        .map_err(|_| {
            Error::new(
                ErrorKind::Configuration,
                "The value cannot be a JavaScript object: it has map keys that are no strings.",
            )
        })
}

/// An `Error` with the name and the message, and with `code`, `status` and `requestID` where there are any.
impl From<Error> for JsValue {
    fn from(error: Error) -> Self {
        let thrown: Object = js_sys::Error::new(&error.message).into();
        host::set(&thrown, "name", &error.name().into());
        if let Some(code) = &error.code {
            host::set(&thrown, "code", &code.into());
        }
        if let Some(response) = &error.response {
            host::set(&thrown, "status", &response.status.into());
            if let Some(id) = &response.request_id {
                host::set(&thrown, "requestID", &id.into());
            }
        }
        thrown.into()
    }
}
