//! Streams one answer through chatwire, and exports a function of its own.

use chatwire::chat::{ChatCompletionRequest, Message};
use chatwire::stream::Status;
use chatwire::{Client, Error, Provider};
use wasm_bindgen::prelude::*;

/// The streamed answer to a question.
#[wasm_bindgen]
pub async fn answer(question: String, fetch: js_sys::Function) -> Result<String, JsError> {
    stream(question, fetch).await.map_err(|error| JsError::new(&error.to_string()))
}

async fn stream(question: String, fetch: js_sys::Function) -> Result<String, Error> {
    let client = Client::builder(Provider::electron("any")).fetch(fetch).build()?;
    let request = ChatCompletionRequest::new("electron", vec![Message::user(question)]);
    let mut stream = client.stream(&request).await?;
    let mut text = String::new();
    while let Some(chunk) = stream.next().await {
        text.push_str(&chunk?.text());
    }
    let is_complete = stream.outcome().is_some_and(|outcome| outcome.status == Status::Complete);
    Ok(if is_complete { text } else { String::new() })
}
