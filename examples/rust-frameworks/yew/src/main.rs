//! A page in Yew: a question, and the answer as it arrives. The key of your server belongs into a worker in front of it, such as
//! `examples/rust-worker`; this page asks the worker and has none.

use chatwire::chat::{ChatCompletionRequest, Message};
use chatwire::{Client, Error, Provider};
use wasm_bindgen_futures::spawn_local;
use web_sys::HtmlInputElement;
use yew::prelude::*;

fn main() {
    yew::Renderer::<Page>::new().render();
}

#[component]
fn Page() -> Html {
    let question = use_node_ref();
    let answer = use_state(String::new);
    let ask = {
        let (question, answer) = (question.clone(), answer.setter());
        Callback::from(move |_| {
            let Some(input) = question.cast::<HtmlInputElement>() else {
                return;
            };
            let answer = answer.clone();
            spawn_local(async move {
                if let Err(error) = write_answer(input.value(), |text| answer.set(text.to_owned())).await {
                    answer.set(error.to_string());
                }
            });
        })
    };
    html! {
        <>
            <input ref={question} value="Why is the sky blue?" />
            <button onclick={ask}>{ "Ask" }</button>
            <p aria-live="polite">{ &*answer }</p>
        </>
    }
}

/// Gives all of the answer so far to `show` as it grows. Dropped, it cancels the request.
async fn write_answer(question: String, show: impl Fn(&str)) -> Result<(), Error> {
    let client = Client::builder(Provider::custom("http://localhost:8787/v1")).build()?;
    let request = ChatCompletionRequest::new("electron", vec![Message::user(question)]);
    let mut stream = client.stream(&request).await?;
    let mut answer = String::new();
    while let Some(chunk) = stream.next().await {
        answer.push_str(&chunk?.text());
        show(&answer);
    }
    Ok(())
}
