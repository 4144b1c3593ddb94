//! Opening a response, without I/O: what to do next, by what came of what was done last.
//!
//! A shell sends, waits and reads. [`Opening::step`] tells it what, and is told what came of it, until there is a good
//! response or no point in trying again.

use std::rc::Rc;

use super::accounts::{self, Place};
use super::breaker::{Gate, account};
use super::keys::Key;
use super::retry::{self, Decision, Failure, Hints};
use super::timeouts::{TimeoutOption, Timeouts};
use super::validate::{Validation, validate};
use crate::attempt::Attempt;
use crate::chat::view::View;
use crate::error::{Error, ErrorKind};
use crate::json::Writer;
use crate::problem::{Problem, write_problems};
use crate::provider::{BaseUrl, Limits, Provider, authorization, is_own_host};
use crate::redact::{check_header, check_key, scrub};
use crate::stream;
use crate::text::joined;
use crate::usage::TokenPrices;

/// A header or query parameter; without a value it takes one away that the client would send.
pub(crate) type Pair = (String, Option<String>);

/// What a client was made with.
pub(crate) struct Settings {
    pub(crate) provider: Provider,
    pub(crate) base: BaseUrl,
    pub(crate) key: Key,
    pub(crate) headers: Vec<Pair>,
    pub(crate) query: Vec<Pair>,
    pub(crate) max_retries: u32,
    pub(crate) timeout: TimeoutOption,
    pub(crate) limits: Option<Limits>,
    pub(crate) validation: Validation,
    pub(crate) strict: bool,
    pub(crate) prices: Option<TokenPrices>,
}

/// One request, and how it differs from what its client was made with.
#[derive(Default)]
pub(crate) struct Call {
    pub(crate) path: String,
    /// The request as validation sees it; `None` where there is no body.
    pub(crate) view: Option<View>,
    pub(crate) headers: Vec<Pair>,
    pub(crate) query: Vec<Pair>,
    pub(crate) max_retries: Option<u32>,
    pub(crate) timeout: TimeoutOption,
    pub(crate) strict: Option<bool>,
    /// Hand out the answer without keeping it.
    pub(crate) discard: bool,
    pub(crate) stream: bool,
    /// When the caller asked, on the clock of [`Moment::now`].
    pub(crate) started: f64,
    /// Who was asked before, when this is a fallback.
    pub(crate) attempts: Vec<Attempt>,
}

/// What a host knows at one moment.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Moment {
    /// Milliseconds on the clock that streams are timed with.
    pub(crate) now: f64,
    /// Milliseconds since 1970.
    pub(crate) wall: f64,
    /// A random number in 0..1.
    pub(crate) random: f64,
}

/// What came of the last [`Action`].
pub(crate) enum Event {
    /// Nothing was to be done yet, or the wait is over.
    Due,
    /// The key that was asked for.
    Key(String),
    /// The response headers are there. Those of a good response need not be told.
    Answered {
        status: u16,
        request_id: Option<String>,
        headers: Vec<(String, String)>,
    },
    /// The body of a refusal, as far as it came.
    Body(String),
    /// The time for it ran out.
    TimedOut,
    /// It could not be done, in the host's words.
    Failed(String),
    /// The caller left.
    Aborted,
}

/// What to do next.
pub(crate) enum Action {
    /// Ask for the key.
    Key,
    /// Wait some milliseconds.
    Wait(f64),
    /// Send the request, and wait for its response headers.
    Send(Box<Request>),
    /// Read the body of a refusal, for so many milliseconds at the most.
    Read(f64),
    /// This is a good response: read it so. The request's place within the limits is to be kept until then.
    Open(Box<stream::Options>, Option<Place>),
    /// Give up.
    Fail(Box<Error>),
}

/// What to send.
pub(crate) struct Request {
    /// Without a query.
    pub(crate) url: String,
    pub(crate) query: Vec<Pair>,
    pub(crate) method: &'static str,
    /// To be set in this order; without a value, to be deleted.
    pub(crate) headers: Vec<Pair>,
    /// What stands for the body's first byte, where that has to change.
    pub(crate) start: Option<String>,
    /// Milliseconds to wait for the response headers.
    pub(crate) timeout: Option<f64>,
}

enum State {
    /// Nothing has been looked at yet.
    New,
    /// An attempt is due.
    Ready,
    /// It waits for the account to be free.
    Entering,
    Asking,
    Sent,
    Refused {
        status: u16,
        headers: Vec<(String, String)>,
    },
}

/// One response on its way.
pub(crate) struct Opening {
    settings: Rc<Settings>,
    call: Call,
    state: State,
    timeouts: Timeouts,
    /// How many attempts others made before.
    earlier: usize,
    key: Option<String>,
    account: u64,
    /// When the caller gives up, in milliseconds since 1970.
    given_up: f64,
    place: Option<Place>,
    /// What looks wrong with the request, which is sent all the same.
    warnings: Vec<Problem>,
    /// What an observer is told of since the last step: elements of a JSON array, `[name, what],…`.
    pub(crate) told: Writer,
}

type Step = Result<Action, Box<Error>>;

impl Opening {
    pub(crate) fn new(settings: Rc<Settings>, call: Call) -> Self {
        Opening {
            settings,
            earlier: call.attempts.len(),
            call,
            state: State::New,
            timeouts: Timeouts::default(),
            key: None,
            account: 0,
            given_up: 0.0,
            place: None,
            warnings: Vec::new(),
            told: Writer::default(),
        }
    }

    /// What to do next. After [`Action::Open`] and [`Action::Fail`] there is nothing more.
    pub(crate) fn step(&mut self, event: Event, at: Moment) -> Action {
        if let Some(place) = &mut self.place {
            place.seen = at.wall;
        }
        self.advance(event, at).unwrap_or_else(|mut error| {
            self.place = None;
            error.attempts = std::mem::take(&mut self.call.attempts);
            Action::Fail(error)
        })
    }

    fn advance(&mut self, event: Event, at: Moment) -> Step {
        match (event, std::mem::replace(&mut self.state, State::Ready)) {
            (Event::Aborted, _) => Err(Error::aborted().into()),
            (Event::Due, State::Entering) => self.enter(at),
            (Event::Due, State::New) => {
                self.timeouts = self.check()?;
                self.begin(at)
            }
            (Event::Due, _) => self.begin(at),
            (Event::Key(key), _) => {
                self.key = Some(key);
                self.keyed(at)
            }
            (
                Event::Answered {
                    status,
                    request_id,
                    headers,
                },
                _,
            ) => Ok(self.answered(status, request_id, headers, at)),
            (Event::Body(body), State::Refused { status, headers }) => {
                let hints = Hints::read(&headers, at.wall);
                let error = Error::from_response(status, headers, &body, self.key.as_deref());
                self.failed(error, Failure::Status { status, hints }, at)
            }
            (Event::Failed(reason), State::Asking) => Err(Error::new(
                ErrorKind::Configuration,
                joined(&["The apiKey function failed: ", &reason]),
            )
            .into()),
            (Event::Failed(reason), _) => {
                let error = Error::connection(&reason, self.key.as_deref());
                self.failed(error, Failure::Connection, at)
            }
            (Event::TimedOut | Event::Body(_), _) => {
                let error = Error::timeout(self.headers_timeout(at).unwrap_or(0.0));
                self.failed(error, Failure::Timeout, at)
            }
        }
    }

    /// How much longer the caller waits.
    fn left(&self, at: Moment) -> f64 {
        self.timeouts
            .total
            .map_or(f64::INFINITY, |total| total - (at.now - self.call.started))
    }

    fn headers_timeout(&self, at: Moment) -> Option<f64> {
        let left = self.left(at);
        match self.timeouts.headers {
            Some(headers) => Some(headers.min(left)),
            None => Some(left).filter(|left| left.is_finite()),
        }
    }

    /// Which attempt this is, from 1.
    fn number(&self) -> usize {
        self.call.attempts.len() - self.earlier + 1
    }

    fn begin(&mut self, at: Moment) -> Step {
        if self.earlier > 0 && self.left(at) < 1.0 {
            // Those before have used up all the time there was; timers know whole milliseconds only.
            return Err(Error::timeout(self.timeouts.total.unwrap_or(0.0)).into());
        }
        match &self.settings.key {
            Key::Asked => {
                self.state = State::Asking;
                return Ok(Action::Key);
            }
            Key::Value(key) => self.key = Some(key.clone()),
            Key::None => {}
        }
        self.keyed(at)
    }

    /// Judges request and options before anything is sent, and notes what is merely suspicious.
    fn check(&mut self) -> Result<Timeouts, Box<Error>> {
        let Settings {
            provider,
            timeout,
            validation,
            ..
        } = &*self.settings;
        let timeouts = Timeouts::new(self.call.timeout.over(*timeout), provider, self.call.stream);
        let (timeouts, mut problems) = match timeouts {
            Ok(timeouts) => (Some(timeouts), Vec::new()),
            Err(problems) => (None, problems),
        };
        if let Some(view) = self.call.view.as_ref().filter(|_| *validation != Validation::Off) {
            let (mut refused, suspicious) = validation.split(validate(view, provider));
            problems.append(&mut refused);
            self.warnings = suspicious;
        }
        if let Some(number) = self.call.max_retries {
            problems.extend(retry::retries(f64::from(number)).err());
        }
        timeouts
            .filter(|_| problems.is_empty())
            .ok_or_else(|| Box::new(Error::invalid(problems)))
    }

    fn keyed(&mut self, at: Moment) -> Step {
        if let Some(key) = &self.key {
            check_key(key).map_err(Error::from)?;
        }
        self.account = account(self.settings.base.origin(), self.key.as_deref());
        self.given_up = at.wall + self.left(at);
        self.enter(at)
    }

    /// Waits for a cooldown to pass and for a place within the limits, as far as the caller's patience goes.
    fn enter(&mut self, at: Moment) -> Step {
        let mut reason = "cooldown";
        let due = match accounts::gate(self.account, at.wall, self.given_up - at.wall) {
            Gate::Open => None,
            Gate::Wait { until } => Some(until),
            Gate::Closed { retry_at } => {
                let message = "The server has asked to wait, and nothing is sent before `retryAt`.";
                return self.held_back("cooldown", message, retry_at);
            }
        };
        let due = match (due, self.settings.limits) {
            (None, Some(limits)) => {
                reason = "limits";
                self.place
                    .get_or_insert_with(|| Place::new(self.account, limits, at.wall))
                    .turn()
            }
            (due, _) => due,
        };
        match due {
            None => self.send(at),
            Some(due) if due > self.given_up => {
                let message = "No place within the plan's limits would be free within `timeout.total`.";
                self.held_back("limits", message, due)
            }
            Some(due) => {
                self.state = State::Entering;
                let delay = (due - at.wall).max(1.0);
                let out = self.tell("onWait");
                out.member("reason", reason)
                    .key("delay")
                    .milliseconds(Some(delay))
                    .raw(b"}]");
                Ok(Action::Wait(delay))
            }
        }
    }

    /// Nothing is sent: the code says why.
    fn held_back(&mut self, code: &str, message: &str, until: f64) -> Step {
        self.note(None, code);
        let mut error = Error::new(ErrorKind::RateLimit { retry_at: Some(until) }, message);
        error.code = Some(code.to_owned());
        Err(error.into())
    }

    fn send(&mut self, at: Moment) -> Step {
        let request = Request {
            url: self.url(),
            query: self.query(),
            method: if self.call.view.is_some() { "POST" } else { "GET" },
            headers: self.headers()?,
            start: self.start(),
            timeout: self.headers_timeout(at),
        };
        let number = self.number() as u64;
        let warnings = std::mem::take(&mut self.warnings);
        let out = self.tell("onRequest");
        out.member("method", request.method).key("attempt").integer(number);
        if !warnings.is_empty() {
            write_problems(&warnings, out.key("warnings"));
        }
        out.raw(b"}]");
        self.state = State::Sent;
        Ok(Action::Send(request.into()))
    }

    fn url(&self) -> String {
        self.settings.base.join(&self.call.path)
    }

    fn query(&self) -> Vec<Pair> {
        let mut query = Vec::new();
        for (pairs, is_own) in [(&self.settings.query, false), (&self.call.query, true)] {
            for (name, value) in pairs {
                // Those of the call win over the client's.
                if value.is_some() && (is_own || !self.call.query.iter().any(|(own, _)| own == name)) {
                    query.push((name.clone(), value.clone()));
                }
            }
        }
        query
    }

    fn headers(&self) -> Result<Vec<Pair>, Error> {
        let mut headers = Vec::new();
        let mut set = |name: &str, value: String| headers.push((name.to_owned(), Some(value)));
        let accept = match (self.call.stream, is_own_host(self.settings.base.host())) {
            (false, _) => "application/json",
            (true, true) => "text/event-stream",
            // To a gateway of ours: the usage is wanted, also where the request's own parameters do not ask for it.
            (true, false) => "text/event-stream;usage=1",
        };
        set("accept", accept.to_owned());
        if self.call.view.is_some() {
            set("content-type", "application/json".to_owned());
        }
        if let Some(key) = &self.key {
            set("authorization", authorization(key));
        }
        for (option, pairs) in [
            ("defaultHeaders", &self.settings.headers),
            ("headers", &self.call.headers),
        ] {
            for (name, value) in pairs {
                check_header(option, name, value.as_deref().unwrap_or_default())?;
                headers.push((name.clone(), value.clone()));
            }
        }
        Ok(headers)
    }

    /// Names the provider's model where the request names none. The rest of the body stays as it was given.
    fn start(&self) -> Option<String> {
        let view = self.call.view.as_ref()?;
        let model = self.settings.provider.default_model.as_deref()?;
        let crate::chat::view::Value::Object(members) = view.root() else {
            return None;
        };
        if view.model().is_some() {
            return None;
        }
        let mut out = Writer::default();
        out.raw(b"{")
            .member("model", model)
            .raw(if members.is_empty() { b"" } else { b"," });
        Some(out.into_string())
    }

    fn answered(
        &mut self,
        status: u16,
        request_id: Option<String>,
        headers: Vec<(String, String)>,
        at: Moment,
    ) -> Action {
        if let Some(place) = &self.place {
            place.answered();
        }
        let told_id = request_id.clone().map(|id| scrub(id, self.key.as_deref()));
        self.tell("onResponse")
            .key("status")
            .integer(u64::from(status))
            .key("requestId")
            .text(told_id.as_deref())
            .raw(b"}]");
        if (200..300).contains(&status) {
            self.note(Some(status), "ok");
            return Action::Open(self.decoder(request_id).into(), self.place.take());
        }
        self.state = State::Refused { status, headers };
        /// An error body follows its headers at once.
        const PATIENCE_MS: f64 = 10_000.0;
        Action::Read(
            self.headers_timeout(at)
                .map_or(PATIENCE_MS, |timeout| timeout.min(PATIENCE_MS)),
        )
    }

    fn failed(&mut self, error: Error, failure: Failure, at: Moment) -> Step {
        let number = self.number();
        self.note(error.status(), error.name());
        self.place = None;
        let made = retry::Attempt {
            number: number as u32,
            max_retries: self.call.max_retries.unwrap_or(self.settings.max_retries),
            failure,
            now_ms: at.wall,
            random: at.random,
            remaining_budget_ms: self.left(at),
            cooldown_ms: self.settings.provider.cooldown_ms,
        };
        if let Some(wait) = retry::named_wait(&made) {
            accounts::cool_down(self.account, at.wall + wait, at.wall);
        }
        match retry::decide(&made) {
            Decision::Retry { after_ms } => {
                self.tell("onRetry")
                    .key("attempt")
                    .integer(number as u64)
                    .member("reason", error.name())
                    .key("delay")
                    .milliseconds(Some(after_ms))
                    .raw(b"}]");
                Ok(Action::Wait(after_ms))
            }
            Decision::Fail { retry_at } => Err(error.with_retry_at(retry_at).into()),
        }
    }

    fn note(&mut self, status: Option<u16>, reason: &str) {
        self.call.attempts.push(Attempt {
            provider: self.settings.provider.name.clone().into_owned(),
            status,
            reason: reason.to_owned(),
        });
    }

    /// Begins what an observer is told: its name, and an object with the provider, and with the address unless that is known.
    fn tell(&mut self, name: &str) -> &mut Writer {
        // What is in the query may be a secret.
        let url = scrub(self.url(), self.key.as_deref());
        let out = self.told.comma().raw(b"[").string(name).raw(b",{");
        out.member("provider", &self.settings.provider.name);
        if name != "onRetry" && name != "onWait" {
            out.member("url", &url);
        }
        out
    }

    fn decoder(&mut self, request_id: Option<String>) -> stream::Options {
        let reasoning = match &self.call.view {
            Some(view) => self.settings.provider.reasoning_place(view),
            None => self.settings.provider.reasoning,
        };
        stream::Options {
            document: !self.call.stream,
            reasoning,
            strict: self.call.strict.unwrap_or(self.settings.strict),
            accumulate: !self.call.discard,
            prices: self.settings.prices,
            timeouts: stream::Timeouts {
                first_token: self.timeouts.first_token,
                idle: self.timeouts.idle,
                total: self.timeouts.total,
            },
            started: self.call.started,
            attempts: std::mem::take(&mut self.call.attempts),
            request_id,
            ..stream::Options::default()
        }
    }
}
