//! The answer as it is put together from chunks: id, model, usage, choices. Knows neither bytes nor time.

use super::choice::{Choice, Form};
use super::ending::{Ending, Status, Taken};
use super::extras::Extras;
use super::ledger::Ledger;
use super::options::{Options, PartialValues};
use super::repairs::Repair;
use super::scan::{self, Chunk, Field};
use super::sentences::SentenceOptions;
use super::speech::Speech;
use crate::json::Writer;
use crate::provider::ReasoningPlace;
use crate::usage::{Counts, TokenPrices, Tokens, charged, write_members};

#[derive(Debug)]
pub(super) struct Answer {
    id: String,
    model: String,
    created: Option<Vec<u8>>,
    usage: Option<Vec<u8>>,
    /// Its counts, where they were read when it came.
    counted: Option<Tokens>,
    /// A usage had a member for what the server charged.
    names_cost: bool,
    /// The most bytes that the usage has had.
    most_usage: usize,
    /// The event of the last usage has its text as the server sent it, and no cost.
    usage_is_plain: bool,
    extras: Extras,
    /// By their index.
    choices: Vec<Choice>,
    has_chunk: bool,
    /// The index, as it is sent, of the choice that is the answer.
    main: u64,
    /// One choice was asked for: the first choice that comes is the answer.
    is_lone: bool,
    /// The index of the only choice counts up with each chunk, and means nothing.
    index_counts: bool,
    /// The index of a choice that is a block of the answer; 0 for none.
    block: u64,
    /// The index in the chunk before.
    last_index: u64,
    reasoning: ReasoningPlace,
    /// In boxes, as few streams have them.
    sentences: Option<Box<SentenceOptions>>,
    prices: Option<Box<TokenPrices>>,
}

impl Answer {
    pub(super) fn new(options: &Options) -> Self {
        Answer {
            id: String::new(),
            model: String::new(),
            created: None,
            usage: None,
            counted: None,
            names_cost: false,
            most_usage: 0,
            usage_is_plain: false,
            extras: Extras::default(),
            choices: Vec::new(),
            has_chunk: false,
            main: 0,
            is_lone: options.choices.is_some_and(|choices| choices <= 1),
            index_counts: false,
            block: 0,
            last_index: 0,
            reasoning: options.reasoning,
            sentences: options.sentences.clone().map(Box::new),
            prices: options.prices.map(Box::new),
        }
    }

    /// Whether a chunk, or a completion, has come.
    pub(super) fn has_begun(&self) -> bool {
        self.has_chunk
    }

    /// Whether every choice has its finish reason, and there is one.
    pub(super) fn is_finished(&self) -> bool {
        !self.choices.is_empty() && self.choices.iter().all(Choice::is_finished)
    }

    /// Whether nothing came but a finish reason that says that the server failed.
    #[inline]
    pub(super) fn failed_in_silence(&self) -> bool {
        !self.choices.is_empty() && self.choices.iter().all(Choice::failed_in_silence)
    }

    /// Whether there is a choice.
    pub(super) fn has_choices(&self) -> bool {
        !self.choices.is_empty()
    }

    /// The finish reason of a choice, where it says that the server failed.
    pub(super) fn failed(&self) -> Option<String> {
        self.choices.iter().find_map(Choice::failed)
    }

    /// Whether a choice lacks its finish reason.
    pub(super) fn is_open(&self) -> bool {
        self.choices.iter().any(|choice| choice.finish_reason.is_none())
    }

    /// Whether a choice that comes in deltas lacks its finish reason.
    pub(super) fn is_cut(&self) -> bool {
        self.choices.iter().any(Choice::is_cut)
    }

    /// The choice with this index.
    pub(super) fn choice(&self, index: u64) -> Option<&Choice> {
        self.choices.iter().find(|choice| choice.index == index)
    }

    /// The choice that is the answer: the one with index 0, or the only one with anything in it, whatever its index.
    pub(super) fn main_choice(&self) -> Option<&Choice> {
        match self.choices.as_slice() {
            [only] => Some(only),
            [silent, only] if silent.is_silent() => Some(only),
            _ => self.choice(0),
        }
    }

    #[inline]
    pub(super) fn choice_mut(&mut self, index: u64) -> Option<&mut Choice> {
        self.choices.iter_mut().find(|choice| choice.index == index)
    }

    /// Takes a chunk; true when it brought something a reader waits for. `expects_messages`: it is one in which a choice is a
    /// message, not a delta.
    pub(super) fn take(&mut self, chunk: &Chunk<'_>, expects_messages: bool, ledger: &mut Ledger) -> Taken<bool> {
        if chunk.has_too_many {
            return Err(too_many_choices());
        }
        self.has_chunk = true;
        if let Field::Str(id) = chunk.id
            && self.id.is_empty()
        {
            self.id = id.to_text();
            ledger.hold_long(0, self.id.len())?;
            ledger.seed_ids(&self.id);
        }
        if let Field::Str(model) = chunk.model
            && self.model.is_empty()
        {
            self.model = model.to_text();
            ledger.hold_long(0, self.model.len())?;
        }
        if let Some(created) = chunk.created
            && !matches!(self.created.as_deref(), Some(kept) if kept != b"0")
        {
            ledger.hold_long(0, created.len())?;
            self.created = Some(created.to_vec());
        }
        if !chunk.extras.is_empty() {
            ledger.hold(self.extras.replace(&chunk.extras))?;
        }
        if !chunk.has_choices && chunk.usage.is_none() && chunk.vendor_usage.is_none() {
            ledger.repair(0, Repair::NoChoices)?;
        }
        let mut progress = false;
        for (at, choice) in chunk.first.iter().chain(&chunk.more).enumerate() {
            if choice.index.is_none() && !chunk.more.is_empty() || choice.is_index_text {
                ledger.repair(0, Repair::NoChoiceIndex)?;
            }
            let is_message = expects_messages && choice.message.is_some();
            if choice.whole && !is_message || chunk.is_foreign || choice.has_foreign_reason {
                ledger.repair(0, Repair::MessageForDelta)?;
            }
            let mut index = at as u64;
            if let Some(sent) = choice.index {
                let is_lone = self.is_lone && chunk.more.is_empty();
                index = match self.choices.as_slice() {
                    [] if self.is_lone => self.be_main(sent),
                    [only] if is_lone && only.is_silent() => self.be_main(sent),
                    [only] if is_lone && choice.is_end() => only.index,
                    _ => self.number(sent),
                };
            }
            if chunk.more.is_empty() {
                index = self.index_of_only(choice.index.unwrap_or(0), index, chunk.id, ledger)?;
            }
            if self.is_block(choice, index) {
                ledger.repair(0, Repair::IndexCounts)?;
                index = 0;
            } else if expects_messages && choice.whole && self.choice(index).is_some_and(Choice::is_whole) {
                // A second completion in one body: the first is the answer.
                ledger.repair(index, Repair::Repeated)?;
                continue;
            }
            progress |= self.take_choice(choice, index, ledger)?;
        }
        if let Some(usage) = chunk.usage {
            self.take_usage(usage, false, ledger)?;
        } else if let Some(usage) = chunk
            .vendor_usage
            .map(Vec::from)
            .or_else(|| match chunk.extras.is_empty() {
                true => None,
                false => chunk.own_counts(),
            })
        {
            ledger.repair(0, Repair::UsageMisplaced)?;
            self.take_usage(&usage, false, ledger)?;
        }
        Ok(progress)
    }

    /// Whether a choice that nobody asked for is a block of the one answer: calls without text, or text where the answer has none.
    fn is_block(&mut self, choice: &scan::Choice<'_>, index: u64) -> bool {
        let may_be = self.is_lone && index > 0 && self.choice(index).is_none();
        let Some(main) = self.choice(0).filter(|_| may_be) else {
            return false;
        };
        let text = choice.delta.as_ref().and_then(|delta| delta.content.text());
        let is_block = text.is_none() || !main.has_answered || self.block == index;
        // A role alone says nothing of what follows.
        if is_block && !choice.is_blank() {
            self.block = index;
        }
        is_block
    }

    /// The number of the choice that an index means when it stands alone in its chunk: `number`, unless the index counts chunks. That
    /// it does where it is higher than any choice has, or goes up by one together with a new id while there is one choice.
    fn index_of_only(&mut self, index: u64, number: u64, id: Field<'_>, ledger: &mut Ledger) -> Taken<u64> {
        /// No request asks for more choices.
        const MOST_CHOICES: u64 = 128;
        let before = std::mem::replace(&mut self.last_index, index);
        if !self.index_counts {
            let is_other_id = || id.text().is_some_and(|id| !id.is(&self.id));
            self.index_counts = match self.choices.as_slice() {
                [] => index >= MOST_CHOICES,
                [only] if only.index == 0 => index >= MOST_CHOICES || index == before + 1 && is_other_id(),
                _ => false,
            };
        }
        if !self.index_counts {
            return Ok(number);
        }
        ledger.repair(0, Repair::IndexCounts)?;
        Ok(0)
    }

    /// Whether a chunk with this id may belong to this answer.
    pub(super) fn is_of(&self, id: Field<'_>) -> bool {
        id.text().is_none_or(|id| self.id.is_empty() || id.is(&self.id))
    }

    /// The number here of the choice with this index: the answer has 0, whatever its index.
    pub(super) fn number(&self, index: u64) -> u64 {
        match index {
            0 => self.main,
            index if index == self.main => 0,
            index => index,
        }
    }

    /// The choice with this index is the answer; gives its number.
    pub(super) fn be_main(&mut self, index: u64) -> u64 {
        self.main = index;
        0
    }

    /// The index of the only choice counts the chunks.
    pub(super) fn set_index_counts(&mut self) {
        self.index_counts = true;
    }

    fn take_choice(&mut self, choice: &scan::Choice<'_>, index: u64, ledger: &mut Ledger) -> Taken<bool> {
        let has_ended = !matches!(choice.finish_reason, Field::Absent | Field::Null);
        if choice.delta.is_none() && (choice.has_odd_delta || !has_ended) {
            ledger.repair(0, Repair::NoDelta)?;
        }
        let at = match self.choices.iter().position(|kept| kept.index >= index) {
            Some(at) if self.choices[at].index == index => at,
            _ if self.choices.len() >= ledger.bounds.max_choices => {
                return Err(too_many_choices());
            }
            place => {
                let at = place.unwrap_or(self.choices.len());
                let mut choice = Choice::new(index, self.reasoning, ledger.partial());
                if let Some(options) = &self.sentences {
                    choice.speech = Some(Box::new(Speech::new(index, options)));
                }
                if self.choices.is_empty() {
                    // Nearly all answers have one choice, and a list makes room for four by itself.
                    self.choices.reserve_exact(1);
                }
                self.choices.insert(at, choice);
                at
            }
        };
        let progress = self.choices[at].take(choice, ledger)?;
        if let Some(usage) = choice.usage {
            ledger.repair(0, Repair::UsageMisplaced)?;
            self.take_usage(usage, false, ledger)?;
        }
        Ok(progress)
    }

    /// Takes what the server counted so far. The last count stands. `is_known`: only counts differ from the usage before.
    pub(super) fn take_usage(&mut self, usage: &[u8], is_known: bool, ledger: &mut Ledger) -> Taken {
        self.usage_is_plain &= is_known;
        // A usage of zeros after one with counts is ignored.
        let is_nothing = || self.usage.is_some() && !usage.iter().any(|byte| matches!(byte, b'1'..=b'9'));
        if usage.first() != Some(&b'{') {
            return Ok(());
        }
        let counts = (!is_known).then(|| Counts::read(usage));
        self.names_cost |= counts.as_ref().is_some_and(|counts| counts.names_cost);
        if is_nothing() {
            return Ok(());
        }
        if counts.as_ref().is_some_and(Counts::is_odd) {
            ledger.repair(0, Repair::UsageRenamed)?;
        }
        let is_news = ledger.output.wants_events() && self.usage.as_deref() != Some(usage);
        let kept = self.usage.get_or_insert_default();
        ledger.hold_long(self.most_usage, usage.len())?;
        self.most_usage = self.most_usage.max(usage.len());
        kept.clear();
        kept.extend_from_slice(usage);
        self.counted = counts.as_ref().map(Counts::tokens);
        if is_news {
            self.tell_usage(usage, ledger);
        }
        Ok(())
    }

    #[inline(never)] // a plain answer has no need of it
    fn tell_usage(&mut self, usage: &[u8], ledger: &mut Ledger) {
        const END: &[u8] = b",\"estimated\":false}";
        let event = ledger.output.event("usage", 0).key("usage");
        let open = usage.split_last().map_or(usage, |(_, open)| open);
        if self.usage_is_plain {
            event.raw(open).raw(END);
        } else {
            let from = event.bytes.len();
            write_usage(self.usage_members().as_deref(), event);
            let written = event.bytes.get(from..).and_then(|written| written.strip_suffix(END));
            self.usage_is_plain = written == Some(open) && self.prices.is_none() && !self.names_cost;
        }
        event.key("cost");
        match self.usage_is_plain {
            true => drop(event.raw(b"null")),
            false => self.write_cost(self.counted(), event),
        }
        event.raw(b"}");
    }

    /// Whether a choice has no finish reason, and a tool call that is not whole.
    pub(super) fn is_mid_call(&self) -> bool {
        let mut unfinished = self.choices.iter().filter(|choice| choice.finish_reason.is_none());
        unfinished.any(|choice| choice.tool_calls.calls().iter().any(|call| !call.is_whole()))
    }

    /// Nothing more comes for any choice: each hands out what it held back. `true`: and the answer is complete.
    pub(super) fn end_choices(&mut self, is_complete: bool, ledger: &mut Ledger) -> Taken {
        let mut result = Ok(());
        for choice in &mut self.choices {
            // Every choice is ended, even if one before it was refused.
            result = result.and(choice.end(is_complete, ledger));
        }
        result
    }

    /// Settles the choices for a stream that ended with `status`. Text that was held back is handed out; after an abort no
    /// sentence is.
    pub(super) fn end(&mut self, status: Status, ledger: &mut Ledger) -> Taken {
        let result = self.end_choices(status == Status::Complete, ledger);
        if status != Status::Aborted {
            for choice in &mut self.choices {
                choice.flush_speech(&mut ledger.output);
            }
        }
        result
    }

    /// Hands out what becomes due at the end of each call: values that grew. And notes the time for sentences.
    #[inline]
    pub(super) fn close_output(&mut self, now: f64, ledger: &mut Ledger) {
        if self.sentences.is_some() {
            for speech in self
                .choices
                .iter_mut()
                .filter_map(|choice| choice.speech.as_deref_mut())
            {
                speech.note_time(now);
            }
        }
        if ledger.partial() != PartialValues::Off {
            for choice in &mut self.choices {
                choice.hand_out_edits(&mut ledger.output);
            }
        }
    }

    /// Hands out the sentences that have become due by silence.
    pub(super) fn tick_sentences(&mut self, now: f64, ledger: &mut Ledger) {
        for speech in self.choices.iter_mut().filter_map(|choice| choice.speech.as_mut()) {
            speech.tick(now, &mut ledger.output);
        }
    }

    /// When the next sentence becomes due by silence; infinity for never.
    #[inline]
    pub(super) fn sentence_due(&self) -> f64 {
        let mut due = f64::INFINITY;
        if self.sentences.is_some() {
            for speech in self.choices.iter().filter_map(|choice| choice.speech.as_ref()) {
                due = due.min(speech.deadline().unwrap_or(f64::INFINITY));
            }
        }
        due
    }

    /// The completion as JSON text; `null` while there is none. With `text_once` the text of choice 0 is the number 0. `usage` has
    /// the [members](Self::usage_members) of the usage.
    pub(super) fn write_completion(&self, text_once: bool, usage: Option<&[u8]>, out: &mut Writer) {
        match self.has_chunk {
            true => self.write_as(Form::Message, text_once, usage, out),
            false => drop(out.raw(b"null")),
        }
    }

    /// The same as one chunk.
    pub(super) fn write_chunk(&self, out: &mut Writer) {
        self.write_as(Form::Delta, false, self.usage_members().as_deref(), out);
    }

    /// `{"id":…,"created":…,"model":…}` as far as chunks have named them; `null` before one has.
    pub(super) fn write_head(&self, out: &mut Writer) {
        if self.id.is_empty() && self.model.is_empty() {
            out.raw(b"null");
            return;
        }
        out.raw(b"{").member("id", &self.id);
        if let Some(created) = &self.created {
            out.key("created").raw(created);
        }
        out.member("model", &self.model).raw(b"}");
    }

    fn write_as(&self, form: Form, text_once: bool, usage: Option<&[u8]>, out: &mut Writer) {
        let object: &[u8] = if form == Form::Delta {
            b",\"object\":\"chat.completion.chunk\""
        } else {
            b",\"object\":\"chat.completion\""
        };
        out.raw(b"{\"id\":").string(&self.id).raw(object);
        if let Some(created) = &self.created {
            out.raw(b",\"created\":").raw(created);
        }
        out.raw(b",\"model\":").string(&self.model).raw(b",\"choices\":[");
        for choice in &self.choices {
            choice.write(form, text_once, out);
        }
        out.raw(b"]");
        if let Some(members) = usage {
            out.raw(b",\"usage\":{").raw(members).raw(b"}");
        }
        self.extras.write(false, out);
        out.raw(b"}");
    }

    /// The members of the server's last usage, as they are written.
    pub(super) fn usage_members(&self) -> Option<Vec<u8>> {
        let usage = self.usage.as_deref()?;
        let mut out = Writer::with_room(usage.len());
        write_members(usage, &mut out);
        Some(out.bytes)
    }

    /// The amount that the server says it charged, in pico-dollars.
    pub(super) fn charged(&self) -> Option<u64> {
        self.usage.as_deref().filter(|_| self.names_cost).and_then(charged)
    }

    /// The cost of so many tokens in dollars: the amount that the server charged, else by the prices; `null` where that is unknown.
    pub(super) fn write_cost(&self, tokens: Option<Tokens>, out: &mut Writer) {
        let by_prices = || {
            tokens
                .zip(self.prices.as_deref())
                .and_then(|(tokens, prices)| prices.cost(&tokens))
        };
        match self.charged().or_else(by_prices) {
            Some(cost) => out.decimal(cost, 12),
            None => out.raw(b"null"),
        };
    }

    /// The tokens that the server counted, if it counted any.
    pub(super) fn counted(&self) -> Option<Tokens> {
        self.counted.or_else(|| self.usage.as_deref().map(Tokens::read))
    }

    /// How many tokens all that is kept of the answer probably is.
    pub(super) fn estimate(&self) -> u64 {
        self.choices.iter().map(Choice::estimate).sum()
    }
}

/// A usage of these members, and `estimated: false`.
pub(super) fn write_usage(members: Option<&[u8]>, out: &mut Writer) {
    match members {
        Some(members) => drop(out.raw(b"{").raw(members).comma().raw(b"\"estimated\":false}")),
        None => drop(out.raw(b"null")),
    }
}

fn too_many_choices() -> Box<Ending> {
    Ending::refused("limit.choices", "The stream has more choices than `limits.maxChoices`.")
}
