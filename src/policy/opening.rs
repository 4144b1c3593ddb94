//! Opening a response, without I/O: what to do next, by what came of what was done last.
//!
//! A shell sends, waits and reads. [`Opening::step`] returns its next action, and takes the result of it, until there is a good
//! response or a retry is pointless. A good response may still break before anything of it was handed out: the shell
//! then reports how, and the next action says whether to retry.
//!
//! Long because the steps of one state machine are read together.

use std::rc::Rc;

use super::accounts::{self, Slot};
use super::breaker::{Gate, account};
use super::keys::Key;
use super::quota::GAIN;
use super::retry::{self, Decision, Hints};
pub(crate) use super::sending::{Call, Request, Settings};
use super::timeouts::Timeouts;
use super::validate::{Validation, validate};
use crate::attempt::Attempt;
use crate::chat::view::View;
use crate::error::{Error, ErrorKind, header, is_host_limit};
use crate::json::Writer;
use crate::problem::{Problem, write_problems};
use crate::redact::{check_key, scrub};
use crate::stream;
use crate::text::{find, joined};
use crate::trouble::{Refusal, Trouble};
use crate::waits;

/// The advice to those whose redirects lead nowhere.
const TO_THE_END: &str = " Set baseURL to the address that answers without a redirect.";

/// The host's clocks and random number at one moment.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Moment {
    /// Milliseconds on the clock that streams are timed with.
    pub(crate) now: f64,
    /// Milliseconds since 1970.
    pub(crate) wall: f64,
    /// A random number in 0..1.
    pub(crate) random: f64,
}

/// The result of the last [`Action`].
pub(crate) enum Event {
    /// Nothing was to be done yet, or the wait is over.
    Due,
    /// The key that was asked for.
    Key(String),
    /// The response headers are there. The headers of a good response may be left out.
    Answered {
        status: u16,
        request_id: Option<String>,
        headers: Vec<(String, String)>,
        /// Where it came from, if the request was redirected.
        redirected: Option<String>,
    },
    /// A good response ended badly before anything of it was handed out.
    Broken(Box<Broken>),
    /// The body of a refusal, as far as it came.
    Body(String),
    /// The time for it ran out.
    TimedOut,
    /// The action failed, in the host's words.
    Failed(String),
    /// The caller left.
    Aborted,
}

/// How a good response ended that nothing was handed out of.
#[derive(Default)]
pub(crate) struct Broken {
    /// The class name of its error, and what it says.
    pub(crate) name: String,
    pub(crate) message: String,
    /// The server's words for it, or the decoder's.
    pub(crate) code: String,
    pub(crate) error_type: String,
    /// The HTTP status that an error in it names.
    pub(crate) status: Option<u16>,
    /// All that the server said of it, as JSON text.
    pub(crate) body: String,
}

/// The next thing for a shell to do.
pub(crate) enum Action {
    /// Ask for the key, for so many milliseconds at the most.
    Key(Option<f64>),
    /// Wait some milliseconds.
    Wait(f64),
    /// Send the request, and wait for its response headers.
    Send(Box<Request>),
    /// Read the body of a refusal, for so many milliseconds at the most.
    Read(f64),
    /// This is a good response.
    Open(Box<Answer>),
    /// Give up.
    Fail(Box<Error>),
}

/// A good response, and how to read it.
pub(crate) struct Answer {
    pub(crate) decoder: stream::Options,
    /// The request's slot within the limits, to be kept until the answer is over.
    pub(crate) slot: Option<Slot>,
    /// Whether the request may be retried if the answer breaks before anything of it was handed out: [`Event::Broken`] decides.
    pub(crate) again: bool,
}

enum State {
    /// Nothing has been checked yet.
    New,
    /// An attempt is due.
    Ready,
    /// The call waits for the account to be free.
    Entering,
    /// The host has been asked for its key.
    AwaitingKey,
    Sent,
    Refused {
        status: u16,
        headers: Vec<(String, String)>,
    },
    Opened,
}

/// One response on its way.
pub(crate) struct Opening {
    settings: Rc<Settings>,
    call: Call,
    problems: Vec<Problem>,
    state: State,
    timeouts: Timeouts,
    /// Whether `total` runs out before `headers` does. The clock alone cannot decide that, because a host's timer may be early.
    is_total_next: bool,
    /// How many attempts others made before.
    earlier: usize,
    key: Option<String>,
    account: u64,
    slot: Option<Slot>,
    /// Where the last response came from, if the request was redirected.
    redirected: Option<String>,
    /// Tokens of the quota that the last retry cost.
    spent: Option<f64>,
    /// The end of the last wait that was reported to the observer.
    told_until: f64,
    /// The warnings about the request, which is sent all the same.
    warnings: Vec<Problem>,
    /// The events for an observer since the last step: elements of a JSON array, `[name, what],…`.
    pub(crate) told: Writer,
}

type Step = Result<Action, Box<Error>>;

impl Opening {
    /// `problems` of the call's options are the error of the first step.
    pub(crate) fn new(settings: Rc<Settings>, call: Call, problems: Vec<Problem>) -> Self {
        Opening {
            settings,
            earlier: call.attempts.len(),
            is_total_next: false,
            call,
            problems,
            state: State::New,
            timeouts: Timeouts::default(),
            key: None,
            account: 0,
            slot: None,
            redirected: None,
            spent: None,
            told_until: 0.0,
            warnings: Vec::new(),
            told: Writer::with_room(256),
        }
    }

    /// The next action. After [`Action::Fail`] there is nothing more, and after
    /// [`Action::Open`] nothing but [`Event::Broken`].
    pub(crate) fn step(&mut self, event: Event, at: Moment) -> Action {
        if let Some(slot) = &mut self.slot {
            slot.seen = at.wall;
        }
        self.advance(event, at).unwrap_or_else(|mut error| {
            self.slot = None;
            error.attempts = std::mem::take(&mut self.call.attempts);
            Action::Fail(error)
        })
    }

    fn advance(&mut self, event: Event, at: Moment) -> Step {
        match (event, std::mem::replace(&mut self.state, State::Ready)) {
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
                    redirected,
                },
                _,
            ) => {
                self.redirected = redirected;
                Ok(self.answered(status, request_id, headers, at))
            }
            (event, state) => self.went_wrong(event, state, at),
        }
    }

    /// The same where there is no response yet, and none is to be asked for now.
    #[inline(never)] // a plain answer has no need of it
    fn went_wrong(&mut self, event: Event, state: State, at: Moment) -> Step {
        match (event, state) {
            (Event::Aborted, state) => {
                let error = Error::aborted();
                // The request that is cancelled was one, too.
                if matches!(state, State::Sent) {
                    self.note(None, error.name());
                }
                Err(error.into())
            }
            (Event::Body(body), State::Refused { status, headers }) => self.refused(status, headers, &body, at),
            (Event::Broken(broken), _) => self.broken(&broken, at),
            (Event::Failed(reason), State::AwaitingKey) => Err(Error::new(
                ErrorKind::Configuration,
                joined(&["The apiKey function failed: ", &reason]),
            )
            .into()),
            (Event::Failed(reason), _) => {
                let key = self.key.as_deref();
                let is_circle = find(&reason, "edirect").is_some();
                let mut error = match is_host_limit(&reason) {
                    true => Error::host_limit(&scrub(reason, key)),
                    false => Error::connection(&reason, key),
                };
                if is_circle {
                    error.trouble = Trouble::HostLimit;
                    error.message.push_str(TO_THE_END);
                }
                self.note(None, error.name());
                self.failed(error, Hints::default(), at)
            }
            (Event::TimedOut, State::AwaitingKey) => {
                let mut error = self.late(at);
                error.message =
                    "The apiKey function gave no key within `timeout.headers` or `timeout.total`, so nothing was sent: see why."
                        .to_owned();
                error.trouble = Trouble::Request;
                Err(error.into())
            }
            (_, _) => {
                let error = self.late(at);
                self.note(None, error.name());
                self.failed(error, Hints::default(), at)
            }
        }
    }

    /// Time ran out: which.
    fn late(&self, at: Moment) -> Error {
        match (self.timeouts.headers, self.timeouts.total) {
            (_, Some(total)) if self.is_total_next || self.left(at) < 1.0 => Error::timeout("total", total),
            (headers, _) => Error::timeout("headers", headers.unwrap_or_default()),
        }
    }

    fn refused(&mut self, status: u16, headers: Vec<(String, String)>, body: &str, at: Moment) -> Step {
        let location = header(&headers, "location").filter(|to| (300..400).contains(&status) && !to.is_empty());
        if let Some(location) = location {
            self.redirected = Some(location.to_owned());
        }
        let mut error = Error::from_response(status, headers, body, self.key.as_deref());
        // The message is read besides the body, where characters that are not ASCII may be escaped.
        let said = joined(&[body, "\n", error.message.get(4..).unwrap_or_default()]);
        let hints = match &error.response {
            Some(response) => Hints::read_all(&response.headers, &said, error.trouble, at.wall),
            None => Hints::default(),
        };
        if self.redirected.is_none() && matches!(status, 301..=303 | 307 | 308) {
            error.message.push_str(" The redirect names no address.");
            error.message.push_str(TO_THE_END);
        }
        if let Some(note) = self.redirection() {
            error.message.push_str(&note);
        }
        self.note(Some(status), error.name());
        self.failed(error, hints, at)
    }

    /// A good response has ended badly, and nothing of it was handed out.
    fn broken(&mut self, broken: &Broken, at: Moment) -> Step {
        let mut error = Error::new(ErrorKind::from_name(&broken.name), broken.message.clone());
        error.code = Some(broken.code.clone()).filter(|code| !code.is_empty());
        error.trouble = match (error.trouble, &*broken.code) {
            (Trouble::Broken, "timeout.total") => Trouble::Request,
            (Trouble::Broken, "host_limit") => Trouble::HostLimit,
            (Trouble::Unreadable, code) if code.starts_with("limit.") => Trouble::Request,
            (Trouble::Broken | Trouble::Unreadable, _) => error.trouble,
            _ => Trouble::told(
                Refusal {
                    status: broken.status,
                    code: &broken.code,
                    error_type: &broken.error_type,
                    message: &broken.message,
                },
                waits::in_text(&broken.body).is_some(),
            ),
        };
        if error.trouble == Trouble::Limit {
            error.kind = ErrorKind::RateLimit;
        }
        if let Some(last) = self.call.attempts.last_mut() {
            broken.name.clone_into(&mut last.reason);
        }
        let said = joined(&[&broken.body, "\n", &broken.message]);
        let mut hints = Hints::read_all(&[], &said, error.trouble, at.wall);
        if error.trouble == Trouble::Broken && matches!(broken.body.as_bytes(), [] | [b'[', b'0', ..]) {
            // The message is the decoder's, and names no wait.
            hints = Hints::default();
        }
        self.failed(error, hints, at)
    }

    fn redirection(&self) -> Option<String> {
        let to = self.redirected.as_deref()?;
        Some(self.call.redirection(&self.settings, self.key.as_deref(), to))
    }

    /// How much longer the caller waits.
    fn left(&self, at: Moment) -> f64 {
        self.timeouts
            .total
            .map_or(f64::INFINITY, |total| total - (at.now - self.call.started))
    }

    /// How long headers, a key or the body of a refusal may take: nothing where the total has run out meanwhile.
    fn headers_timeout(&mut self, at: Moment) -> Option<f64> {
        let left = self.left(at).max(0.0);
        self.is_total_next = self.timeouts.headers.is_none_or(|headers| headers >= left);
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
            // The attempts before have used up all the time; timers know whole milliseconds only.
            return Err(Error::timeout("total", self.timeouts.total.unwrap_or_default()).into());
        }
        match &self.settings.key {
            Key::Asked => {
                self.state = State::AwaitingKey;
                return Ok(Action::Key(self.headers_timeout(at)));
            }
            Key::Value(key) => self.key = Some(key.clone()),
            Key::None => {}
        }
        self.keyed(at)
    }

    /// Validates request and options before anything is sent, and notes suspicious members as warnings.
    #[inline(never)] // so that its caller stays short
    fn check(&mut self) -> Result<Timeouts, Box<Error>> {
        if !self.problems.is_empty() {
            return Err(Error::invalid(std::mem::take(&mut self.problems)).into());
        }
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
        self.enter(at)
    }

    /// The name that a cooldown is kept under: of one model, unless the server is known to refuse all that a key asks for.
    fn cooled(&self) -> u64 {
        let provider = &self.settings.provider;
        let asked = self.call.view.as_ref().and_then(View::model);
        let model = match provider.limits_by_key {
            true => "",
            false => asked.or(provider.default_model.as_deref()).unwrap_or_default(),
        };
        account(
            &joined(&[self.settings.base.origin(), "\n", model]),
            self.key.as_deref(),
        )
    }

    fn max_retries(&self) -> u32 {
        self.call.max_retries.unwrap_or(self.settings.max_retries)
    }

    /// Waits for a cooldown to pass and for a slot within the limits, as far as the caller's patience goes.
    fn enter(&mut self, at: Moment) -> Step {
        let patience = self.left(at);
        let cooldown = match accounts::gate(self.cooled(), at.wall, patience) {
            Gate::Open => None,
            Gate::Wait { until } if self.max_retries() > 0 => Some(until),
            // A call without retries is one request, now: it does not wait in silence for others' refusals to be forgotten.
            Gate::Wait { .. } => None,
            Gate::Closed { retry_at } => {
                let message = "The server has asked to wait, and nothing is sent before `retryAt`.";
                return self.held_back("cooldown", message, retry_at);
            }
        };
        let turn = match (cooldown, self.settings.limits) {
            (None, Some(limits)) => self
                .slot
                .get_or_insert_with(|| Slot::new(self.account, limits, at.wall))
                .admission(),
            _ => None,
        };
        match (cooldown, turn) {
            (None, None) => self.send(at),
            (None, Some(due)) if due - at.wall > patience => {
                let message = "No slot within the plan's limits would be free within `timeout.total`.";
                self.held_back("limits", message, due)
            }
            (Some(due), _) => Ok(self.wait("cooldown", due, at)),
            (None, Some(due)) => Ok(self.wait("limits", due, at)),
        }
    }

    fn wait(&mut self, reason: &str, until: f64, at: Moment) -> Action {
        /// A waiter checks its slot many times; the observer gets a wait that ends at least this much later.
        const NEWS_MS: f64 = 500.0;
        self.state = State::Entering;
        let delay = (until - at.wall).max(1.0);
        if until > self.told_until + NEWS_MS {
            self.told_until = until;
            let out = self.tell("onWait");
            out.member("reason", reason)
                .key("delay")
                .milliseconds(Some(delay))
                .raw(b"}]");
        }
        Action::Wait(delay)
    }

    /// Nothing is sent: the code says why.
    fn held_back(&mut self, code: &str, message: &str, until: f64) -> Step {
        self.note(None, code);
        let mut error = Error::new(ErrorKind::RateLimit, message).with_retry_at(Some(until));
        error.code = Some(code.to_owned());
        Err(error.into())
    }

    fn send(&mut self, at: Moment) -> Step {
        let timeout = self.headers_timeout(at);
        let request = self.call.request(&self.settings, self.key.as_deref(), timeout)?;
        let number = self.number() as u64;
        let warnings = std::mem::take(&mut self.warnings);
        // Warnings are for those too who have no hooks.
        if self.settings.has_hooks || !warnings.is_empty() {
            let out = self.tell("onRequest");
            out.member("method", request.method).key("attempt").integer(number);
            if !warnings.is_empty() {
                write_problems(&warnings, out.key("warnings"));
            }
            out.raw(b"}]");
        }
        self.state = State::Sent;
        Ok(Action::Send(request.into()))
    }

    #[inline(never)] // so that its caller stays short
    fn answered(
        &mut self,
        status: u16,
        request_id: Option<String>,
        headers: Vec<(String, String)>,
        at: Moment,
    ) -> Action {
        if let Some(slot) = &self.slot {
            slot.answered();
        }
        if self.settings.has_hooks {
            let told_id = request_id.clone().map(|id| scrub(id, self.key.as_deref()));
            self.tell("onResponse")
                .key("status")
                .integer(u64::from(status))
                .key("requestId")
                .text(told_id.as_deref())
                .raw(b"}]");
        }
        if (200..300).contains(&status) {
            self.note(Some(status), "ok");
            self.state = State::Opened;
            return Action::Open(Box::new(Answer {
                decoder: self.decoder(request_id, at),
                slot: self.slot.take(),
                again: self.call.view.is_some() && self.number() as u32 <= self.max_retries() + 1,
            }));
        }
        self.state = State::Refused { status, headers };
        /// An error body follows its headers at once.
        const PATIENCE_MS: f64 = 10_000.0;
        Action::Read(
            self.headers_timeout(at)
                .map_or(PATIENCE_MS, |timeout| timeout.min(PATIENCE_MS)),
        )
    }

    /// The last attempt has failed, and is noted.
    fn failed(&mut self, mut error: Error, hints: Hints, at: Moment) -> Step {
        let number = self.number() - 1;
        self.slot = None;
        let made = retry::FailedAttempt {
            number: number as u32,
            max_retries: self.max_retries(),
            trouble: error.trouble,
            hints,
            now_ms: at.wall,
            random: at.random,
            remaining_budget_ms: self.left(at),
            cooldown_ms: self.settings.provider.cooldown_ms,
        };
        let named = retry::named_wait(&made);
        if let Some(wait) = named {
            accounts::cool_down(self.cooled(), at.wall + wait, at.wall);
        }
        match retry::decide(&made) {
            // A retry costs nothing where a server that is well asks for it.
            Decision::Retry { after_ms }
                if error.trouble == Trouble::Limit && named.is_some_and(|wait| wait > 0.0)
                    || self.may_spend(error.trouble) =>
            {
                let reason = self.call.attempts.last().map(|last| last.reason.clone());
                self.tell("onRetry")
                    .key("attempt")
                    .integer(number as u64)
                    .member("reason", reason.as_deref().unwrap_or_default())
                    .key("delay")
                    .milliseconds(Some(after_ms))
                    .raw(b"}]");
                Ok(Action::Wait(after_ms))
            }
            Decision::Retry { .. } => {
                error
                    .message
                    .push_str(" It was not retried: the retry quota of this client is used up.");
                Err(error.into())
            }
            Decision::Fail { retry_at } => Err(error.with_retry_at(retry_at).into()),
        }
    }

    /// Takes the cost of a retry from the quota; false where too little is left.
    fn may_spend(&mut self, trouble: Trouble) -> bool {
        let mut quota = self.settings.quota.get();
        let cost = quota.take(trouble);
        self.settings.quota.set(quota);
        self.spent = cost.or(self.spent);
        cost.is_some()
    }

    fn note(&mut self, status: Option<u16>, reason: &str) {
        self.call.attempts.push(Attempt {
            provider: self.settings.provider.name.clone().into_owned(),
            status,
            reason: reason.to_owned(),
        });
    }

    /// Begins an event for the observer: its name, and an object with the provider, and with the address unless that is known.
    fn tell(&mut self, name: &str) -> &mut Writer {
        // The query may hold a secret.
        let url = scrub(self.call.url(&self.settings), self.key.as_deref());
        let out = self.told.comma().raw(b"[").string(name).raw(b",{");
        out.member("provider", &self.settings.provider.name);
        if name != "onRetry" && name != "onWait" {
            out.member("url", &url);
        }
        out
    }

    fn decoder(&mut self, request_id: Option<String>, at: Moment) -> stream::Options {
        let reasoning = match &self.call.view {
            Some(view) => self.settings.provider.reasoning_place(view),
            None => self.settings.provider.reasoning,
        };
        stream::Options {
            document: !self.call.stream,
            choices: self.call.view.as_ref().map(View::choices),
            reasoning,
            returns_reasoning: self.settings.provider.takes_reasoning,
            strict: self.call.strict.unwrap_or(self.settings.strict),
            accumulate: !self.call.discard,
            prices: self.call.prices.or(self.settings.prices),
            partial: self.settings.partial,
            timeouts: stream::Timeouts {
                first_token: self.timeouts.first_token,
                idle: self.timeouts.idle,
                keep_alive: self.timeouts.keep_alive,
                total: self.timeouts.total,
            },
            started: self.call.started,
            epoch: Some(at.wall - at.now),
            attempts: self.call.attempts.clone(),
            redirection: self.redirection(),
            request_id,
            ..stream::Options::default()
        }
    }
}

impl Drop for Opening {
    /// An answer that did not break gives tokens back to the quota.
    fn drop(&mut self) {
        if matches!(self.state, State::Opened) {
            let mut quota = self.settings.quota.get();
            quota.give_back(self.spent.unwrap_or(GAIN));
            self.settings.quota.set(quota);
        }
    }
}
