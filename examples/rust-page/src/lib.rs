//! Asks what stands in `#question`, and writes the answer into `#answer` as it arrives.
//!
//! The key stays on the server: `/v1` is an endpoint of the page's own site, such as the worker next door.

use chatwire::chat::{ChatCompletionRequest, Message};
use chatwire::{Client, Provider};
use wasm_bindgen::prelude::*;
use web_sys::{Element, HtmlInputElement};

/// Called by the page's button.
#[wasm_bindgen]
pub async fn ask() -> Result<(), JsError> {
    let window = web_sys::window().ok_or_else(|| JsError::new("there is no window"))?;
    let page = window.document().ok_or_else(|| JsError::new("there is no page"))?;
    let find = |id| page.get_element_by_id(id).ok_or_else(|| JsError::new(id));
    let question: HtmlInputElement = find("question")?.unchecked_into();
    let answer: Element = find("answer")?;

    let here = window.location().href().unwrap_or_default();
    let client = Client::builder(Provider::custom("/v1")).location(here).build()?;
    let request = ChatCompletionRequest::new("electron", vec![Message::user(question.value())]);
    let mut stream = client.stream(&request).await?;
    let mut text = String::new();
    while let Some(chunk) = stream.next().await {
        text.push_str(&chunk?.text());
        answer.set_text_content(Some(&text));
    }
    Ok(())
}
