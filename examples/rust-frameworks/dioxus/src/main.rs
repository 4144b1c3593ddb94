//! A page in Dioxus: a question, and the answer as it arrives. The key of your server belongs into a worker in front of it, such
//! as `examples/rust-worker`; this page asks the worker and has none.

use chatwire::chat::{ChatCompletionRequest, Message};
use chatwire::{Client, Error, Provider};
use dioxus::prelude::*;

fn main() {
    dioxus::launch(Page);
}

#[component]
fn Page() -> Element {
    let mut question = use_signal(|| String::from("Why is the sky blue?"));
    let mut answer = use_signal(String::new);
    let ask = move |_| async move {
        answer.set(String::new());
        if let Err(error) = write_answer(question(), |piece| answer.write().push_str(piece)).await {
            answer.set(error.to_string());
        }
    };
    rsx! {
        input { value: "{question}", oninput: move |event| question.set(event.value()) }
        button { onclick: ask, "Ask" }
        p { aria_live: "polite", "{answer}" }
    }
}

/// Gives each piece of the answer to `write` as it comes. Dropped, it cancels the request.
async fn write_answer(question: String, mut write: impl FnMut(&str)) -> Result<(), Error> {
    let client = Client::builder(Provider::custom("http://localhost:8787/v1")).build()?;
    let request = ChatCompletionRequest::new("electron", vec![Message::user(question)]);
    let mut stream = client.stream(&request).await?;
    while let Some(chunk) = stream.next().await {
        write(&chunk?.text());
    }
    Ok(())
}
