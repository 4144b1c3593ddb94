//! A chat stream for Rust: the engine, fed by a reader.

use std::collections::VecDeque;
use std::future::{Future, poll_fn};
use std::pin::Pin;
use std::rc::Rc;
use std::task::{Context, Poll};

use futures_core::Stream;
use js_sys::{Promise, Reflect, Uint8Array};
use wasm_bindgen::prelude::*;
use web_sys::AbortSignal;

use super::connection::{Connection, Opened};
use super::fallback_chain::FallbackChain;
use super::host::{self, Lost, Reader, Sent};
use crate::attempt::Attempt;
use crate::chat::{ChatCompletion, ChatCompletionChunk};
use crate::error::{Error, ErrorKind};
use crate::json::{elements, typed};
use crate::policy::accounts::Slot;
use crate::policy::opening::{Broken, Event};
use crate::stream::{self, Decoder, End, Outcome, OutputKind};
use crate::text::lossy;

/// Another answer to the same call.
type Coming = Pin<Box<dyn Future<Output = (FallbackChain, Result<Opened, Error>)>>>;
type Reading = Pin<Box<dyn Future<Output = Result<JsValue, Lost>>>>;

/// Milliseconds by which a timer is late where its host has slept.
const JUMP: f64 = 5000.0;

/// The chunks of one answer, as the server sent them. After the last one, [`outcome`](Self::outcome) says how it ended.
///
/// Dropping it cancels the request.
pub struct ChatStream {
    reader: Option<Reader>,
    /// Dropped, it ends the response's body.
    sent: Option<Sent>,
    decoder: Decoder,
    signal: Option<AbortSignal>,
    chunks: VecDeque<ChatCompletionChunk>,
    /// The read under way, when it began, and the wait for it.
    read: Option<(Promise, f64, Reading)>,
    /// The clock has jumped during this read.
    has_jumped: bool,
    outcome: Option<Outcome>,
    /// The stream has ended, and is accounted for.
    has_settled: bool,
    /// The error that the stream has yet to end with.
    error: Option<Error>,
    /// The request's slot within the plan's limits, freed with the stream.
    slot: Option<Slot>,
    /// The call; `None` while it is retried.
    chain: Option<FallbackChain>,
    /// The next answer on its way.
    coming: Option<Coming>,
    /// Another attempt may follow, so nothing is handed out before the first token.
    may_go_on: bool,
    client: Rc<Connection>,
}

impl ChatStream {
    pub(super) fn new(opened: Opened, chain: FallbackChain) -> Result<Self, Error> {
        let mut stream = ChatStream {
            reader: None,
            sent: None,
            decoder: Decoder::new(stream::Options::default()),
            signal: chain.options.signal.clone(),
            chunks: VecDeque::new(),
            read: None,
            has_jumped: false,
            outcome: None,
            has_settled: false,
            error: None,
            slot: None,
            coming: None,
            may_go_on: false,
            client: chain.asked(),
            chain: Some(chain),
        };
        stream.begin(opened)?;
        Ok(stream)
    }

    /// Reads this answer from now on.
    fn begin(&mut self, opened: Opened) -> Result<(), Error> {
        self.may_go_on = self.chain.as_ref().is_some_and(|chain| chain.may_go_on(&opened));
        self.sent = Some(opened.sent);
        self.decoder = Decoder::new(opened.decoder);
        self.decoder.set_output(OutputKind::Chunks);
        self.slot = opened.slot;
        self.reader = Reader::of(&opened.response).map_err(|_| {
            let message = "The response's body is not a stream, or has another reader.";
            Error::new(ErrorKind::Protocol, message)
        })?;
        if self.reader.is_none() {
            self.decoder.end(End::Closed, host::now());
            self.end_answer();
        }
        Ok(())
    }

    /// The next chunk; `None` after the last.
    ///
    /// # Errors
    /// Within the stream: [`Truncated`](ErrorKind::Truncated), [`Stalled`](ErrorKind::Stalled), an error the server sent,
    /// or [`Protocol`](ErrorKind::Protocol). The outcome, with all that had arrived, is there then too.
    pub async fn next(&mut self) -> Option<Result<ChatCompletionChunk, Error>> {
        poll_fn(|context| self.poll_chunk(context)).await
    }

    /// How the stream ended and all that arrived; `None` until it has ended.
    #[must_use]
    pub fn outcome(&self) -> Option<&Outcome> {
        self.outcome.as_ref()
    }

    /// Ends the stream now; dropping it does so too. The text that had arrived is in the outcome.
    pub fn abort(&mut self) {
        if self.coming.take().is_some() {
            let attempts = self.decoder.take_attempts();
            self.restart(attempts);
        }
        self.decoder.end(End::Aborted, host::now());
        self.settle();
    }

    pub(super) async fn drain(&mut self) -> Result<(), Error> {
        while let Some(chunk) = self.next().await {
            chunk?;
        }
        Ok(())
    }

    pub(super) fn completion(&self) -> Result<ChatCompletion, Error> {
        typed(&self.decoder.completion_json()).map_err(|error| {
            Error::new(
                ErrorKind::Protocol,
                ["The server's answer is not a completion: ", &error.to_string()].concat(),
            )
        })
    }

    fn poll_chunk(&mut self, context: &mut Context<'_>) -> Poll<Option<Result<ChatCompletionChunk, Error>>> {
        loop {
            // Of an answer that breaks before its first token nothing is handed out.
            if (!self.may_go_on || self.decoder.has_token() || self.has_settled)
                && let Some(chunk) = self.chunks.pop_front()
            {
                return Poll::Ready(Some(Ok(chunk)));
            }
            if self.has_settled {
                return Poll::Ready(self.error.take().map(Err));
            }
            if let Some(coming) = &mut self.coming {
                let Poll::Ready((chain, answer)) = coming.as_mut().poll(context) else {
                    return Poll::Pending;
                };
                self.coming = None;
                self.chain = Some(chain);
                match answer {
                    Ok(opened) => {
                        self.chunks.clear();
                        if let Err(error) = self.begin(opened) {
                            self.give_up(error);
                        }
                    }
                    Err(error) => self.give_up(error),
                }
                continue;
            }
            let (_, started, reading) = match &mut self.read {
                Some(read) => read,
                None => {
                    let Some(reader) = &self.reader else {
                        return Poll::Ready(None);
                    };
                    let started = host::now();
                    let promise = reader.read();
                    let reading = self.wait(promise.clone(), started);
                    self.read.insert((promise, started, reading))
                }
            };
            let started = *started;
            let Poll::Ready(result) = reading.as_mut().poll(context) else {
                return Poll::Pending;
            };
            let read = self.read.take();
            let now = host::now();
            match result {
                Ok(read) => {
                    self.has_jumped = false;
                    self.take(&read, started, now);
                }
                Err(Lost::Failed(reason)) => self.decoder.lose(&reason, now),
                Err(Lost::Aborted) => self.decoder.end(End::Aborted, now),
                // The host was suspended and could not read: the same read gets its time once more.
                Err(Lost::TimedOut) if self.is_late(started, now) => {
                    self.has_jumped = true;
                    if let Some((promise, ..)) = read {
                        let reading = self.wait(promise.clone(), now);
                        self.read = Some((promise, now, reading));
                        continue;
                    }
                }
                Err(Lost::TimedOut) => {
                    // A timer may come early: the same read is then awaited again.
                    if !self.decoder.tick(started, now)
                        && let Some((promise, ..)) = read
                    {
                        let reading = self.wait(promise.clone(), started);
                        self.read = Some((promise, started, reading));
                        continue;
                    }
                }
            }
            self.collect();
            if self.decoder.has_ended() {
                self.end_answer();
            }
        }
    }

    /// This answer is over: if nothing of it was handed out, another may come.
    fn end_answer(&mut self) {
        let broken = self.broken();
        match (broken, self.chain.take()) {
            // Also where no retry follows: only the opening knows when to come back, and later calls wait for it.
            (Some(broken), Some(mut chain)) => {
                self.release();
                self.slot = None;
                if let Some(used) = self.decoder.used() {
                    chain.answering().account(Some(used), self.decoder.charged());
                }
                self.coming = Some(Box::pin(async move {
                    let answer = chain.answer(Event::Broken(Box::new(broken))).await;
                    (chain, answer)
                }));
            }
            (_, chain) => {
                self.chain = chain;
                self.settle();
            }
        }
    }

    /// How this answer ended, if badly and before anything of it was handed out.
    fn broken(&self) -> Option<Broken> {
        if self.decoder.has_token() && !self.decoder.is_document() {
            return None;
        }
        let outcome: serde_json::Value = serde_json::from_str(&self.decoder.outcome_json()?).ok()?;
        let error = outcome.get("error").filter(|_| outcome["status"] != "aborted")?;
        let text = |name: &str| error[name].as_str().unwrap_or_default().to_owned();
        Some(Broken {
            name: text("name"),
            message: text("message"),
            code: text("code"),
            error_type: text("type"),
            status: error["status"].as_u64().map(|status| status as u16),
            body: error.get("error").map(ToString::to_string).unwrap_or_default(),
        })
    }

    /// The last answer broke, and the next is not here when the caller leaves: a decoder that has seen nothing.
    fn restart(&mut self, attempts: Vec<Attempt>) {
        self.decoder = Decoder::new(stream::Options {
            attempts,
            ..stream::Options::default()
        });
        self.chunks.clear();
    }

    /// No server answers any more. Without another attempt, the last answer stands as it is.
    fn give_up(&mut self, error: Error) {
        if error.kind == ErrorKind::UserAbort {
            self.may_go_on = false;
            self.restart(error.attempts);
            self.decoder.end(End::Aborted, host::now());
            return self.settle();
        }
        self.decoder.set_attempts(error.attempts.clone());
        if std::mem::take(&mut self.may_go_on) {
            self.chunks.clear();
        }
        self.settle_with(Some(error));
    }

    fn wait(&self, promise: Promise, started: f64) -> Reading {
        let signal = self.signal.clone();
        let timeout = self.decoder.deadline(started).map(|due| due - host::now());
        Box::pin(async move { host::wait(&promise, signal.as_ref(), timeout).await })
    }

    /// A timer was so late that its host must have slept, for the first time in this read.
    fn is_late(&self, started: f64, now: f64) -> bool {
        let due = self.decoder.deadline(started);
        !self.has_jumped && due.is_some_and(|due| now - due > JUMP)
    }

    fn take(&mut self, read: &JsValue, started: f64, now: f64) {
        let member = |name: &str| Reflect::get(read, &name.into());
        if member("done").is_ok_and(|done| done.is_truthy()) {
            return self.decoder.end(End::Closed, now);
        }
        match member("value").and_then(JsCast::dyn_into::<Uint8Array>) {
            Ok(bytes) => drop(self.decoder.push(&bytes.to_vec(), started, now)),
            Err(_) => self
                .decoder
                .lose("The body gave something else in place of bytes.", now),
        }
    }

    fn collect(&mut self) {
        let output = self.decoder.take_output();
        for chunk in elements(&output) {
            match typed(&lossy(chunk)) {
                Ok(chunk) => self.chunks.push_back(chunk),
                Err(_) => {
                    let message =
                        "A chunk has a field of a type that the typed API cannot hold; its text is in the outcome.";
                    self.error
                        .get_or_insert_with(|| Error::new(ErrorKind::Protocol, message));
                }
            }
        }
    }

    /// Takes the outcome and drops the reader.
    fn settle(&mut self) {
        self.settle_with(None);
    }

    fn settle_with(&mut self, last: Option<Error>) {
        if std::mem::replace(&mut self.has_settled, true) {
            return;
        }
        let was_accounted = last.is_some();
        self.collect();
        self.outcome = self.decoder.outcome();
        let failure = self.decoder.failure().filter(|(name, _)| *name != "APIUserAbortError");
        if let Some((name, message)) = failure {
            let mut error = Error::new(ErrorKind::from_name(name), message);
            error.code = self.decoder.failure_code().map(str::to_owned);
            let failed = self.outcome.as_ref().and_then(|outcome| outcome.error.as_ref());
            self.error = Some(error.with_retry_at(failed.and_then(|failed| failed.retry_at)));
        }
        if last.is_some() {
            self.error = last;
        }
        self.release();
        if let Some(chain) = self.chain.take().filter(|_| !was_accounted) {
            chain.answering().account(self.decoder.used(), self.decoder.charged());
        }
        if let Some(outcome) = self.decoder.outcome_json() {
            self.client
                .tell_outcome(&serde_json::from_str(&outcome).unwrap_or_default());
        }
    }

    fn release(&mut self) {
        self.read = None;
        if let Some(reader) = self.reader.take() {
            reader.cancel();
        }
        self.sent = None;
    }
}

impl Drop for ChatStream {
    fn drop(&mut self) {
        self.abort();
    }
}

impl Stream for ChatStream {
    type Item = Result<ChatCompletionChunk, Error>;

    fn poll_next(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        self.get_mut().poll_chunk(context)
    }
}
